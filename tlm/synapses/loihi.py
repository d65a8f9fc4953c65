"""Loihi's synapse memory, with the sizes that nengo-loihi computes.

github.com/nengo/nengo-loihi, ``nengo_loihi/block.py``: ``SynapseConfig.bits_per_axon`` and the
limits of a core. An axon's synapses are cut into groups of 64; a group holds 4 bits of format, 6
bits of count and its entries, and takes whole words of 64 bits. Indices are wide enough for all
outputs here; nengo-loihi takes the largest in use. The order of the fields in a word is not
published: ours is assumed, it changes no size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tlm.errors import WorkloadError
from tlm.space.array_types import Ints, Octets
from tlm.space.rounding import ceil_div
from tlm.synapses.matrix import SynapseCounts, SynapseMatrix
from tlm.synapses.packing import index_bits, packed, signed, unpacked
from tlm.synapses.pointers import packed_pointers, pointer_table, row_lengths
from tlm.synapses.tables import Encoded, PackedTable, SynapseTable

INDEX_BITS = (0, 6, 7, 8, 9, 10, 11, 12)
WEIGHT_BITS = (0, 1, 2, 3, 4, 5, 6, 8)
WORD = 64
GROUP = 64
HEAD_BITS = 4 + 6  # format and count

CORE_WORDS = 16_384
CORE_COMPARTMENTS = 1_024
CORE_AXONS = 4_096


@dataclass(frozen=True)
class Loihi:
    """``synapses``: words of 64 bits, axon by axon; ``axons``: where each axon's words end.

    With ``is_sparse`` (compression 0) an entry holds the index of its output; without
    (compression 3) every output has an entry. The table ``axons`` stands for Loihi's map from
    input axons to words, whose size is not published: assumed, and no part of nengo-loihi's bits.
    """

    is_sparse: bool

    @property
    def name(self) -> str:
        """``loihi``, and ``loihi-dense`` without indices."""
        return "loihi" if self.is_sparse else "loihi-dense"

    def tables(self, matrix: SynapseCounts) -> tuple[SynapseTable, ...]:
        """The words of all axons, and the axons' pointers."""
        words = int(self._words(matrix).sum())
        return (
            SynapseTable("synapses", words, WORD),
            pointer_table("axons", matrix.inputs, words),
        )

    def encode(self, matrix: SynapseMatrix) -> Encoded:
        """Groups of at most 64 synapses, each padded to whole words."""
        exists = matrix.nonzero if self.is_sparse else np.ones_like(matrix.nonzero)
        weight_bits = _step("weight", matrix.width, WEIGHT_BITS)
        width = self._index_width(matrix.outputs) + weight_bits
        entries = matrix.codes & ((1 << weight_bits) - 1)
        if self.is_sparse:
            entries |= np.arange(matrix.outputs) << weight_bits
        groups = [
            _group(part, width)
            for row, places in zip(entries, exists, strict=True)
            for part in np.split(row[places], range(GROUP, int(places.sum()), GROUP))
            if len(part)
        ]
        data = np.concatenate([np.zeros(0, np.uint8), *groups])
        synapses = PackedTable(SynapseTable("synapses", len(data) * 8 // WORD, WORD), data)
        axons = packed_pointers("axons", self._words(matrix))
        return Encoded(matrix.codes.shape, matrix.width, (synapses, axons))

    def decode(self, encoded: Encoded) -> SynapseMatrix:
        """Each axon's groups, from its first word to its last."""
        codes = np.zeros(encoded.shape, np.int64)
        weight_bits = _step("weight", encoded.width, WEIGHT_BITS)
        width = self._index_width(encoded.shape[1]) + weight_bits
        words, pointers = encoded.contents
        ends = unpacked(pointers)
        first = ends - row_lengths(ends)
        for axon in range(len(codes)):
            entries = _entries(words.data[first[axon] * 8 : ends[axon] * 8], width)
            targets = entries >> weight_bits if self.is_sparse else np.arange(len(entries))
            codes[axon, targets] = signed(entries & ((1 << weight_bits) - 1), weight_bits)
        return SynapseMatrix(codes, encoded.width)

    def _words(self, matrix: SynapseCounts) -> Ints:
        """Words of every axon."""
        entry = _step("weight", matrix.width, WEIGHT_BITS) + self._index_width(matrix.outputs)
        entries = matrix.fan_out if self.is_sparse else np.full(matrix.inputs, matrix.outputs)
        whole, rest = np.divmod(entries, GROUP)
        last = -(-(rest * entry + HEAD_BITS) // WORD)
        return np.asarray(whole * _group_words(GROUP, entry) + np.where(rest > 0, last, 0))

    def _index_width(self, outputs: int) -> int:
        return _step("output index", index_bits(outputs), INDEX_BITS) if self.is_sparse else 0


def core_excess(words: int, inputs: int, outputs: int, is_learning: bool = False) -> list[str]:
    """Limits of a core that a memory of ``words`` does not keep; learning takes two axon slots."""
    sizes = (
        (words, CORE_WORDS, "words of synapse memory"),
        (outputs, CORE_COMPARTMENTS, "compartments"),
        (inputs * (2 if is_learning else 1), CORE_AXONS, "input axons"),
    )
    return [f"{size:,} {what} of {most:,}" for size, most, what in sizes if size > most]


def _step(what: str, bits: int, steps: tuple[int, ...]) -> int:
    """The least width that Loihi has for ``bits``.

    Raises:
        WorkloadError: it has none so wide.
    """
    if bits > steps[-1]:
        raise WorkloadError(
            f"Loihi stores no {what} of {bits} bits: {steps[-1]} at most; take fewer, or another "
            "organisation"
        )
    return next(step for step in steps if step >= bits)


def _group_words(entries: int, width: int) -> int:
    return ceil_div(entries * width + HEAD_BITS, WORD)


def _group(entries: Ints, width: int) -> Octets:
    """Format, count less 1, entries; zeros fill the last word."""
    head = packed("head", np.array([len(entries) - 1]), HEAD_BITS)
    body = packed("entries", entries, width)
    bits = [np.unpackbits(part.data, count=part.table.bits) for part in (head, body)]
    used = HEAD_BITS + body.table.bits
    return np.packbits(np.pad(np.concatenate(bits), (0, -used % WORD)))


def _entries(data: Octets, width: int) -> Ints:
    """All entries of the groups in ``data``."""
    entries = [np.zeros(0, np.int64)]
    while len(data):
        count = int(unpacked(PackedTable(SynapseTable("head", 1, HEAD_BITS), data))[0]) + 1
        table = SynapseTable("entries", count, width)
        body = np.unpackbits(data, count=HEAD_BITS + table.bits)[HEAD_BITS:]
        entries.append(unpacked(PackedTable(table, np.packbits(body))))
        data = data[_group_words(count, width) * WORD // 8 :]
    return np.concatenate(entries)

"""Pointer-based compressed rows (PB-CSR): a forward and a reverse table, as STDP needs them.

Pedroni et al., "Memory-efficient synaptic connectivity for spike-timing-dependent plasticity",
Front. Neurosci. 2019, look synapses up from the sending neuron (forward) and from the receiving one
(reverse). Schaefer et al., ISCAS 2020 (arXiv 2003.11639) name it PB-CSR; the leakage that they
publish fits ``n (b + log2 M + log2 N + log2 n) + (N + M) log2 n`` bits: per synapse 35.8 bits
beside the weight at 784 x 128 and density 1 (by the formula 34.2), 32.2 at 0.25 (32.5), 35.8 at
0.05 (32.4), 42.0 at 16384 x 128 (42.1). Here every logarithm is rounded up to whole bits.
"""

from __future__ import annotations

import numpy as np

from tlm.space.array_types import Ints
from tlm.synapses.matrix import SynapseCounts, SynapseMatrix
from tlm.synapses.packing import index_bits, packed, signed, unpacked
from tlm.synapses.pointers import packed_pointers, pointer_table, row_lengths
from tlm.synapses.tables import Encoded, SynapseTable


class CompressedRows:
    """``forward``: (output, weight) input by input; ``reverse``: (input, place in ``forward``).

    ``reverse`` goes output by output; each has its pointers. A weight is stored once, in
    ``forward``.
    """

    name = "pb-csr"

    def tables(self, matrix: SynapseCounts) -> tuple[SynapseTable, ...]:
        """Both tables, n entries each, and the pointers of inputs and of outputs."""
        n = matrix.synapses
        return (
            SynapseTable("forward", n, index_bits(matrix.outputs) + matrix.width),
            pointer_table("forward_pointers", matrix.inputs, n),
            SynapseTable("reverse", n, index_bits(matrix.inputs) + index_bits(n)),
            pointer_table("reverse_pointers", matrix.outputs, n),
        )

    def encode(self, matrix: SynapseMatrix) -> Encoded:
        """The synapses sorted by input for ``forward``, by output for ``reverse``."""
        width = matrix.width
        sources, targets = np.nonzero(matrix.nonzero)
        codes = matrix.codes[sources, targets] & ((1 << width) - 1)
        n = len(codes)
        by_target = np.argsort(targets, kind="stable")
        place_bits = index_bits(n)
        contents = (
            packed("forward", targets << width | codes, index_bits(matrix.outputs) + width),
            packed_pointers("forward_pointers", matrix.fan_out),
            packed(
                "reverse",
                sources[by_target] << place_bits | by_target,
                index_bits(matrix.inputs) + place_bits,
            ),
            packed_pointers("reverse_pointers", np.bincount(targets, minlength=matrix.outputs)),
        )
        return Encoded(matrix.codes.shape, width, contents)

    def decode(self, encoded: Encoded) -> SynapseMatrix:
        """The matrix by look-ups in ``forward``, input by input."""
        forward, ends = map(unpacked, encoded.contents[:2])
        sources = np.repeat(np.arange(encoded.shape[0]), row_lengths(ends))
        targets, weights = _parts(forward, encoded.width)
        return _matrix(encoded, sources, targets, weights)

    def decode_reverse(self, encoded: Encoded) -> SynapseMatrix:
        """The same matrix by look-ups in ``reverse``, output by output, as a backward pass does."""
        forward, _, reverse, ends = map(unpacked, encoded.contents)
        targets = np.repeat(np.arange(encoded.shape[1]), row_lengths(ends))
        sources, places = _parts(reverse, index_bits(len(forward)))
        _, weights = _parts(forward[places], encoded.width)
        return _matrix(encoded, sources, targets, weights)


def _parts(entries: Ints, low_bits: int) -> tuple[Ints, Ints]:
    """The index in the high bits of each entry, and the number in its low bits."""
    return entries >> low_bits, entries & ((1 << low_bits) - 1)


def _matrix(encoded: Encoded, sources: Ints, targets: Ints, weights: Ints) -> SynapseMatrix:
    codes = np.zeros(encoded.shape, np.int64)
    codes[sources, targets] = signed(weights, encoded.width)
    return SynapseMatrix(codes, encoded.width)

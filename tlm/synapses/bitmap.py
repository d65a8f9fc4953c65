"""Pointer-based bitmap (PB-BMP): a bit says where there is a synapse, its weight follows in order.

Schaefer, Faley, Neftci and Joshi, ISCAS 2020 (arXiv 2003.11639) name it and publish its leakage;
at 57 nW a bit that is ``N M + n b`` bits and the row pointers within 4 %. The layout is consistent
with it, not proven by it.
"""

from __future__ import annotations

import numpy as np

from tlm.synapses.matrix import SynapseCounts, SynapseMatrix
from tlm.synapses.packing import packed, signed, unpacked
from tlm.synapses.pointers import packed_pointers, pointer_table
from tlm.synapses.tables import Encoded, SynapseTable


class Bitmap:
    """``bitmap``: N M bits, input by input; ``rows``: N pointers into ``weights``: n codes.

    The place of a weight in its row is the number of set bits before its own.
    """

    name = "pb-bmp"

    def tables(self, matrix: SynapseCounts) -> tuple[SynapseTable, ...]:
        """The bitmap, the row pointers, and the weights of the n synapses."""
        return (
            SynapseTable("bitmap", matrix.inputs * matrix.outputs, 1),
            pointer_table("rows", matrix.inputs, matrix.synapses),
            SynapseTable("weights", matrix.synapses, matrix.width),
        )

    def encode(self, matrix: SynapseMatrix) -> Encoded:
        """Bits and weights in the order of inputs, then outputs."""
        contents = (
            packed("bitmap", matrix.nonzero.astype(np.int64), 1),
            packed_pointers("rows", matrix.fan_out),
            packed("weights", matrix.codes[matrix.nonzero], matrix.width),
        )
        return Encoded(matrix.codes.shape, matrix.width, contents)

    def decode(self, encoded: Encoded) -> SynapseMatrix:
        """Each row's weights, from its pointer on, at the set bits of its row."""
        bits, ends, weights = map(unpacked, encoded.contents)
        nonzero = bits.reshape(encoded.shape).astype(bool)
        # The weights of a row stand between its pointers; those before it end where it begins.
        first = np.concatenate(([0], ends[:-1]))
        rank = np.cumsum(nonzero, 1) - 1
        place = (first[:, None] + rank)[nonzero]
        codes = np.zeros(encoded.shape, np.int64)
        codes[nonzero] = signed(weights[place], encoded.width)
        return SynapseMatrix(codes, encoded.width)

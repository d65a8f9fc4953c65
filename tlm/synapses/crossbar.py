"""Crossbar: every possible synapse has a place, in the order of inputs, then outputs."""

from __future__ import annotations

from tlm.synapses.matrix import SynapseCounts, SynapseMatrix
from tlm.synapses.packing import packed, signed, unpacked
from tlm.synapses.tables import Encoded, SynapseTable


class Crossbar:
    """N M b bits; a place without a synapse holds a zero."""

    name = "crossbar"

    def tables(self, matrix: SynapseCounts) -> tuple[SynapseTable, ...]:
        """The weights alone."""
        return (SynapseTable("weights", matrix.inputs * matrix.outputs, matrix.width),)

    def encode(self, matrix: SynapseMatrix) -> Encoded:
        """All codes, row by row."""
        weights = packed("weights", matrix.codes, matrix.width)
        return Encoded(matrix.codes.shape, matrix.width, (weights,))

    def decode(self, encoded: Encoded) -> SynapseMatrix:
        """The matrix that was encoded."""
        values = unpacked(encoded.contents[0])
        return SynapseMatrix(signed(values, encoded.width).reshape(encoded.shape), encoded.width)

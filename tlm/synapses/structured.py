"""N:M structured sparsity: of every M consecutive inputs an output keeps at most N weights.

Mishra et al., "Accelerating sparse deep neural networks" (arXiv 2104.08378), store 2:4 weights so:
the groups lie along the dimension that is summed over, each kept weight has an index of log2 M bits
within its group.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tlm.errors import ConfigError, WorkloadError
from tlm.space.array_types import Ints
from tlm.space.rounding import ceil_div
from tlm.synapses.matrix import SynapseCounts, SynapseMatrix
from tlm.synapses.packing import index_bits, packed, signed, unpacked
from tlm.synapses.tables import Encoded, SynapseTable


@dataclass(frozen=True)
class Structured:
    """``weights`` and ``indices``: N places for every group of M inputs and every output.

    Places go by group, then output: an input's look-up reads the places of its group in a row. A
    place without a synapse holds weight 0; the last group may be of fewer than M inputs, and has N
    places all the same.

    Raises:
        ConfigError: N is not from 1 to M.
    """

    kept: int
    group: int

    def __post_init__(self) -> None:
        if not 1 <= self.kept <= self.group:
            raise ConfigError(
                f'"{self.name}" keeps N of M weights: N is at least 1 and at most M, as in 2:4'
            )

    @property
    def name(self) -> str:
        """``2:4`` for 2 of 4."""
        return f"{self.kept}:{self.group}"

    def tables(self, matrix: SynapseCounts) -> tuple[SynapseTable, ...]:
        """The same for any matrix of a shape, however few synapses it has."""
        places = ceil_div(matrix.inputs, self.group) * matrix.outputs * self.kept
        return (
            SynapseTable("weights", places, matrix.width),
            SynapseTable("indices", places, index_bits(self.group)),
        )

    def encode(self, matrix: SynapseMatrix) -> Encoded:
        """The synapses of each group in the order of their inputs, then places without one.

        Raises:
            WorkloadError: a group holds more than N synapses.
        """
        codes = self._groups(matrix)
        fullest = int((codes != 0).sum(1).max())
        if fullest > self.kept:
            raise WorkloadError(
                f"{self.name} keeps {self.kept} synapses in {self.group} inputs, an output has "
                f"{fullest}; prune the weights to {self.name}, or take another organisation"
            )
        order = np.argsort(codes == 0, axis=1, kind="stable")[:, : self.kept]
        contents = (
            packed("weights", np.take_along_axis(codes, order, 1).swapaxes(1, 2), matrix.width),
            packed("indices", order.swapaxes(1, 2), index_bits(self.group)),
        )
        return Encoded(matrix.codes.shape, matrix.width, contents)

    def decode(self, encoded: Encoded) -> SynapseMatrix:
        """Each group's places, put where their indices say."""
        inputs, outputs = encoded.shape
        weights, indices = (
            unpacked(table).reshape(-1, outputs, self.kept).swapaxes(1, 2)
            for table in encoded.contents
        )
        codes = np.zeros((len(weights), self.group, outputs), np.int64)
        np.put_along_axis(codes, indices, signed(weights, encoded.width), 1)
        return SynapseMatrix(codes.reshape(-1, outputs)[:inputs], encoded.width)

    def _groups(self, matrix: SynapseMatrix) -> Ints:
        """Codes [groups, M, outputs]; inputs that fill the last group have none."""
        missing = -matrix.inputs % self.group
        codes = np.pad(matrix.codes, ((0, missing), (0, 0)))
        return codes.reshape(-1, self.group, matrix.outputs)

"""The weights of a fully connected layer as codes, and how many synapses each input has."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from tlm.errors import WorkloadError
from tlm.space.array_types import Bools, Cells, Ints

WIDTHS = range(2, 17)
"""Bits of a weight."""


class SynapseCounts(Protocol):
    """All that the size of a memory follows from: a matrix, or the counts of one alone.

    ``fan_out`` [inputs] holds the synapses of each input; ``width`` is the bits of a weight.
    """

    @property
    def inputs(self) -> int: ...
    @property
    def outputs(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def fan_out(self) -> Ints: ...
    @property
    def synapses(self) -> int: ...


@dataclass(frozen=True, eq=False)
class SynapseMatrix:
    """Weights of ``width`` bits between inputs and outputs; a code of 0 is no synapse.

    ``codes`` [inputs, outputs] are whole numbers, stored as two's complement. Those of a layer's
    weights [K, C] are their transpose.

    Raises:
        WorkloadError: codes that are not whole numbers, or do not fit ``width``.
    """

    codes: Ints
    width: int

    def __post_init__(self) -> None:
        if self.codes.ndim != 2 or 0 in self.codes.shape:
            raise WorkloadError(
                f"a synapse matrix has inputs and outputs, this one has the shape "
                f"{self.codes.shape}; give an array [inputs, outputs]"
            )
        object.__setattr__(self, "codes", checked_codes(self.codes, self.width))

    @property
    def inputs(self) -> int:
        """Rows of the matrix: neurons that send."""
        return len(self.codes)

    @property
    def outputs(self) -> int:
        """Columns of the matrix: neurons that receive."""
        return len(self.codes[0])

    @cached_property
    def nonzero(self) -> Bools:
        """Where there is a synapse."""
        return np.asarray(self.codes != 0)

    @cached_property
    def fan_out(self) -> Ints:
        """Synapses of each input."""
        return np.asarray(self.nonzero.sum(1, dtype=np.int64))

    @property
    def synapses(self) -> int:
        """Weights that are not zero."""
        return int(self.fan_out.sum())

    @property
    def density(self) -> float:
        """Share of the possible synapses that exist."""
        return self.synapses / self.codes.size


def checked_codes(codes: Cells, width: int) -> Ints:
    """``codes`` as 64-bit numbers, if they are whole numbers of ``width`` bits.

    Raises:
        WorkloadError: they are not.
    """
    if width not in WIDTHS:
        raise WorkloadError(f"a weight has {WIDTHS[0]} to {WIDTHS[-1]} bits, not {width}")
    if not np.issubdtype(codes.dtype, np.integer):
        raise WorkloadError(
            f"codes of weights are whole numbers, these are {codes.dtype}; quantise them"
        )
    low, high = -(1 << (width - 1)), (1 << (width - 1)) - 1
    if codes.size and (codes.min() < low or codes.max() > high):
        raise WorkloadError(
            f"codes of {width} bits lie between {low} and {high}, these between {codes.min()} and "
            f"{codes.max()}; quantise them, or take more bits"
        )
    return codes.astype(np.int64, copy=False)

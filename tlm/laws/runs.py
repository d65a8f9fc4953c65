"""Runs: contiguous bytes of DRAM that tiles read or write, as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from tlm.space.array_types import Bools, Ints
from tlm.space.tile import Extent


@dataclass(frozen=True, slots=True)
class Runs:
    """Some runs of one direction: first byte, one past the last, numbers of tile and tensor.

    The tensor is the last one that begins at the first byte or before; -1 if there is none.
    """

    first: Ints
    end: Ints
    tile: Ints
    tensor: Ints

    @property
    def nbytes(self) -> Ints:
        """Bytes of each run."""
        return np.asarray(self.end - self.first)

    def take(self, chosen: Bools | Ints | slice) -> Runs:
        """The chosen runs, or all in another order."""
        columns = (self.first, self.end, self.tile, self.tensor)
        return Runs(*(column[chosen] for column in columns))

    def distinct_nbytes(self) -> int:
        """Bytes that any of the runs covers."""
        order = np.argsort(self.first, kind="stable")
        first, end = self.first[order], self.end[order]
        reached = np.maximum.accumulate(np.append(0, end))[:-1]
        return int(np.maximum(0, end - np.maximum(first, reached)).sum())


def runs_of(by_tile: Iterable[tuple[Extent, ...]], starts: Sequence[int]) -> Runs:
    """The runs of some tiles, tile by tile, in tensors that begin at ``starts``."""
    extents = list(by_tile)
    flat = np.fromiter(chain.from_iterable(chain.from_iterable(extents)), np.int64)
    first, nbytes = flat[::2], flat[1::2]
    tile = np.repeat(np.arange(len(extents)), np.fromiter(map(len, extents), np.int64))
    return Runs(first, first + nbytes, tile, np.searchsorted(starts, first, side="right") - 1)

"""What a program asks DRAM for: the runs of all tiles as arrays, gathered once for several laws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tlm.space.array_types import Bools, Ints
from tlm.space.program import Program
from tlm.space.tile import Extent, Tile


@dataclass(frozen=True, slots=True)
class Runs:
    """All runs of one direction: first byte, one past the last, number of the tile."""

    first: Ints
    end: Ints
    tile: Ints

    @property
    def nbytes(self) -> Ints:
        """Bytes of each run."""
        return np.asarray(self.end - self.first)

    def take(self, chosen: Bools | Ints) -> Runs:
        """The chosen runs, or all in another order."""
        return Runs(self.first[chosen], self.end[chosen], self.tile[chosen])

    def tensor(self, starts: Ints) -> Ints:
        """The number of the tensor that each run lies in, of tensors that begin at ``starts``."""
        return np.searchsorted(starts, self.first, side="right") - 1


@dataclass(frozen=True, slots=True)
class Asked:
    """All tiles of a program, core by core and engine by engine, and what they read and write."""

    program: Program
    tiles: list[Tile]
    reads: Runs
    writes: Runs


def asked_by(program: Program) -> Asked:
    """The runs of all tiles of a program."""
    tiles = list(program.all_tiles())
    reads, writes = _runs([tile.reads for tile in tiles]), _runs([tile.writes for tile in tiles])
    return Asked(program, tiles, reads, writes)


def _runs(by_tile: Sequence[tuple[Extent, ...]]) -> Runs:
    flat = [number for runs in by_tile for run in runs for number in run]
    pairs = np.array(flat, np.int64).reshape(-1, 2)
    tile = np.repeat(np.arange(len(by_tile)), [len(runs) for runs in by_tile])
    return Runs(pairs[:, 0], pairs.sum(axis=1), tile)

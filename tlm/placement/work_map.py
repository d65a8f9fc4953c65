"""A layer's work by sample, channel tile and row: what cuts are balanced by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tlm.space.array_types import Ints
from tlm.space.grid import Grid
from tlm.space.rounding import ceil_div


@dataclass(frozen=True)
class WorkMap:
    """Cycles [B, tiles of ``tile`` channels, rows] of one layer, by engine.

    ``grad`` is the gradient unit, which shares the BP engine; ``bp`` is over input rows and zero
    where there is no BP. ``streams`` of FP, BP and WG leave out what depends on the blocks of a
    cut: weight loads, drains, the soma.
    """

    tile: int
    fp: Ints
    grad: Ints
    bp: Ints
    wg: Ints
    streams: tuple[Ints, Ints, Ints]

    @cached_property
    def _running(self) -> list[Ints]:
        """Sums of the streams up to every sample, tile and row; hundreds of grids need them."""
        return [_running_sums(part) for part in self.streams]

    def by_slice(self, grid: Grid) -> tuple[Ints, Ints, Ints]:
        """Cycles of the streams of a grid's slices in FP, BP and WG, in the order of its cores."""
        tiles = [ceil_div(cut, self.tile) for cut in grid.channels]
        rows = (grid.rows, grid.input_rows, grid.rows)
        fp, bp, wg = (
            _box_sums(running, grid.samples, tiles, cuts)
            for running, cuts in zip(self._running, rows, strict=True)
        )
        return fp, bp, wg

    @cached_property
    def along(self) -> tuple[list[int], list[int], list[int]]:
        """Cycles of all engines for each sample, channel tile and row; BP counts no rows."""
        sample, tile = (
            sum(part.sum(axis=others) for part in (self.fp, self.grad, self.wg, self.bp)).tolist()
            for others in ((1, 2), (0, 2))
        )
        row = sum(part.sum(axis=(0, 1)) for part in (self.fp, self.grad, self.wg)).tolist()
        return sample, tile, row

    @cached_property
    def along_input_rows(self) -> list[int]:
        """Cycles of BP for each input row."""
        return [int(cycles) for cycles in self.bp.sum(axis=(0, 1))]


def _running_sums(cycles: Ints) -> Ints:
    total = np.pad(cycles, ((1, 0),) * 3)
    for axis in range(3):
        total = total.cumsum(axis=axis)
    return total


def _box_sums(
    running: Ints, samples: tuple[int, ...], tiles: list[int], rows: tuple[int, ...]
) -> Ints:
    """Sums over the boxes between cuts, in the order samples, rows, tiles."""
    corners = running[np.ix_(samples, tiles, rows)]
    for axis in range(3):
        corners = np.diff(corners, axis=axis)
    return corners.transpose(0, 2, 1).ravel()

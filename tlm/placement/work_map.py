"""A layer's work by sample, channel tile and row: what cuts are balanced by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tlm.placement.slices import Slices
from tlm.space.array_types import Ints
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

    def by_slice(self, slices: Slices) -> tuple[Ints, Ints, Ints]:
        """Cycles of the streams of every slice in FP, BP and WG."""
        samples = slices.by_samples(tuple).T
        tiles = slices.by_channels(lambda span: [ceil_div(cut, self.tile) for cut in span]).T
        rows, input_rows = slices.by_band(lambda *band: band).transpose(1, 2, 0)
        running_fp, running_bp, running_wg = self._running
        return (
            _box_sums(running_fp, samples, tiles, rows),
            _box_sums(running_bp, samples, tiles, input_rows),
            _box_sums(running_wg, samples, tiles, rows),
        )

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


def _box_sums(running: Ints, samples: Ints, tiles: Ints, rows: Ints) -> Ints:
    """Sums over boxes, of first and last samples, tiles and rows [end, box]."""
    total = np.zeros(samples.shape[1], np.int64)
    for corner in np.ndindex(2, 2, 2):
        ends = running[samples[corner[0]], tiles[corner[1]], rows[corner[2]]]
        total += ends if sum(corner) % 2 else -ends
    return total

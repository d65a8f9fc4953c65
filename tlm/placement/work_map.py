"""Recorded work of a layer by sample, channel tile and row: what cuts are balanced by.

Cycles after skipping, counted from the recorded masks as slots are, but summed over chunks and
taps at once; the overheads of a block (weight load, drain, soma) are spread over its positions.
Mode ``element`` is taken as ``vector``. Exact enough to balance and to compare cuts; the cycles of
a run are those of its tiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tlm.config.chip import ChipConfig
from tlm.config.core import EngineConfig
from tlm.counts.core_arrays import CoreArrays
from tlm.space.array_types import Bools
from tlm.space.grid import Grid
from tlm.space.rounding import ceil_div
from tlm.workload.model import Layer

WorkCycles = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class WorkMap:
    """Cycles [B, tiles of ``tile`` channels, rows] of one layer, by engine.

    ``grad`` is the gradient unit, which shares the BP engine; ``bp`` is over input rows and zero
    where there is no BP.
    """

    tile: int
    fp: WorkCycles
    grad: WorkCycles
    bp: WorkCycles
    wg: WorkCycles

    @cached_property
    def _running(self) -> list[WorkCycles]:
        """Sums up to every sample, tile and row; hundreds of grids are made from them."""
        return [_running_sums(part) for part in (self.fp, self.grad, self.bp, self.wg)]

    def by_slice(self, grid: Grid) -> tuple[WorkCycles, WorkCycles, WorkCycles]:
        """Cycles of a grid's slices on their FP, BP and WG engines, in the order of its cores."""
        tiles = [ceil_div(cut, self.tile) for cut in grid.channels]
        rows = (grid.rows, grid.rows, grid.input_rows, grid.rows)
        fp, grad, bp, wg = (
            _box_sums(running, grid.samples, tiles, cuts)
            for running, cuts in zip(self._running, rows, strict=True)
        )
        return fp, grad + bp, wg

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


def _running_sums(cycles: WorkCycles) -> WorkCycles:
    total = np.pad(cycles, ((1, 0),) * 3)
    for axis in range(3):
        total = total.cumsum(axis=axis)
    return total


def _box_sums(
    running: WorkCycles, samples: tuple[int, ...], tiles: list[int], rows: tuple[int, ...]
) -> WorkCycles:
    """Sums over the boxes between cuts, in the order samples, rows, tiles."""
    corners = running[np.ix_(samples, tiles, rows)]
    for axis in range(3):
        corners = np.diff(corners, axis=axis)
    return corners.transpose(0, 2, 1).ravel()


def measure_work(
    layer: Layer,
    inputs: Bools,
    gradients: Bools,
    need: Bools | None,
    live: Bools,
    chip: ChipConfig,
    arrays: CoreArrays,
) -> WorkMap:
    """The work of a layer from its masks.

    Args:
        layer: the layer.
        inputs: non-zero inputs [T, B, C, H, W].
        gradients: non-zero gradients at the product [T, B, K, E, F].
        need: which dS of the inputs BP must compute, as ``inputs``; None without BP.
        live: which gradient slices [T, B] are not skipped whole.
        chip: whose engines' modes and policies count.
        array: their shape.
    """
    engines = chip.core.engines
    groups = [ceil_div(layer.in_shape[0], arrays.chunk), ceil_div(layer.out_shape[0], arrays.tile)]
    taps = layer.kernel[0] * layer.kernel[1]
    # A tile of a grouped convolution meets only its own group of inputs: an even share of them.
    present = _by_group(inputs, arrays.chunk).sum(axis=2, dtype=np.float64) / layer.groups
    arriving = _by_window(layer, present)
    du = _by_group(gradients, arrays.tile).astype(np.float64)
    whole = ceil_div(groups[0] * taps, layer.groups)
    sizes = _Sizes(layer, arrays, len(live), whole, live.sum(axis=0))
    fp_slots = arriving if _skips(engines.fp, "spikes") else np.full_like(arriving, whole)
    wg_slots = arriving if _skips(engines.wg, "spikes") else np.full_like(arriving, whole)
    wg_du = du if _skips(engines.wg, "gradients") else np.ones_like(du)
    wg = np.einsum("tbyx,tbkyx,tb->bky", wg_slots, wg_du, live)
    fp = np.repeat(fp_slots.sum(axis=(0, 3))[:, None], groups[1], axis=1)
    grad = np.broadcast_to(sizes.soma(layer.product_shape), fp.shape)
    by_row = [
        sizes.streamed(fp, layer.product_shape, engines.fp) + grad,
        grad,
        sizes.streamed(wg, layer.product_shape, engines.wg, live=True),
    ]
    forward, unit, weights = (_rounded(_on_neuron_rows(layer, one)) for one in by_row)
    backward = _rounded(_bp_cycles(sizes, du, need, live, engines.bp))
    return WorkMap(arrays.tile, forward, unit, backward, weights)


def _on_neuron_rows(layer: Layer, cycles: Floats) -> Floats:
    """Cycles by neuron row; where currents are pooled, rows are never cut: all on the first."""
    if layer.current_pool is None:
        return cycles
    found = np.zeros((*cycles.shape[:2], layer.out_shape[1]))
    found[..., 0] = cycles.sum(axis=2)
    return found


@dataclass(frozen=True, slots=True)
class _Sizes:
    """What turns slots into cycles: positions of a row, slots of a position, live steps [B]."""

    layer: Layer
    arrays: CoreArrays
    steps: int
    whole: int
    live: npt.NDArray[np.int64]

    def streamed(
        self, slots: Floats, grid: tuple[int, int, int], engine: EngineConfig, live: bool = False
    ) -> Floats:
        """Cycles [B, tile, rows] of executed slots: no fewer than the scan's, with weight loads."""
        steps = self.live if live else np.full_like(self.live, self.steps)
        dense = (steps * grid[2] * self.whole)[:, None, None].astype(np.float64)
        floor = dense / self.arrays.fp.scan if engine.mode != "dense" else 0.0
        loads = dense * self.arrays.chunk / self.arrays.positions
        return np.maximum(slots * self.arrays.fp.slot_cycles, floor) + loads

    def soma(self, grid: tuple[int, int, int]) -> Floats:
        """Cycles [1, tile, 1] of the soma or gradient unit for a row of every channel tile."""
        starts = np.arange(0, grid[0], self.arrays.tile)
        widths = np.minimum(self.arrays.tile, grid[0] - starts)
        return (widths * grid[2] * self.steps / self.arrays.lanes)[None, :, None]


def _bp_cycles(
    sizes: _Sizes, du: Floats, need: Bools | None, live: Bools, engine: EngineConfig
) -> Floats:
    layer, arrays = sizes.layer, sizes.arrays
    (_, height, _), (b, tiles) = layer.in_shape, du.shape[1:3]
    if need is None:
        return np.zeros((b, tiles, height))
    wanted = _by_group(need, arrays.chunk).sum(axis=2, dtype=np.float64) / layer.groups
    if not _skips(engine, "outputs"):
        wanted = np.full_like(wanted, sizes.whole / (layer.kernel[0] * layer.kernel[1]))
    reached = _reaching(layer, du)
    if not _skips(engine, "gradients"):
        reached = np.full_like(reached, layer.kernel[0] * layer.kernel[1])
    slots = np.einsum("tbyx,tbkyx,tb->bky", wanted, reached, live)
    return sizes.streamed(slots, layer.in_shape, engine, live=True)


def _by_group(values: Bools, group: int) -> Bools:
    """Whether any of each ``group`` channels is set: [T, B, C, H, W] -> [T, B, C/group, H, W]."""
    missing = -values.shape[2] % group
    padded = np.pad(values, ((0, 0), (0, 0), (0, missing), (0, 0), (0, 0)))
    t, b, c, h, w = padded.shape
    return np.asarray(padded.reshape(t, b, c // group, group, h, w).any(axis=3))


def _skips(engine: EngineConfig, what: str) -> bool:
    return engine.mode != "dense" and bool(getattr(engine, f"skip_{what}"))


def _rounded(cycles: Floats) -> WorkCycles:
    return np.rint(cycles).astype(np.int64)


def _by_window(layer: Layer, values: Floats) -> Floats:
    """Sum over the kernel's window at every output position: [..., H, W] -> [..., E, F]."""
    py, px = layer.padding
    padded = np.pad(values, ((0, 0),) * (values.ndim - 2) + ((py, py), (px, px)))
    sums = _window_sums(padded, layer.kernel)
    (_, e, f), (sy, sx) = layer.product_shape, layer.stride
    return sums[..., : (e - 1) * sy + 1 : sy, : (f - 1) * sx + 1 : sx]


def _reaching(layer: Layer, du: Floats) -> Floats:
    """How many taps bring a set dU to every input position: [..., E, F] -> [..., H, W]."""
    (_, h, w), (r, s) = layer.in_shape, layer.kernel
    (sy, sx), (py, px) = layer.stride, layer.padding
    inserted = np.zeros((*du.shape[:-2], h + r - 1, w + s - 1))
    at = inserted[..., r - 1 - py :: sy, s - 1 - px :: sx]
    at[..., : du.shape[-2], : du.shape[-1]] = du
    return _window_sums(inserted, layer.kernel)


def _window_sums(values: Floats, kernel: tuple[int, int]) -> Floats:
    """Sums over all windows of a kernel's size, by integral images."""
    edge = ((0, 0),) * (values.ndim - 2) + ((1, 0), (1, 0))
    total = np.pad(values, edge).cumsum(axis=-2).cumsum(axis=-1)
    r, s = kernel
    ends = total[..., r:, s:] - total[..., :-r, s:] - total[..., r:, :-s] + total[..., :-r, :-s]
    return np.asarray(ends)

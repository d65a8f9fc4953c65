"""Measured work: a layer's cycles by sample, channel tile and row, from its recorded masks.

Cycles after skipping, counted from the recorded masks as slots are, but summed over chunks and
taps at once. To balance cuts, the overheads of a block (weight load, drain, soma) are spread over
its positions; ``streams`` are without them. Mode ``element`` is taken as ``vector``. The cycles of
a run are those of its tiles.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from math import prod

import numpy as np

from tlm.config.chip import ChipConfig
from tlm.config.core import EngineConfig
from tlm.counts.core_arrays import CoreArrays
from tlm.counts.layer_weights import LayerWeights
from tlm.placement.work_map import WorkMap
from tlm.space.array_types import Bools, Cells, Floats, Ints
from tlm.space.rounding import ceil_div
from tlm.workload.model import Layer


@dataclass(frozen=True, slots=True)
class LayerMasks:
    """What was recorded of one layer: masks of its inputs and gradients.

    ``inputs`` [T, B, C, H, W] are the non-zero ones, ``dY`` [T, B, K, E, F] the non-zero gradients
    at the product; ``need`` says which dX BP must compute, as ``inputs``, None without BP;
    ``live`` [T, B] which gradient slices are not skipped whole; ``once`` that FP multiplies the
    inputs of one step for all.
    """

    inputs: Bools
    dY: Bools
    need: Bools | None
    live: Bools
    once: bool


def measure_work(
    weights: LayerWeights, masks: LayerMasks, chip: ChipConfig, arrays: CoreArrays
) -> WorkMap:
    """The work of a layer from its masks, under the modes and policies of the chip's engines."""
    layer, engines, live = weights.layer, chip.core.engines, masks.live
    groups = [
        ceil_div(layer.in_shape[0], arrays.chunk),
        ceil_div(layer.product_channels, arrays.tile),
    ]
    taps = layer.kernel[0] * layer.kernel[1]
    # A tile of a grouped convolution meets only its own group of inputs: an even share of them.
    present = _by_group(masks.inputs, arrays.chunk).sum(axis=2, dtype=np.int32)
    arriving = _by_window(layer, present) / layer.groups
    dY = _by_group(masks.dY, arrays.tile)
    whole = ceil_div(groups[0] * taps, layer.groups)
    sizes = _Sizes(layer, arrays, len(live), whole, live.sum(axis=0))
    fp_slots = arriving if _skips(engines.fp, "spikes") else np.full_like(arriving, whole)
    wg_slots = arriving if _skips(engines.wg, "spikes") else np.full_like(arriving, whole)
    wg_dY = dY if _skips(engines.wg, "gradients") else np.ones_like(dY)
    wg = _met(wg_slots, wg_dY, live)
    steps = 1 if masks.once else len(live)
    fp = np.repeat(fp_slots[:steps].sum(axis=(0, 3))[:, None], groups[1], axis=1)
    grad = np.broadcast_to(sizes.soma(layer.product_shape), fp.shape)
    once = replace(sizes, steps=steps)
    stored = _stored_tiles(weights)
    streams = [
        once.streamed(fp, layer.product_shape, engines.fp) * stored,
        _bp_stream(sizes, dY, masks.need, live, engines.bp) * stored,
        sizes.streamed(wg, layer.product_shape, engines.wg, live=True) * stored,
    ]
    by_row = [
        streams[0] + once.loads(layer.product_shape) + grad,
        grad,
        streams[2] + sizes.loads(layer.product_shape, live=True),
        streams[0],
        streams[2],
    ]
    forward, unit, gradient, fp_stream, wg_stream = (
        _rounded(_on_neuron_rows(layer, cycles)) for cycles in by_row
    )
    loads = 0 if masks.need is None else sizes.loads(layer.in_shape, live=True)
    backward, bp_stream = _rounded(streams[1] + loads), _rounded(streams[1])
    streams_alone = (fp_stream, bp_stream, wg_stream)
    return WorkMap(arrays.tile, forward, unit, backward, gradient, streams_alone)


def work_of_units(layer: Layer, live: Bools, arrays: CoreArrays) -> WorkMap:
    """The work of a layer without a product: its currents pass the soma, its dI the unit of BP."""
    steps, batch = live.shape
    sizes = _Sizes(layer, arrays, steps, 0, live.sum(axis=0))
    unit = sizes.soma(layer.product_shape)
    unit = np.broadcast_to(unit, (batch, unit.shape[1], layer.product_shape[1]))
    none = np.zeros(unit.shape, np.int64)
    cycles = _rounded(_on_neuron_rows(layer, unit))
    return WorkMap(arrays.tile, cycles, cycles, none, none, (none, none, none))


def _stored_tiles(weights: LayerWeights) -> Floats:
    """The share of weight tiles that are stored, [tile, 1]: engines pass the others over.

    Of grouped convolutions, whose tiles end with their groups, that of all tiles together.
    """
    if weights.packed is None:
        return np.ones((1, 1))
    stored = weights.packed.values > 0
    if weights.layer.groups > 1:
        return np.full((1, 1), stored.mean())
    return np.asarray(stored.mean(axis=(1, 2))[:, None])


def _on_neuron_rows(layer: Layer, cycles: Floats) -> Floats:
    """Cycles by neuron row; where currents are pooled, rows are never cut: all on the first."""
    if layer.current_pool is None:
        return cycles
    on_first_row = np.zeros((*cycles.shape[:2], layer.out_shape[1]))
    on_first_row[..., 0] = cycles.sum(axis=2)
    return on_first_row


@dataclass(frozen=True, slots=True)
class _Sizes:
    """What turns slots into cycles: positions of a row, slots of a position, live steps [B]."""

    layer: Layer
    arrays: CoreArrays
    steps: int
    whole: int
    live: Ints

    def streamed(
        self, slots: Floats, grid: tuple[int, int, int], engine: EngineConfig, live: bool = False
    ) -> Floats:
        """Cycles [B, tile, rows] of executed slots: no fewer than the scan's."""
        floor = self._dense(grid, live) / self.arrays.fp.scan if engine.mode != "dense" else 0.0
        return np.maximum(slots * self.arrays.fp.slot_cycles, floor)

    def loads(self, grid: tuple[int, int, int], live: bool = False) -> Floats:
        """Cycles [B, 1, 1] of weight loads for a row of a tile: its share of those of a block."""
        return self._dense(grid, live) * self.arrays.chunk / self.arrays.positions

    def _dense(self, grid: tuple[int, int, int], live: bool) -> Floats:
        """All slots [B, 1, 1] of a row of a tile."""
        steps = self.live if live else np.full_like(self.live, self.steps)
        return (steps * grid[2] * self.whole)[:, None, None].astype(np.float64)

    def soma(self, grid: tuple[int, int, int]) -> Floats:
        """Cycles [1, tile, 1] of the soma or gradient unit for a row of every channel tile."""
        starts = np.arange(0, grid[0], self.arrays.tile)
        widths = np.minimum(self.arrays.tile, grid[0] - starts)
        return (widths * grid[2] * self.steps / self.arrays.lanes)[None, :, None]


def _bp_stream(
    sizes: _Sizes, dY: Bools, need: Bools | None, live: Bools, engine: EngineConfig
) -> Floats:
    layer, arrays = sizes.layer, sizes.arrays
    (_, height, _), (b, tiles) = layer.in_shape, dY.shape[1:3]
    if need is None:
        return np.zeros((b, tiles, height))
    needed = _by_group(need, arrays.chunk).sum(axis=2, dtype=np.int32) / layer.groups
    if not _skips(engine, "outputs"):
        needed = np.full_like(needed, sizes.whole / (layer.kernel[0] * layer.kernel[1]))
    reached = _reaching(layer, dY)
    if not _skips(engine, "gradients"):
        reached = np.full_like(reached, layer.kernel[0] * layer.kernel[1])
    slots = _met(needed, reached, live)
    return sizes.streamed(slots, layer.in_shape, engine, live=True)


def _met(slots: Floats, partners: Cells, live: Bools) -> Floats:
    """Slots [T, B, Y, X] times partners [T, B, tile, Y, X], [B, tile, Y] over live steps."""
    total = np.zeros(partners.shape[1:4])
    for each, tiles, alive in zip(slots, partners, live, strict=True):
        total += np.einsum("byx,bkyx->bky", each * alive[:, None, None], tiles.astype(np.float64))
    return total


def _by_group(values: Bools, group: int) -> Bools:
    """Whether any of each ``group`` channels is set: [T, B, C, H, W] -> [T, B, C/group, H, W]."""
    missing = -values.shape[2] % group
    if missing:
        values = np.pad(values, ((0, 0), (0, 0), (0, missing), (0, 0), (0, 0)))
    t, b, c, h, w = values.shape
    return np.asarray(values.reshape(t, b, c // group, group, h, w).any(axis=3))


def _skips(engine: EngineConfig, what: str) -> bool:
    return engine.mode != "dense" and bool(getattr(engine, f"skip_{what}"))


def _rounded(cycles: Floats) -> Ints:
    return np.rint(cycles).astype(np.int64)


def _by_window(layer: Layer, values: Cells) -> Cells:
    """Sum over the kernel's window at every output position: [..., H, W] -> [..., E, F]."""
    py, px = layer.padding
    padded = np.pad(values, ((0, 0),) * (values.ndim - 2) + ((py, py), (px, px)))
    sums = _window_sums(padded, layer)
    (_, e, f), (sy, sx) = layer.product_shape, layer.stride
    return sums[..., : (e - 1) * sy + 1 : sy, : (f - 1) * sx + 1 : sx]


def _reaching(layer: Layer, dY: Bools) -> Cells:
    """How many taps bring a set dY to every input position: [..., E, F] -> [..., H, W]."""
    (_, h, w), (r, s) = layer.in_shape, layer.extent
    (sy, sx), (py, px) = layer.stride, layer.padding
    # Outputs of the padding alone reach no input: they lie in a margin that is cut off again.
    y, x = max(0, py - r + 1), max(0, px - s + 1)
    shape = (*dY.shape[:-2], h + r - 1 + 2 * y, w + s - 1 + 2 * x)
    inserted = np.zeros(shape, np.min_scalar_type(prod(layer.kernel)))
    at = inserted[..., y + r - 1 - py :: sy, x + s - 1 - px :: sx]
    at[..., : dY.shape[-2], : dY.shape[-1]] = dY
    return _window_sums(inserted[..., y : y + h + r - 1, x : x + w + s - 1], layer)


def _window_sums(values: Cells, layer: Layer) -> Cells:
    """Sums over all windows of the kernel's taps, rows first."""
    down, across = (
        [slice(first, first + size - reach + 1) for first in range(0, reach, step)]
        for size, reach, step in zip(values.shape[-2:], layer.extent, layer.dilation, strict=True)
    )
    rows = reduce(np.add, [values[..., tap, :] for tap in down])
    return reduce(np.add, [rows[..., tap] for tap in across])

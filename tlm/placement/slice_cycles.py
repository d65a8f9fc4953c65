"""Cycles of a layer's slices on their engines: recorded streams, and what every block adds to them.

A block loads (WG: drains) each of its weight tiles once, drains its sums through the lanes of the
soma unit, and fills the pipeline once a panel; small blocks are mostly this. Held outputs or inputs
are taken as held weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tlm.config.chip import ChipConfig
from tlm.counts.blocks import block_shape, block_sizes
from tlm.counts.core_arrays import CoreArrays
from tlm.placement.profile import Profile
from tlm.placement.slice_bits import dY_bits, input_bits
from tlm.space.array_types import Floats
from tlm.space.geometry import product_rows
from tlm.space.grid import Grid
from tlm.space.layer_cut import LayerStores
from tlm.space.region import Slice, length
from tlm.space.rounding import ceil_div


@dataclass(frozen=True, slots=True)
class SliceCycles:
    """Cycles [slice] by phase, of all samples.

    ``norm`` and ``norm_grad`` are the second walks behind batch statistics; ``fp_samples`` and
    ``grad_samples`` [slice] are how many samples FP, and the gradient unit, finish at a time.
    """

    fp: Floats
    norm: Floats
    grad: Floats
    norm_grad: Floats
    bp: Floats
    wg: Floats
    fp_samples: list[int]
    grad_samples: list[int]


def slice_cycles(
    profile: Profile, grid: Grid, stores: LayerStores, chip: ChipConfig, arrays: CoreArrays
) -> SliceCycles:
    """The cycles of every slice of a grid, in the order of its cores."""
    parts = grid.slices()
    layer, waits = profile.layer, profile.waits_for_batch
    streams = profile.work.by_slice(grid)
    products = np.array([_products(profile, part) for part in parts]) / arrays.lanes
    neurons = np.array([part.neurons.size for part in parts], np.float64)
    neurons *= layer.out_shape[2] * profile.steps / arrays.lanes
    grad_samples = [_gradient_samples(profile, part, stores, chip) for part in parts]
    units = zip(parts, grad_samples, strict=True)
    grads = arrays.depth * np.array([ceil_div(_samples(part), each) for part, each in units])
    units = zip(parts, grad_samples, strict=True)
    return SliceCycles(
        fp=streams[0] + products + [_forward_blocks(profile, part, chip, arrays) for part in parts],
        norm=(products + arrays.depth) * waits,
        grad=neurons + grads,
        norm_grad=(products + grads) * waits,
        bp=streams[1] + [_backward_blocks(profile, part, each, arrays) for part, each in units],
        wg=streams[2] + [
            _gradient_blocks(profile, part, (stores, chip, arrays)) for part in parts
        ],
        fp_samples=[_forward_block(profile, part, chip, arrays) for part in parts],
        grad_samples=grad_samples,
    )  # fmt: skip


def _samples(part: Slice) -> int:
    return length(part.neurons.samples)


def _products(profile: Profile, part: Slice) -> int:
    """Products of a slice, all steps."""
    rows = length(product_rows(profile.layer, part.neurons.rows))
    plane = rows * profile.layer.product_shape[2]
    return length(part.neurons.channels) * _samples(part) * plane * profile.steps


def _tiles(profile: Profile, part: Slice, arrays: CoreArrays) -> tuple[int, int]:
    """Tiles of a slice's outputs, and weight tiles of each of them."""
    taps = profile.layer.kernel[0] * profile.layer.kernel[1]
    each = ceil_div(ceil_div(profile.layer.in_shape[0], arrays.chunk) * taps, profile.layer.groups)
    return ceil_div(length(part.neurons.channels), arrays.tile), each


def _loads(profile: Profile, part: Slice, arrays: CoreArrays, engine: str) -> int:
    """Cycles in which an engine loads (WG: drains) every weight tile of a slice once."""
    packed = profile.weights.packed
    if packed is not None:
        return packed.load_cycles(engine, part.neurons.channels)
    tiles, each = _tiles(profile, part, arrays)
    return tiles * each * (arrays.tile if engine == "bp" else arrays.chunk)


def _together(part: Slice, chip: ChipConfig) -> int:
    """Samples of a slice that pass a layer together: those of a group of the schedule."""
    mapping, samples = chip.mapping, _samples(part)
    return min(samples, mapping.group) if mapping.schedule == "pipelined" else samples


def _in_groups(samples: int, together: int) -> list[tuple[int, int]]:
    """(samples of a group, how many such groups)."""
    sizes = [(together, samples // together), (samples % together, 1)]
    return [(size, times) for size, times in sizes if size]


def _forward_steps(profile: Profile, chip: ChipConfig) -> int:
    """Time steps that FP walks together."""
    return 1 if chip.mapping.schedule == "wavefront" else profile.walked_steps


def _forward_blocks(profile: Profile, part: Slice, chip: ChipConfig, arrays: CoreArrays) -> int:
    """Cycles of FP's weight loads and drains."""
    tiles, _ = _tiles(profile, part, arrays)
    rows = length(product_rows(profile.layer, part.neurons.rows))
    width, steps = profile.layer.product_shape[2], _forward_steps(profile, chip)
    count = sum(
        times * blocks
        for samples, times in _in_groups(_samples(part), _together(part, chip))
        for _, blocks in block_sizes(samples, rows, steps, width, arrays.positions)
    )
    walks = profile.walked_steps // steps
    return walks * count * (_loads(profile, part, arrays, "fp") + tiles * arrays.depth)


def _forward_block(profile: Profile, part: Slice, chip: ChipConfig, arrays: CoreArrays) -> int:
    """Samples of a block of FP."""
    rows = length(product_rows(profile.layer, part.neurons.rows))
    width, together = profile.layer.product_shape[2], _together(part, chip)
    steps = _forward_steps(profile, chip)
    return min(together, block_shape(together, rows, steps, width, arrays.positions)[0])


def _gradient_samples(profile: Profile, part: Slice, stores: LayerStores, chip: ChipConfig) -> int:
    """Samples whose dY the unit makes in one go: what half of the room for dY holds."""
    if stores.dY == "dram":
        values = _products(profile, part) // _samples(part) * chip.precision.gradient
    else:
        values = dY_bits(profile.layer, profile.steps, part, chip)
    each = stores.dY_room // 2 // max(1, values)
    return min(_together(part, chip), max(1, each))


def _backward_blocks(profile: Profile, part: Slice, together: int, arrays: CoreArrays) -> float:
    """Cycles of BP's weight loads and drains; ``together`` samples are walked at a time."""
    rows, (channels, _, width) = length(part.input_rows), profile.layer.in_shape
    if not profile.has_bp or not rows:
        return 0
    count: float = sum(
        times * blocks
        for samples, times in _in_groups(_samples(part), together)
        for _, blocks in block_sizes(samples, rows, profile.steps, width, arrays.positions)
    )
    panels = ceil_div(channels, arrays.chunk)
    most = block_shape(together, rows, profile.steps, width, arrays.positions)[0]
    count *= profile.live_blocks(part.neurons.samples, min(together, most))
    return count * (_loads(profile, part, arrays, "bp") + panels * arrays.depth)


def _gradient_blocks(
    profile: Profile, part: Slice, place: tuple[LayerStores, ChipConfig, CoreArrays]
) -> float:
    """Cycles of WG's drains of dW."""
    arrays = place[2]
    tiles, _ = _tiles(profile, part, arrays)
    drains = _loads(profile, part, arrays, "wg") + tiles * arrays.depth
    return gradient_pieces(profile, part, place) * drains


def gradient_pieces(
    profile: Profile, part: Slice, place: tuple[LayerStores, ChipConfig, CoreArrays]
) -> float:
    """Pieces of samples and rows that WG walks, those alone in which some gradient is not skipped.

    The samples whose dY is in the core together are walked at a time.
    """
    stores, chip, _ = place
    together = _gradient_samples(profile, part, stores, chip)
    if stores.dY == "dram":
        together = _together(part, chip)
    pieces = sum(
        times * _pieces(profile, part, samples, place)
        for samples, times in _in_groups(_samples(part), together)
    )
    return profile.live_blocks(part.neurons.samples, together) * pieces


def _pieces(
    profile: Profile, part: Slice, samples: int, place: tuple[LayerStores, ChipConfig, CoreArrays]
) -> int:
    """Pieces of samples and rows that WG walks, as their inputs fill half of its spike memory."""
    stores, chip, arrays = place
    rows = length(product_rows(profile.layer, part.neurons.rows))
    room = chip.core.memory.spikes * 3 // 4
    sample = input_bits(profile.layer, part, 1, profile.input_steps, profile.read_bits)
    line = 0
    if stores.dY == "dram":
        line = profile.layer.product_shape[2] * profile.steps * arrays.tile
        line *= chip.precision.gradient
    gradients = chip.core.memory.gradients // 8
    if sample <= room and line * rows <= gradients:
        most = min(room // 2 // max(1, sample), gradients // 2 // max(1, line * rows or 1))
        return ceil_div(samples, max(1, most))
    most = min(room // 2 * rows // sample, gradients // 2 // max(1, line))
    return samples * ceil_div(rows, max(1, most))

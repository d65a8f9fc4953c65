"""Cycles of a layer's slices on their engines: recorded streams, and what every block adds to them.

A block loads (WG: drains) each of its weight tiles once, drains its sums through the lanes of the
soma unit, and fills the pipeline once a panel; small blocks are mostly this. Held outputs or inputs
are taken as held weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tlm.counts.blocks import block_shape
from tlm.placement.laid_layer import LaidLayer
from tlm.space.array_types import Floats, Ints
from tlm.space.rounding import ceil_div, ceil_each


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
    fp_samples: Ints
    grad_samples: Ints


def slice_cycles(laid: LaidLayer) -> SliceCycles:
    """The cycles of every slice."""
    profile, slices, arrays = laid.profile, laid.slices, laid.target.arrays
    layer, waits = profile.layer, profile.waits_for_batch
    fp, bp, wg = profile.work.by_slice(slices)
    products = _products(laid) / arrays.lanes
    neurons = slices.neurons * (layer.out_shape[2] * profile.steps / arrays.lanes)
    grad_samples = _gradient_samples(laid)
    grads = arrays.depth * ceil_each(slices.samples, grad_samples)
    return SliceCycles(
        fp=fp + products + _forward_blocks(laid),
        norm=(products + arrays.depth) * waits,
        grad=np.asarray(neurons + grads),
        norm_grad=(products + grads) * waits,
        bp=bp + _backward_blocks(laid, grad_samples),
        wg=wg + _gradient_blocks(laid),
        fp_samples=_forward_samples(laid),
        grad_samples=grad_samples,
    )


def _products(laid: LaidLayer) -> Ints:
    """Products of every slice, all steps."""
    profile, slices = laid.profile, laid.slices
    plane = laid.product_rows * profile.layer.product_shape[2]
    return slices.channels * slices.samples * plane * profile.steps


def _tiles(laid: LaidLayer) -> Ints:
    """Tiles of the outputs of every slice."""
    return ceil_each(laid.slices.channels, laid.target.arrays.tile)


def _loads(laid: LaidLayer, engine: str) -> Ints:
    """Cycles in which an engine loads (WG: drains) every weight tile of a slice once."""
    if not laid.profile.layer.multiplies:
        return np.zeros_like(laid.slices.channels)
    profile, slices, arrays = laid.profile, laid.slices, laid.target.arrays
    packed = profile.weights.packed
    if packed is not None:
        return slices.by_channels(lambda channels: packed.load_cycles(engine, channels))
    layer = profile.layer
    taps = layer.kernel[0] * layer.kernel[1]
    each = ceil_div(ceil_div(layer.in_shape[0], arrays.chunk) * taps, layer.groups)
    cycles = arrays.tile if engine == "bp" else arrays.chunk
    return _tiles(laid) * (each * cycles)


def _together(laid: LaidLayer) -> Ints:
    """Samples of a slice that pass a layer together: those of a group, of a matmul one."""
    mapping, samples = laid.target.chip.mapping, laid.slices.samples
    if laid.profile.layer.held is not None:
        return np.ones_like(samples)
    return np.minimum(samples, mapping.group) if mapping.schedule == "pipelined" else samples


def _forward_plane(laid: LaidLayer) -> tuple[int, int]:
    """Time steps that FP walks together, and columns of a row."""
    profile, schedule = laid.profile, laid.target.chip.mapping.schedule
    apart = schedule == "wavefront" or profile.layer.held is not None
    steps = 1 if apart else profile.walked_steps
    return steps, profile.layer.product_shape[2]


def block_counts(
    samples: Ints, lines: Ints, plane: tuple[int, int], positions: int
) -> tuple[Ints, Ints]:
    """How many blocks hold ``samples`` of ``lines`` [slice] rows, and samples of a full block.

    ``plane`` are the steps and the columns of a row; see :mod:`tlm.counts.blocks`.
    """
    steps, width = plane
    sizes, at = np.unique(lines, return_inverse=True)
    shapes = [block_shape(1, rows, steps, width, positions) for rows in sizes.tolist()]
    by_sample, by_row, by_step = np.array(shapes).T
    blocks = ceil_each(sizes, by_row) * ceil_each(np.full_like(by_step, steps), by_step)
    return ceil_each(samples, by_sample[at]) * blocks[at], by_sample[at]


def _forward_blocks(laid: LaidLayer) -> Ints:
    """Cycles of FP's weight loads and drains."""
    plane = _forward_plane(laid)
    count = _grouped_blocks(laid, _together(laid), laid.product_rows, plane)
    drains = _tiles(laid) * laid.target.arrays.depth
    return laid.profile.walked_steps // plane[0] * count * (_loads(laid, "fp") + drains)


def _grouped_blocks(laid: LaidLayer, together: Ints, rows: Ints, plane: tuple[int, int]) -> Ints:
    """Blocks of the samples of every slice if they are walked ``together`` at a time."""
    samples, positions = laid.slices.samples, laid.target.arrays.positions
    whole, _ = block_counts(together, rows, plane, positions)
    rest, _ = block_counts(samples % together, rows, plane, positions)
    return samples // together * whole + rest


def _forward_samples(laid: LaidLayer) -> Ints:
    """Samples of a block of FP."""
    together, positions = _together(laid), laid.target.arrays.positions
    _, most = block_counts(together, laid.product_rows, _forward_plane(laid), positions)
    return np.asarray(np.minimum(together, most))


def _gradient_samples(laid: LaidLayer) -> Ints:
    """Samples whose dY the unit makes in one go: what half of the room for dY holds."""
    own = _products(laid) // laid.slices.samples * laid.target.chip.precision.gradient
    held = np.where(laid.flags(lambda kept: kept.dY == "dram"), own, laid.sample_gradients)
    room = laid.slices.each([kept.dY_room // 2 for kept in laid.stores])
    each = room // np.maximum(1, held)
    return np.asarray(np.minimum(_together(laid), np.maximum(1, each)))


def _backward_blocks(laid: LaidLayer, together: Ints) -> Floats:
    """Cycles of BP's weight loads and drains; ``together`` samples are walked at a time."""
    profile, rows, arrays = laid.profile, laid.slices.input_rows, laid.target.arrays
    if not profile.has_bp or not rows.any():
        return np.zeros(len(rows))
    channels, _, width = profile.layer.in_shape
    steps = 1 if profile.layer.held is not None else profile.steps
    plane = (steps, width)
    _, most = block_counts(together, rows, plane, arrays.positions)
    count = _grouped_blocks(laid, together, rows, plane) * laid.live(np.minimum(together, most))
    count *= profile.steps // steps
    panels = ceil_div(channels, arrays.chunk)
    loads = _loads(laid, "bp") + panels * arrays.depth
    return np.asarray((rows > 0) * count * loads)


def _gradient_blocks(laid: LaidLayer) -> Floats:
    """Cycles of WG's drains of dW."""
    drains = _loads(laid, "wg") + _tiles(laid) * laid.target.arrays.depth
    drains = drains * laid.profile.layer.multiplies
    return gradient_pieces(laid) * drains


def gradient_pieces(laid: LaidLayer) -> Floats:
    """Pieces of samples and rows that WG walks, those alone in which some gradient is not skipped.

    The samples whose dY is in the core together are walked at a time; of a matmul every step apart.
    """
    through = laid.flags(lambda kept: kept.dY == "dram")
    together = np.where(through, _together(laid), _gradient_samples(laid))
    samples = laid.slices.samples
    pieces = samples // together * _pieces(laid, together) + _pieces(laid, samples % together)
    if laid.profile.layer.held is not None:
        pieces = pieces * laid.profile.steps
    return np.asarray(laid.live(together) * pieces)


def _pieces(laid: LaidLayer, samples: Ints) -> Ints:
    """Pieces of samples and rows that WG walks, as their inputs fill half of its spike memory."""
    profile, chip, tile = laid.profile, laid.target.chip, laid.target.arrays.tile
    rows, room = laid.product_rows, chip.core.memory.spikes * 3 // 4
    line = profile.layer.product_shape[2] * profile.steps * tile * chip.precision.gradient
    lines = line * laid.flags(lambda kept: kept.dY == "dram")
    gradients = chip.core.memory.gradients // 8
    half, input_half, sample = gradients // 2, room // 2, np.maximum(1, laid.sample_inputs)
    at_once = np.minimum(input_half // sample, half // np.maximum(1, lines * rows))
    rows_at_once = np.minimum(input_half * rows // sample, half // np.maximum(1, lines))
    return np.where(
        (sample <= room) & (lines * rows <= gradients),
        ceil_each(samples, np.maximum(1, at_once)),
        samples * ceil_each(rows, np.maximum(1, rows_at_once)),
    )

"""What a layer asks of the chip, counted from shapes and masks without tiles.

The invariants hold the work done against it.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from tlm.config.core import BackwardGrid
from tlm.laws.due.masks import entering, needed
from tlm.laws.due.units import require_loss_units, require_units
from tlm.space.array_types import Bools, Ints
from tlm.space.phase import BATCH, Phase
from tlm.space.program import Program
from tlm.storage.plan import LayerPlan, Plan
from tlm.workload.model import Layer


def require(plan: Plan, layer_plan: LayerPlan, program: Program) -> None:
    """Due result elements and useful operations of one layer, counted without tiles."""
    index, layer, (_, h, w) = layer_plan.layer.index, layer_plan.layer, layer_plan.layer.in_shape
    products, depth = prod(layer.product_shape), layer.weight_shape[1]
    pairs = [(b, t) for b in range(plan.workload.batch) for t in range(plan.steps)]
    live = [(b, t) for b, t in pairs if layer_plan.live[t, b]]
    again = layer_plan.state == "recompute" and not layer_plan.exact and layer.neuron is not None
    due = {
        Phase.FP: dict.fromkeys(pairs, products),
        Phase.NORM: dict.fromkeys(pairs, products) if layer_plan.exact else {},
        Phase.GRAD: dict.fromkeys(pairs, prod(layer.out_shape)),
        Phase.NORM_GRAD: dict.fromkeys(pairs, products) if layer_plan.exact else {},
        Phase.RECOMPUTE: dict.fromkeys(pairs, products) if again else {},
        Phase.WG: dict.fromkeys(live, products * depth),
        Phase.BP: dict.fromkeys(live, layer.out_shape[0] * depth * h * w)
        if layer_plan.producers
        else {},
        Phase.UPDATE: {(BATCH, BATCH): prod(layer.weight_shape)},
    }
    program.required |= {(phase, index): pairs for phase, pairs in due.items() if pairs}
    inputs, gradients = entering(layer_plan), layer_plan.dY
    useful = program.expected_useful
    useful[Phase.FP, index] = useful_pairs(layer, np.ones_like(gradients), inputs)
    useful[Phase.WG, index] = useful_pairs(layer, gradients, inputs)
    if again:
        useful[Phase.RECOMPUTE, index] = useful[Phase.FP, index]
    if layer_plan.producers:
        useful[Phase.BP, index] = useful_pairs(layer, gradients, needed(layer_plan))
    for phase, dense in _dense(plan, layer_plan):
        if (phase, index) in useful:
            program.expected_dense[phase, index] = dense * len(pairs)
    # Every weight's partial sum goes to its owner from all replicas but itself.
    sums = prod(layer.weight_shape) * (layer_plan.split.batch * layer_plan.split.spatial - 1)
    program.expected_messages[Phase.REDUCE, index] = sums * plan.chip.precision.partial_sum // 8
    require_units(plan, layer_plan, again, program)


def _dense(plan: Plan, layer_plan: LayerPlan) -> Iterator[tuple[Phase, int]]:
    """All multiply-accumulates of a (sample, step), padding and inserted zeros included."""
    layer, engines = layer_plan.layer, plan.chip.core.engines
    (_, e, f), (sy, sx) = layer.product_shape, layer.stride
    every = prod(layer.weight_shape)
    yield Phase.FP, every * e * f
    yield Phase.RECOMPUTE, every * e * f
    yield Phase.WG, every * e * f * (sy * sx if engines.wg.grid == "inserted" else 1)
    yield Phase.BP, prod(layer.weight_shape[:2]) * _taps_met(layer, engines.bp.grid)


def _taps_met(layer: Layer, grid: BackwardGrid) -> int:
    """(Kernel tap, input position) pairs that BP visits: all, or those on an output's stride."""
    found = 1
    for size, kernel, stride, pad in zip(
        layer.in_shape[1:], layer.kernel, layer.stride, layer.padding, strict=True
    ):
        every = stride if grid == "compacted" else 1
        found *= sum((at + pad - tap) % every == 0 for at in range(size) for tap in range(kernel))
    return found


def require_loss(plan: Plan, program: Program) -> None:
    """Due results of the loss."""
    require_loss_units(plan, program)
    last = plan.layers[-1].layer
    program.required[Phase.LOSS, last.index] = {
        (b, t): prod(last.pooled_shape)
        for b in range(plan.workload.batch)
        for t in range(plan.steps)
    }


def useful_pairs(layer: Layer, outputs: Bools, inputs: Bools) -> int:
    """Pairs of a set output and a set input joined by a kernel tap, by integral images.

    An independent popcount: each output sees the sum of the inputs under its kernel window, which
    four corners of a cumulative sum give. ``outputs`` [T, B, K, E, F], ``inputs`` [T, B, C, H, W];
    only channels of one group are joined.
    """
    (r, s), (sy, sx), (py, px) = layer.kernel, layer.stride, layer.padding
    e, f = layer.product_shape[1:]
    planes = _by_group(inputs, layer.groups)
    summed = np.pad(planes, ((0, 0),) * 3 + ((py + 1, py), (px + 1, px)))
    summed = summed.cumsum(axis=3).cumsum(axis=4)
    top, left = np.arange(e) * sy, np.arange(f) * sx
    low, high = summed[:, :, :, top], summed[:, :, :, top + r]
    windows = high[..., left + s] - high[..., left] - low[..., left + s] + low[..., left]
    return int((windows * _by_group(outputs, layer.groups)).sum())


def _by_group(values: Bools, groups: int) -> Ints:
    """How many channels of each group are set, [T, B, group, Y, X]."""
    t, b, _, y, x = values.shape
    split = values.reshape(t, b, groups, -1, y, x)
    return np.asarray(split.sum(axis=3, dtype=np.int64))

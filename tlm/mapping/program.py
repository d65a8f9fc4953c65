"""From plan to programs: what every engine of every core does, in order, for one mini-batch."""

from __future__ import annotations

from math import prod

import numpy as np

from tlm.mapping.backward import build_backward
from tlm.mapping.builder import Builder
from tlm.mapping.counts import Bools, Ints
from tlm.mapping.forward import build_forward
from tlm.mapping.gradient import build_loss
from tlm.mapping.plan import LayerPlan, Plan
from tlm.mapping.streams import Streams
from tlm.mapping.update import build_reduction, build_update, guard_old_weights
from tlm.mapping.weight_gradient import build_weight_gradient
from tlm.task import BATCH, ENGINES, Completions, Phase, Program, Tile
from tlm.workload.model import Layer


def build_program(plan: Plan) -> Program:
    """Programs of schedule ``layerwise``: FP layer by layer, then BP and WG from the last back.

    Engines run on their own and wait only for what they need, so layers overlap where data allow.
    An update follows WG of the layer below, so that its reduction travels meanwhile.
    """
    tiles: list[dict[str, list[Tile]]] = [
        {engine: [] for engine in ENGINES} for _ in range(plan.chip.cores)
    ]
    program = Program(tiles, Completions(), {}, {})
    builder = Builder(plan, program, Streams(plan))
    layers = plan.layers
    for lp in layers:
        build_forward(builder, lp)
    build_loss(builder, layers[-1])
    for lp in reversed(layers):
        build_backward(builder, lp)
    turns: dict[int, int] = {}
    for lp in reversed(layers):
        build_weight_gradient(builder, lp, turns)
        build_reduction(builder, lp)
        if lp is not layers[-1]:
            build_update(builder, layers[lp.layer.index + 1])
    build_update(builder, layers[0])
    for lp in layers:
        guard_old_weights(builder, lp)
        _require(plan, lp, program)
    _require_loss(plan, program)
    return program


def _require(plan: Plan, lp: LayerPlan, program: Program) -> None:
    """Due result elements and useful operations of one layer, counted without tiles."""
    index, layer, (_, h, w) = lp.layer.index, lp.layer, lp.layer.in_shape
    products, depth = prod(layer.product_shape), layer.weight_shape[1]
    pairs = [(b, t) for b in range(plan.workload.batch) for t in range(plan.steps)]
    live = [(b, t) for b, t in pairs if lp.live[t, b]]
    again = lp.state == "recompute" and not lp.exact and layer.neuron is not None
    due = {
        Phase.FP: dict.fromkeys(pairs, products),
        Phase.NORM: dict.fromkeys(pairs, products) if lp.exact else {},
        Phase.GRAD: dict.fromkeys(pairs, prod(layer.out_shape)),
        Phase.NORM_GRAD: dict.fromkeys(pairs, products) if lp.exact else {},
        Phase.RECOMPUTE: dict.fromkeys(pairs, products) if again else {},
        Phase.WG: dict.fromkeys(live, products * depth),
        Phase.BP: dict.fromkeys(live, layer.out_shape[0] * depth * h * w) if lp.producers else {},
        Phase.UPDATE: {(BATCH, BATCH): prod(layer.weight_shape)},
    }
    program.required |= {(phase, index): pairs for phase, pairs in due.items() if pairs}
    inputs, gradients = lp.masks.inputs(index), lp.output_gradients
    useful = program.expected_useful
    useful[Phase.FP, index] = useful_pairs(layer, np.ones_like(gradients), inputs)
    useful[Phase.WG, index] = useful_pairs(layer, gradients, inputs)
    if again:
        useful[Phase.RECOMPUTE, index] = useful[Phase.FP, index]
    if lp.producers:
        useful[Phase.BP, index] = useful_pairs(layer, gradients, lp.masks.input_need(index))


def _require_loss(plan: Plan, program: Program) -> None:
    last = plan.layers[-1].layer
    program.required[Phase.LOSS, last.index] = {
        (b, t): last.out_shape[0] for b in range(plan.workload.batch) for t in range(plan.steps)
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

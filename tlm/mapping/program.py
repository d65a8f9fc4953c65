"""From plan to programs: what every engine of every core does, in order, for one mini-batch."""

from __future__ import annotations

import numpy as np

from tlm.mapping.backward import build_backward, build_loss
from tlm.mapping.builder import Builder
from tlm.mapping.counts import Bools
from tlm.mapping.forward import build_forward
from tlm.mapping.plan import LayerPlan, Plan
from tlm.mapping.weight_gradient import (
    build_reduction,
    build_update,
    build_weight_gradient,
    guard_old_weights,
)
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
    builder = Builder(plan, program)
    layers = plan.layers
    for lp in layers:
        after = layers[lp.layer.index + 1] if lp is not layers[-1] else None
        build_forward(builder, lp, after)
    build_loss(builder, layers[-1])
    for lp in reversed(layers):
        before = layers[lp.layer.index - 1] if lp.layer.index else None
        sources = 1 if lp is layers[-1] else layers[lp.layer.index + 1].split.k
        build_backward(builder, lp, before, sources)
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
    index, (k, e, f), (c, h, w) = lp.layer.index, lp.layer.out_shape, lp.layer.in_shape
    batch, steps = plan.workload.batch, plan.steps
    every = {(b, t): k * e * f for b in range(batch) for t in range(steps)}
    live = {pair: n for pair, n in every.items() if lp.live[pair[1], pair[0]]}
    program.required[Phase.FP, index] = every
    program.required[Phase.GRAD, index] = every
    program.required[Phase.WG, index] = live
    weights = k * c * lp.layer.kernel[0] * lp.layer.kernel[1]
    program.required[Phase.UPDATE, index] = {(BATCH, BATCH): weights}
    ones = np.ones(lp.gradients.shape, dtype=np.bool_)
    program.expected_useful[Phase.FP, index] = useful_pairs(lp.layer, ones, lp.inputs)
    program.expected_useful[Phase.WG, index] = useful_pairs(lp.layer, lp.gradients, lp.inputs)
    if index:
        program.required[Phase.BP, index] = dict.fromkeys(live, k * c * h * w)
        need = plan.layers[index - 1].need.reshape(lp.inputs.shape)
        program.expected_useful[Phase.BP, index] = useful_pairs(lp.layer, lp.gradients, need)


def _require_loss(plan: Plan, program: Program) -> None:
    last = plan.layers[-1].layer
    program.required[Phase.LOSS, last.index] = {
        (b, t): last.out_shape[0] for b in range(plan.workload.batch) for t in range(plan.steps)
    }


def useful_pairs(layer: Layer, outputs: Bools, inputs: Bools) -> int:
    """Pairs of a set output and a set input joined by a kernel tap, by integral images.

    An independent popcount: each output sees the sum of the inputs under its kernel window, which
    four corners of a cumulative sum give. ``outputs`` [T, B, K, E, F], ``inputs`` [T, B, C, H, W].
    """
    (r, s), (sy, sx), (py, px) = layer.kernel, layer.stride, layer.padding
    e, f = layer.out_shape[1:]
    planes = inputs.sum(axis=2, dtype=np.int64)
    summed = np.pad(planes, ((0, 0), (0, 0), (py + 1, py), (px + 1, px)))
    summed = summed.cumsum(axis=2).cumsum(axis=3)
    top, left = np.arange(e) * sy, np.arange(f) * sx
    low, high = summed[:, :, top], summed[:, :, top + r]
    windows = high[..., left + s] - high[..., left] - low[..., left + s] + low[..., left]
    return int((windows * outputs.sum(axis=2, dtype=np.int64)).sum())

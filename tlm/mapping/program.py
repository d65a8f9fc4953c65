"""From plan to programs: what every engine of every core does, in order, for one mini-batch."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from tlm.mapping.backward import build_backward
from tlm.mapping.builder import Builder
from tlm.mapping.counts import Bools, Ints
from tlm.mapping.forward import build_forward
from tlm.mapping.gradient import build_loss
from tlm.mapping.plan import LayerPlan, Plan
from tlm.mapping.region import Span
from tlm.mapping.streams import Streams
from tlm.mapping.update import build_reduction, build_update, guard_old_weights
from tlm.mapping.weight_gradient import build_weight_gradient
from tlm.task import BATCH, ENGINES, Completions, Phase, Program, Tile
from tlm.workload.model import Layer


def build_program(plan: Plan) -> Program:
    """Programs of the plan's schedule: by groups of samples, FP down the layers, BP and WG up.

    Engines run on their own and wait only for what they need, so layers overlap where data allow.
    FP of a group is put before BP of the group before, because U made again for BP goes through
    the FP engine. An update follows WG of the layer below, so that its reduction travels meanwhile.
    """
    tiles: list[dict[str, list[Tile]]] = [
        {engine: [] for engine in ENGINES} for _ in range(plan.chip.cores)
    ]
    program = Program(tiles, Completions(), {}, {})
    builder = Builder(plan, program, Streams(plan))
    turns: dict[int, int] = {}
    groups = range(len(plan.schedule.groups))
    ahead = min(1, plan.schedule.in_flight - 1)
    for group in range(groups[-1] + ahead + 1):
        if group in groups:
            _forward(builder, group)
        if group - ahead in groups:
            _backward(builder, group - ahead, turns)
    build_update(builder, plan.layers[0])
    for lp in plan.layers:
        guard_old_weights(builder, lp)
        _require(plan, lp, program)
    _require_loss(plan, program)
    return program


def _forward(builder: Builder, group: int) -> None:
    """FP of a group, layer by layer; it waits until an earlier group has left the chip."""
    plan = builder.plan
    starts = [len(engines["fp"]) for engines in builder.program.tiles]
    for lp, steps in _forward_order(plan):
        build_forward(builder, lp, plan.schedule.parts(lp.slices, group), steps)
    before = group - plan.schedule.in_flight
    if before >= 0:
        gone = builder.done.ident("samples done", "group", before)
        for start, engines in zip(starts, builder.program.tiles, strict=True):
            if start < len(engines["fp"]):
                engines["fp"][start].needs += (gone,)
                engines["fp"][start].read_needs += (gone,)


def _forward_order(plan: Plan) -> Iterator[tuple[LayerPlan, Span]]:
    """Layers and their time steps in the order of FP: layer by layer, or as a wavefront.

    In a wavefront, layer and step of one wave add up to the same; what a layer needs of its
    sources and of its own step before is of earlier waves.
    """
    if not plan.schedule.by_step:
        for lp in plan.layers:
            yield lp, (0, plan.steps)
        return
    depths: list[int] = []
    for lp in plan.layers:
        depths.append(1 + max((depths[one.layer.index] for one in lp.producers), default=-1))
    for wave in range(max(depths) + plan.steps):
        for lp, depth in zip(plan.layers, depths, strict=True):
            if 0 <= wave - depth < plan.steps:
                yield lp, (wave - depth, wave - depth + 1)


def _backward(builder: Builder, group: int, turns: dict[int, int]) -> None:
    """Loss, BP and WG of a group; with the last one, reductions and updates."""
    plan = builder.plan
    layers, schedule = plan.layers, plan.schedule
    starts = [{name: len(engines[name]) for name in engines} for engines in builder.program.tiles]
    build_loss(builder, layers[-1], schedule.groups[group])
    for lp in reversed(layers):
        build_backward(builder, lp, schedule.parts(lp.slices, group))
    last = group == len(schedule.groups) - 1
    for lp in reversed(layers):
        build_weight_gradient(builder, lp, schedule.parts(lp.slices, group), turns)
        if last:
            build_reduction(builder, lp)
            if lp is not layers[-1]:
                build_update(builder, layers[lp.layer.index + 1])
    if group + schedule.in_flight < len(schedule.groups):
        _let_go(builder, group, starts)


def _let_go(builder: Builder, group: int, starts: list[dict[str, int]]) -> None:
    """Say that a group has left the chip: the last BP and WG tiles of every core are done.

    As for old weights, the release costs nothing on the mesh (assumed).
    """
    gone = builder.done.ident("samples done", "group", group)
    for start, engines in zip(starts, builder.program.tiles, strict=True):
        for name in ("bp", "wg"):
            if len(engines[name]) > start[name]:
                engines[name][-1].signals += (builder.done.expect(gone),)


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

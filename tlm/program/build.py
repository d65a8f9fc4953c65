"""From plan to programs: what every engine of every core does, in order, for one mini-batch."""

from __future__ import annotations

from collections.abc import Iterator

from tlm.program.backward import build_backward
from tlm.program.builder import ProgramBuilder
from tlm.program.forward import build_forward
from tlm.program.loss import build_loss
from tlm.program.tile_draft import TileDraft
from tlm.program.update import (
    build_reduction,
    build_update,
    guard_old_weights,
    receive_weights,
)
from tlm.program.weight_gradient import build_weight_gradient
from tlm.space.phase import ENGINES
from tlm.space.program import Completions, Program
from tlm.space.region import Span
from tlm.space.tile import Tile
from tlm.storage.plan import LayerPlan, Plan
from tlm.storage.streams import Streams


def build_program(plan: Plan) -> Program:
    """Programs of the plan's schedule: by groups of samples, FP down the layers, BP and WG up.

    Engines run on their own and wait only for what they need, so layers overlap where data allow.
    FP of a group is put before BP of the group before, because U made again for BP goes through
    the FP engine. An update follows WG of the layer below, so that its reduction travels meanwhile.
    """
    drafts: list[dict[str, list[TileDraft]]] = [
        {engine: [] for engine in ENGINES} for _ in range(plan.chip.cores)
    ]
    builder = ProgramBuilder(plan, Streams(plan), Completions(), drafts)
    if plan.workload.learns:
        _training(builder)
    else:
        _inference(builder)
    for layer_plan in plan.layers:
        layer_plan.masks.drop()  # a simulation knows no masks
    tiles = [{name: list[Tile](engines[name]) for name in ENGINES} for engines in drafts]
    return Program(tiles, builder.done, [tensor.address for tensor in plan.addresses.placed])


def _training(builder: ProgramBuilder) -> None:
    """FP, loss, BP and WG of all groups, and the update."""
    plan = builder.plan
    turns: dict[int, int] = {}
    groups = range(len(plan.schedule.groups))
    ahead = min(1, plan.schedule.in_flight - 1)
    for group in range(groups[-1] + ahead + 1):
        if group in groups:
            _forward(builder, group)
        if group - ahead in groups:
            _backward(builder, group - ahead, turns)
    build_update(builder, plan.layers[0])
    for layer_plan in plan.layers:
        receive_weights(builder, layer_plan)
    guard_old_weights(builder)


def _inference(builder: ProgramBuilder) -> None:
    """FP of all groups, step by step where samples stop by themselves."""
    schedule = builder.plan.schedule
    build_group = _forward if schedule.steps_run is None else _step_by_step
    for group in range(len(schedule.groups)):
        starts = _lengths(builder)
        build_group(builder, group)
        if group + schedule.in_flight < len(schedule.groups):
            _let_go(builder, group, starts, ("fp",))


def _step_by_step(builder: ProgramBuilder, group: int) -> None:
    """All layers of a step, of a group's samples that still run, before any of its next step.

    The cores of the last layer say when all of its output of a step is there: a barrier of one wire
    a core, as between groups (assumed).
    """
    plan, first = builder.plan, _lengths(builder)
    steps = max(plan.schedule.steps_of(group))
    for step in range(steps):
        starts = _lengths(builder)
        for layer_plan in plan.layers:
            before = _lengths(builder)
            parts = plan.schedule.running(layer_plan.cut.slices, group, step)
            build_forward(builder, layer_plan, parts, (step, step + 1))
        if step:
            _hold_back(builder, starts, ("decided", "group", group, "step", step - 1))
        if step + 1 < steps:
            _announce(builder, before, ("fp",), ("decided", "group", group, "step", step))
    _follow(builder, group, first)


def _lengths(builder: ProgramBuilder) -> list[dict[str, int]]:
    """How many tiles every engine of every core has so far."""
    return [{name: len(tiles) for name, tiles in engines.items()} for engines in builder.drafts]


def _forward(builder: ProgramBuilder, group: int) -> None:
    """FP of a group, layer by layer or as a wavefront."""
    plan = builder.plan
    starts = _lengths(builder)
    for layer_plan, steps in _forward_order(plan):
        build_forward(builder, layer_plan, plan.schedule.parts(layer_plan.cut.slices, group), steps)
    _follow(builder, group, starts)


def _follow(builder: ProgramBuilder, group: int, starts: list[dict[str, int]]) -> None:
    """Let FP of a group, from ``starts`` on, wait until an earlier group has left the chip."""
    before = group - builder.plan.schedule.in_flight
    if before >= 0:
        _hold_back(builder, starts, ("samples done", "group", before))


def _hold_back(
    builder: ProgramBuilder, starts: list[dict[str, int]], what: tuple[str | int, ...]
) -> None:
    """Let FP of every core wait for ``what`` before its tiles from ``starts`` on."""
    awaited = (builder.done.ident(*what),)
    for start, engines in zip(starts, builder.drafts, strict=True):
        if start["fp"] < len(engines["fp"]):
            engines["fp"][start["fp"]].add_needs(awaited)
            engines["fp"][start["fp"]].add_read_needs(awaited)


def _forward_order(plan: Plan) -> Iterator[tuple[LayerPlan, Span]]:
    """Layers and their time steps in the order of FP: layer by layer, or as a wavefront.

    In a wavefront, layer and step of one wave add up to the same; what a layer needs of its
    sources and of its own step before is of earlier waves.
    """
    if not plan.schedule.by_step:
        for layer_plan in plan.layers:
            yield layer_plan, (0, plan.steps)
        return
    depths: list[int] = []
    for layer_plan in plan.layers:
        depths.append(1 + max((depths[at] for at in layer_plan.layer.predecessors), default=-1))
    for wave in range(max(depths) + plan.steps):
        for layer_plan, depth in zip(plan.layers, depths, strict=True):
            if 0 <= wave - depth < plan.steps:
                yield layer_plan, (wave - depth, wave - depth + 1)


def _backward(builder: ProgramBuilder, group: int, turns: dict[int, int]) -> None:
    """Loss, BP and WG of a group; with the last one, reductions and updates."""
    plan = builder.plan
    layers, schedule = plan.layers, plan.schedule
    starts = _lengths(builder)
    for layer_plan in reversed(layers):
        if layer_plan.head:
            build_loss(builder, layer_plan, schedule.groups[group])
        build_backward(builder, layer_plan, schedule.parts(layer_plan.cut.slices, group))
    last = group == len(schedule.groups) - 1
    for layer_plan in reversed(layers):
        build_weight_gradient(
            builder, layer_plan, schedule.parts(layer_plan.cut.slices, group), turns
        )
        if last:
            build_reduction(builder, layer_plan)
            if layer_plan is not layers[-1]:
                build_update(builder, layers[layer_plan.layer.index + 1])
    if group + schedule.in_flight < len(schedule.groups):
        _let_go(builder, group, starts, ("bp", "wg"))


def _let_go(
    builder: ProgramBuilder, group: int, starts: list[dict[str, int]], names: tuple[str, ...]
) -> None:
    """Say that a group has left the chip: the last tiles of engines ``names`` are done everywhere.

    As for old weights, the release costs nothing on the mesh (assumed).
    """
    _announce(builder, starts, names, ("samples done", "group", group))


def _announce(
    builder: ProgramBuilder,
    starts: list[dict[str, int]],
    names: tuple[str, ...],
    what: tuple[str | int, ...],
) -> None:
    """Say ``what`` when the last tiles from ``starts`` on are done, of these engines."""
    finished = builder.done.ident(*what)
    for start, engines in zip(starts, builder.drafts, strict=True):
        for name in names:
            if len(engines[name]) > start[name]:
                engines[name][-1].add_signals((builder.done.expect(finished),))

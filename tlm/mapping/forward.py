"""FP programs: convolution by weight-stationary blocks, then the soma pass of each output tile.

Where batch statistics stand in between, the blocks leave their currents behind, the cores exchange
sums, and a second walk over the slice normalises and runs the neurons (``normalise.py``).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tlm.mapping.builder import (
    Builder,
    merge,
    per_sample,
    saved_inputs,
    spare_first_reads,
    stream_cycles,
    take_inputs,
    tile_of,
)
from tlm.mapping.nest import Block, blocks, ceil_div
from tlm.mapping.normalise import build_normalise, leave_currents
from tlm.mapping.plan import LayerPlan
from tlm.mapping.region import Region, Slice, Span, length
from tlm.mapping.residency import product_region
from tlm.mapping.rounds import Round, forward_rounds
from tlm.mapping.soma import leave_state, soma
from tlm.task import Phase, Tile, Work


def build_forward(builder: Builder, lp: LayerPlan) -> None:
    """Append FP of one layer to every core's FP engine."""
    for part in lp.slices:
        walk_products(builder, lp, part, product_region(lp, part), Phase.FP)
    if lp.exact:
        build_normalise(builder, lp)
    lp.counts.drop()


def walk_products(
    builder: Builder, lp: LayerPlan, part: Slice, region: Region, phase: Phase
) -> None:
    """Append the blocks of a region of the product, for FP or for making its currents again."""
    positions, steps = builder.array.positions, builder.plan.steps
    for turn in forward_rounds(builder.plan, lp, part, region, phase):
        for block in blocks(region.samples, region.rows, steps, lp.width, positions):
            _block(builder, lp, part, turn, block)


def _block(builder: Builder, lp: LayerPlan, part: Slice, turn: Round, block: Block) -> None:
    (b0, b1), (y0, y1), (t0, t1) = block.samples, block.rows, block.steps
    area = (slice(t0, t1), slice(b0, b1), slice(None), slice(None), slice(y0, y1))
    executed = lp.counts.fp.executed[area].sum(axis=(0, 1, 4)).ravel()  # chunk, tap
    events = lp.counts.fp.events[area].sum(axis=(0, 1, 4)).ravel()
    touched = int(lp.counts.fp.touched[t0:t1, b0:b1, y0:y1].sum())
    if builder.plan.chip.core.engines.fp.mode == "dense":
        touched = block.positions(lp.width)
    fresh = builder.streams.input_rows(turn, lp, part, block)
    arrived = lp.forward == "memory" and turn.phase == Phase.FP
    for k in range(*turn.outputs, builder.array.tile):
        channels = (k, min(k + builder.array.tile, turn.outputs[1]))
        made = _array_pass(builder, lp, part, turn, block, channels, executed, events)
        spare_first_reads(made, touched * length(channels), "fp")
        first, last = made[0], made[-1]
        if arrived:
            first.needs = per_sample(builder, "FP input", lp, part, block.samples)
        else:
            first.read_needs = saved_inputs(builder, lp, block.samples)
        if k == turn.outputs[0]:
            take_inputs(builder, "fp", lp, fresh, block.steps, first, from_dram=not arrived)
        region = Region(channels, block.samples, block.rows)
        last.covers = length(channels) * length(block.rows) * lp.width
        if lp.exact:
            leave_currents(builder, lp, part, region, block.steps, last)
        else:
            _finish(builder, lp, part, region, block.steps, last)


def _finish(
    builder: Builder, lp: LayerPlan, part: Slice, region: Region, steps: Span, tile: Tile
) -> None:
    """Drain, frozen normalisation and soma pass of an output tile, in one go."""
    products = region.size * lp.width * length(steps)
    tile.cycles += builder.array.depth + ceil_div(products, builder.array.lanes)
    merge(tile.work.energy, {"fp.partial_read": products})
    if lp.norm == "frozen":
        merge(tile.work.energy, {"fp.norm_scale": products})
    ready = lp.neurons(region)
    soma(builder, lp, part, ready, steps, tile)
    if tile.phase == Phase.FP:
        leave_state(builder, lp, part, ready, steps, tile)


def _array_pass(
    builder: Builder,
    lp: LayerPlan,
    part: Slice,
    turn: Round,
    block: Block,
    channels: Span,
    executed: npt.NDArray[np.int64],
    events: npt.NDArray[np.int64],
) -> list[Tile]:
    """Tiles of one output tile of channels, a group of weights each."""
    layer, array = lp.layer, builder.array
    taps = layer.kernel[0] * layer.kernel[1]
    weights = [
        (channels[0], c, tap)
        for c in range(0, layer.in_shape[0], array.chunk)
        for tap in range(taps)
    ]
    mode = builder.plan.chip.core.engines.fp.mode
    slots = block.positions(lp.width)
    made: list[Tile] = []
    for group, fetch in builder.streams.weights(turn, lp, part.core, weights):
        left = executed[group] if mode == "vector" else np.full(len(group), slots)
        tile = builder.add(part.core, tile_of(turn.phase, lp, block))
        tile.reads = fetch.runs
        tile.cycles = len(group) * array.chunk + stream_cycles(array, mode, slots, left)
        depths = np.array([min(array.chunk, layer.in_shape[0] - weights[i][1]) for i in group])
        tile.work = _work(builder, lp, slots, left, events[group], depths, length(channels))
        merge(tile.work.energy, fetch.energy("fp", array.weight_bits))
        made.append(tile)
    return made


def _work(
    builder: Builder,
    lp: LayerPlan,
    slots: int,
    executed: npt.NDArray[np.int64],
    events: npt.NDArray[np.int64],
    depths: npt.NDArray[np.int64],
    width: int,
) -> Work:
    """Work of a group of weight tiles; accesses as the released NeuroMC model (FE)."""
    bits = lp.operand_bits
    macs = int((executed * depths).sum()) * width
    vectors = int(executed.sum())
    mode = builder.plan.chip.core.engines.fp.mode
    loaded = int(depths.sum()) * width
    return Work(
        slots=slots * len(executed),
        executed=vectors,
        dense=slots * int(depths.sum()) * width,
        useful=int(events.sum()) * width,
        energy={
            "fp.mac_mul" if bits > 1 else "fp.mac_add": macs,
            "fp.reg16": 3 * macs + vectors * width + 2 * loaded + 2 * macs * (bits // 16),
            "fp.reg1": 2 * macs * (bits % 16),
            "fp.weight_read": loaded,
            "fp.spike_read": int((executed * depths).sum()) * bits,
            "fp.partial_read": vectors * width,
            "fp.partial_write": vectors * width,
            "engine.scan": slots * len(executed) if mode == "vector" else 0,
        },
    )

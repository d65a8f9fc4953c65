"""FP programs: convolution block by block, then the soma pass of each panel of outputs.

Where batch statistics stand in between, the blocks leave their currents behind, the cores exchange
sums, and a second walk over the slice normalises and runs the neurons (``normalise.py``).
"""

from __future__ import annotations

from dataclasses import replace

from tlm.counts.blocks import blocks, panel_positions
from tlm.counts.passes import Panel
from tlm.program.array_tile import array_tiles, by_panel
from tlm.program.builder import (
    ProgramBuilder,
    merge,
    per_sample,
    saved_inputs,
    take_inputs,
)
from tlm.program.normalise import build_normalise, leave_currents
from tlm.program.soma import leave_state, soma
from tlm.space.phase import Phase
from tlm.space.region import Block, Region, Slice, Span, length
from tlm.space.rounding import ceil_div
from tlm.space.tile import Tile
from tlm.storage.plan import LayerPlan
from tlm.storage.residency import product_region
from tlm.storage.sweeps import Sweep, forward_rounds


def build_forward(
    builder: ProgramBuilder, layer_plan: LayerPlan, parts: list[Slice], steps: Span
) -> None:
    """Append FP of some slices of a layer, some time steps, to their cores' FP engines."""
    for part in parts:
        walk_products(builder, layer_plan, part, product_region(layer_plan, part), steps, Phase.FP)
        layer_plan.work.drop()
    if layer_plan.exact:
        build_normalise(builder, layer_plan)


def walk_products(
    builder: ProgramBuilder,
    layer_plan: LayerPlan,
    part: Slice,
    region: Region,
    steps: Span,
    phase: Phase,
) -> None:
    """Append the blocks of a region of the product, for FP or for making its currents again."""
    arrays, channels = builder.arrays, part.neurons.channels
    positions, panel = panel_positions(arrays, arrays.fp, layer_plan.width, length(region.channels))
    walk = [
        replace(block, steps=(block.steps[0] + steps[0], block.steps[1] + steps[0]))
        for block in blocks(region.samples, region.rows, length(steps), layer_plan.width, positions)
    ]
    for turn in forward_rounds(builder.plan, layer_plan, part, region, phase):
        size = builder.streams.together(turn, arrays.fp)
        for some in layer_plan.work.forward(walk, channels, turn.outputs, panel, size):
            cuts = [
                builder.streams.cut(turn, layer_plan, part.core, some.layout) for _ in some.blocks
            ]
            made = array_tiles(
                builder, phase, layer_plan, arrays.fp, some, cuts, layer_plan.operand_bits
            )
            for block, cut, tiles in made:
                _block(builder, layer_plan, part, turn, block, by_panel(some.layout, cut, tiles))


def _block(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, turn: Sweep, block: Block,
    made: list[tuple[Panel, list[Tile]]],
) -> None:  # fmt: skip
    fresh = builder.streams.input_rows(turn, layer_plan, part, block)
    arrived = layer_plan.forward == "memory" and turn.phase == Phase.FP
    if arrived:
        what = builder.by_step("FP input", block.steps)
        needs = per_sample(builder, what, layer_plan, part, block.samples)
    else:
        what = builder.by_step("saved", block.steps) if turn.phase == Phase.FP else "saved"
        needs = saved_inputs(builder, layer_plan, block.samples, what)
    for panel, tiles in made:
        first, last, channels = tiles[0], tiles[-1], panel.channels
        builder.extend(part.core, tiles)
        if arrived:
            first.needs = needs
        else:
            first.read_needs = needs
        if channels[0] == turn.outputs[0]:
            take_inputs(builder, "fp", layer_plan, fresh, block.steps, first, from_dram=not arrived)
        region = Region(channels, block.samples, block.rows)
        last.covers = length(channels) * length(block.rows) * layer_plan.width
        if layer_plan.exact:
            leave_currents(builder, layer_plan, part, region, block.steps, last)
        else:
            _finish(builder, layer_plan, part, region, block.steps, last)


def _finish(
    builder: ProgramBuilder,
    layer_plan: LayerPlan,
    part: Slice,
    region: Region,
    steps: Span,
    tile: Tile,
) -> None:
    """Drain, frozen normalisation and soma pass of an output tile, in one go."""
    products = region.size * layer_plan.width * length(steps)
    tile.cycles += builder.arrays.depth + ceil_div(products, builder.arrays.lanes)
    merge(tile.work.energy, {"fp.partial_read": products})
    if layer_plan.norm == "frozen":
        merge(tile.work.energy, {"fp.norm_scale": products})
    ready = layer_plan.neurons(region)
    soma(builder, layer_plan, part, ready, steps, tile)
    if tile.phase == Phase.FP:
        leave_state(builder, layer_plan, part, ready, steps, tile)

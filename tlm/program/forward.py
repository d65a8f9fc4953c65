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
    add_up_sources,
    fetch_inputs,
    per_sample,
    saved_inputs,
    tile_of,
)
from tlm.program.channel_parameters import STEP_SCALE, add_bias, fetch_parameters
from tlm.program.normalise import build_normalise, leave_currents
from tlm.program.shortcuts import add_shortcuts
from tlm.program.soma import leave_state, soma
from tlm.program.tile_draft import TileDraft
from tlm.space.phase import Phase
from tlm.space.region import Block, Region, Slice, Span, length
from tlm.space.rounding import ceil_div
from tlm.storage.plan import LayerPlan
from tlm.storage.slice_sizes import product_region
from tlm.storage.sweeps import Sweep, forward_sweeps


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
    """Append the blocks of a region of the product, for FP or for making its currents again.

    An image that all steps share is walked as one step, whose sums stay until all have passed.
    """
    walked = length(steps) // layer_plan.repeats
    start = len(builder.drafts[part.core]["fp"])
    arrays, channels = builder.arrays, part.neurons.channels
    positions, panel = panel_positions(arrays, arrays.fp, layer_plan.width, length(region.channels))
    box_blocks = [
        replace(block, steps=(block.steps[0] + steps[0], block.steps[1] + steps[0]))
        for block in blocks(
            *(region.samples, region.rows, walked, layer_plan.width, positions),
            apart=layer_plan.held is not None,
        )
    ]
    if not layer_plan.layer.multiplies:
        _add_alone(builder, layer_plan, part, region, box_blocks, phase)
        _read_parameters(builder, layer_plan, part, start)
        return
    for sweep in forward_sweeps(builder.plan, layer_plan, part, region, phase):
        size = builder.streams.together(sweep, arrays.fp)
        for passes in layer_plan.work.forward(box_blocks, channels, sweep.outputs, panel, size):
            groupings = [
                builder.streams.cut(sweep, layer_plan, part.core, passes.layout, block)
                for block in passes.blocks
            ]
            drafted = array_tiles(builder, phase, layer_plan, passes, groupings)
            for block, grouping, tiles in zip(passes.blocks, groupings, drafted, strict=True):
                if layer_plan.repeats > 1:
                    block = _repeated(block, steps, tiles)
                _block(
                    builder,
                    layer_plan,
                    part,
                    sweep,
                    block,
                    by_panel(passes.layout, grouping, tiles),
                )
    _read_parameters(builder, layer_plan, part, start)


def _read_parameters(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, start: int
) -> None:
    """Let the first tile of a walk, that from ``start`` on, read all that neurons and norm take."""
    neurons = (*layer_plan.layer.learnt, *layer_plan.layer.channel_constants)
    scaled = [STEP_SCALE] * (layer_plan.norm == "frozen")
    names = dict.fromkeys((*layer_plan.walk_parameters, *neurons, *scaled))
    fetch_parameters(layer_plan, part, names, builder.drafts[part.core]["fp"][start])


def _add_alone(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, region: Region,
    walk: list[Block], phase: Phase,
) -> None:  # fmt: skip
    """Append the blocks of a layer without a product: what it adds is its whole current."""
    for block in walk:
        for first in range(*region.channels, builder.arrays.tile):
            channels = (first, min(first + builder.arrays.tile, region.channels[1]))
            tile = builder.add(part.core, tile_of(phase, layer_plan, block))
            tile.rows = block.rows
            tile.add_covers(length(channels) * length(block.rows) * layer_plan.width)
            at = Region(channels, block.samples, block.rows)
            _finish(builder, layer_plan, part, at, block.steps, tile)


def _repeated(block: Block, steps: Span, tiles: list[TileDraft]) -> Block:
    """The block and its tiles over all the steps that its product serves."""
    for tile in tiles:
        tile.step, tile.steps = steps[0], length(steps)
    return replace(block, steps=steps)


def _block(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, sweep: Sweep, block: Block,
    panels: list[tuple[Panel, list[TileDraft]]],
) -> None:  # fmt: skip
    fresh, each = builder.streams.input_rows(sweep, layer_plan, part, block)
    arrived = layer_plan.stored.inputs == "memory" and sweep.phase == Phase.FP
    if arrived:
        what = builder.by_step("FP input", block.steps)
        needs = per_sample(builder, what, layer_plan, part, block.samples)
    else:
        what = builder.by_step("saved", block.steps) if sweep.phase == Phase.FP else "saved"
        needs = saved_inputs(builder, layer_plan, block.samples, what)
    for panel, tiles in panels:
        first, last, channels = tiles[0], tiles[-1], panel.channels
        builder.extend(part.core, tiles)
        if arrived:
            first.add_needs(needs)
        else:
            for tile in tiles if layer_plan.held is not None else [first]:  # each reads its own
                tile.add_read_needs(needs)
        if channels[0] == sweep.outputs[0] or each:
            fetch_inputs(layer_plan, fresh, block.steps, first, of_layers=not arrived)
            add_up_sources(builder, "fp", layer_plan, fresh, block.steps, first)
        region = Region(channels, block.samples, block.rows)
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
    tile: TileDraft,
) -> None:
    """Drain, frozen normalisation and soma pass of an output tile, in one go."""
    products, ready = region.size * layer_plan.width * length(steps), layer_plan.neurons(region)
    tile.add_cycles(builder.arrays.depth)
    if layer_plan.layer.multiplies:
        tile.add_energy({"fp.partial_read": products})
    if layer_plan.layer.sums == 1 or not ready.size:
        tile.add_cycles(ceil_div(products, builder.arrays.lanes))
    if layer_plan.layer.sums == 1:  # GLM neurons add theirs to the potential
        add_bias(layer_plan, products, tile)
    elif not ready.size:
        return
    if layer_plan.norm == "frozen":
        tile.add_energy({"fp.norm_scale": products})
    add_shortcuts(builder, layer_plan, region, steps, tile)
    soma(builder, layer_plan, part, ready, steps, tile)
    if tile.phase == Phase.FP:
        leave_state(builder, layer_plan, part, ready, steps, tile)

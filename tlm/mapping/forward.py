"""FP programs: convolution block by block, then the soma pass of each panel of outputs.

Where batch statistics stand in between, the blocks leave their currents behind, the cores exchange
sums, and a second walk over the slice normalises and runs the neurons (``normalise.py``).
"""

from __future__ import annotations

from dataclasses import replace

from tlm.mapping.array_pass import Panel
from tlm.mapping.array_tile import charge, loaded_weights
from tlm.mapping.builder import (
    Builder,
    merge,
    per_sample,
    saved_inputs,
    take_inputs,
    tile_of,
)
from tlm.mapping.nest import Block, blocks, ceil_div, panel_positions
from tlm.mapping.normalise import build_normalise, leave_currents
from tlm.mapping.plan import LayerPlan
from tlm.mapping.region import Region, Slice, Span, length
from tlm.mapping.residency import product_region
from tlm.mapping.soma import leave_state, soma
from tlm.task import Phase, Tile


def build_forward(builder: Builder, lp: LayerPlan, parts: list[Slice], steps: Span) -> None:
    """Append FP of some slices of a layer, some time steps, to their cores' FP engines."""
    for part in parts:
        walk(builder, lp, part, product_region(lp, part), steps, Phase.FP)
    if lp.exact:
        build_normalise(builder, lp)


def walk(
    builder: Builder, lp: LayerPlan, part: Slice, region: Region, steps: Span, phase: Phase
) -> None:
    """Append the blocks of a region of the product, for FP or for making its currents again."""
    array, outputs = builder.array, region.channels
    positions, panel = panel_positions(array, array.fp, lp.width, length(outputs))
    for block in blocks(region.samples, region.rows, length(steps), lp.width, positions):
        at = (block.steps[0] + steps[0], block.steps[1] + steps[0])
        _block(builder, lp, part, outputs, replace(block, steps=at), phase, panel)


def _block(
    builder: Builder,
    lp: LayerPlan,
    part: Slice,
    outputs: Span,
    block: Block,
    phase: Phase,
    panel: int,
) -> None:
    fresh = builder.fresh_input(phase, lp, part, outputs, block)
    arrived = lp.forward == "memory" and phase == Phase.FP
    size = builder.weights_together(lp, part, builder.array.fp)
    for one in lp.work.forward(block, outputs, panel, size):
        channels = one.channels
        made = _array_pass(builder, lp, part, block, one, phase)
        first, last = made[0], made[-1]
        if arrived:
            first.needs = per_sample(builder, "FP input", lp, part, block.samples)
        else:
            first.read_needs = saved_inputs(builder, lp, block.samples)
        if channels[0] == outputs[0]:
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
    builder: Builder, lp: LayerPlan, part: Slice, block: Block, panel: Panel, phase: Phase
) -> list[Tile]:
    """Tiles of one panel of output channels, a group of weights each."""
    nest = builder.array.fp
    made: list[Tile] = []
    for walked, reads, staged in builder.weight_passes(phase, lp, part, panel.walked):
        tile = builder.add(part.core, tile_of(phase, lp, block))
        tile.reads = reads
        charge(builder, tile, "fp", nest, walked, lp.operand_bits)
        merge(tile.work.energy, {"fp.weight_write": loaded_weights(builder, tile, nest) + staged})
        made.append(tile)
    return made

"""FP programs: convolution block by block, then the soma pass of each panel of outputs.

Where batch statistics stand in between, the blocks leave their currents behind, the cores exchange
sums, and a second walk over the slice normalises and runs the neurons (``normalise.py``).
"""

from __future__ import annotations

from tlm.mapping.array_pass import Panel
from tlm.mapping.array_tile import charge
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
from tlm.mapping.rounds import Round, forward_rounds
from tlm.mapping.soma import leave_state, soma
from tlm.task import Phase, Tile


def build_forward(builder: Builder, lp: LayerPlan) -> None:
    """Append FP of one layer to every core's FP engine."""
    for part in lp.slices:
        walk_products(builder, lp, part, product_region(lp, part), Phase.FP)
        lp.work.drop()
    if lp.exact:
        build_normalise(builder, lp)


def walk_products(
    builder: Builder, lp: LayerPlan, part: Slice, region: Region, phase: Phase
) -> None:
    """Append the blocks of a region of the product, for FP or for making its currents again."""
    array, steps = builder.array, builder.plan.steps
    positions, panel = panel_positions(array, array.fp, lp.width, length(region.channels))
    for turn in forward_rounds(builder.plan, lp, part, region, phase):
        for block in blocks(region.samples, region.rows, steps, lp.width, positions):
            _block(builder, lp, part, turn, block, panel)


def _block(
    builder: Builder, lp: LayerPlan, part: Slice, turn: Round, block: Block, panel: int
) -> None:
    fresh = builder.streams.input_rows(turn, lp, part, block)
    arrived = lp.forward == "memory" and turn.phase == Phase.FP
    size = builder.streams.together(turn, builder.array.fp)
    for one in lp.work.forward(block, part.neurons.channels, turn.outputs, panel, size):
        channels = one.channels
        made = _array_pass(builder, lp, part, turn, block, one)
        first, last = made[0], made[-1]
        if arrived:
            first.needs = per_sample(builder, "FP input", lp, part, block.samples)
        else:
            first.read_needs = saved_inputs(builder, lp, block.samples)
        if channels[0] == turn.outputs[0]:
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
    builder: Builder, lp: LayerPlan, part: Slice, turn: Round, block: Block, panel: Panel
) -> list[Tile]:
    """Tiles of one panel of output channels, a group of weights each."""
    nest = builder.array.fp
    made: list[Tile] = []
    for walked, fetch in builder.streams.weights(turn, lp, part.core, panel.walked):
        tile = builder.add(part.core, tile_of(turn.phase, lp, block))
        tile.reads = fetch.runs
        charge(builder, tile, "fp", nest, walked, lp.operand_bits)
        merge(tile.work.energy, fetch.energy("fp", nest, builder.array.weight_bits))
        made.append(tile)
    return made

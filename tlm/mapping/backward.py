"""Back-propagation programs: dX of a layer block by block over its input grid.

Where the dY of a sample fits the gradient memory, a core walks its slice in sample blocks that
fill half of it: the gradient unit makes dY of all steps, then BP computes dX from it and WG (its
own engine) dW. The unit's block after next waits until WG has let go of the memory; where one
sample needs more than half of it, the next block does. Where not even one sample fits, the unit
walks the slice first and leaves dY in DRAM, where BP and WG each read it.
"""

from __future__ import annotations

from tlm.mapping.array_pass import Panel
from tlm.mapping.array_tile import charge, loaded_weights
from tlm.mapping.builder import Builder, dead_pairs, merge, per_sample, saved, tile_of
from tlm.mapping.geometry import source_rows
from tlm.mapping.gradient import current_gradient, gradient_regions, normalised_gradient
from tlm.mapping.nest import Block, blocks, panel_positions
from tlm.mapping.normalise import exchange_statistics, unit_regions
from tlm.mapping.plan import LayerPlan
from tlm.mapping.region import Slice, Span, length, overlap
from tlm.mapping.routes import Route, return_gradient, routes_of
from tlm.task import Phase, Run, Tile


def build_backward(builder: Builder, lp: LayerPlan, parts: list[Slice]) -> None:
    """Append the gradient unit's work and BP of some slices of a layer."""
    unit = current_gradient
    if lp.exact:
        bits = builder.plan.chip.precision.membrane
        for part in parts:
            for region in unit_regions(builder, part.neurons, lp.layer.out_shape[2], bits):
                current_gradient(builder, lp, part, region)
        exchange_statistics(builder, lp, Phase.NORM_GRAD, "bp")
        unit = normalised_gradient
    routes = routes_of(lp)
    for part in parts:
        for region in gradient_regions(builder, lp, part):
            unit(builder, lp, part, region)
            if lp.gradients == "memory" and routes:
                _propagate(builder, lp, routes, part, region.samples)
    if lp.gradients == "dram" and routes:
        for part in parts:
            _propagate(builder, lp, routes, part, part.neurons.samples)


def _propagate(
    builder: Builder, lp: LayerPlan, routes: list[Route], part: Slice, samples: Span
) -> None:
    """Append BP of some samples of a slice."""
    channels, _, width = lp.layer.in_shape
    positions, panel = panel_positions(builder.array, builder.array.bp, width, channels)
    if length(part.input_rows):
        for block in blocks(samples, part.input_rows, builder.plan.steps, width, positions):
            _block(builder, lp, routes, part, block, panel)


def _block(
    builder: Builder, lp: LayerPlan, routes: list[Route], part: Slice, block: Block, panel: int
) -> None:
    reads, read_needs = _mask_reads(builder, lp, block)
    fetched, each = _gradient_reads(builder, lp, part, block)
    size = builder.weights_together(lp, part, builder.array.bp)
    for one in lp.work.backward(block, part.neurons.channels, panel, size):
        chunk = one.channels
        made = _array_pass(builder, lp, part, block, one)
        first, last = made[0], made[-1]
        first.read_needs = read_needs
        if lp.gradients == "memory":
            first.needs = per_sample(builder, "dU", lp, part, block.samples)
        else:
            first.read_needs += _gradient_saved(builder, lp, part, block.samples)
        if chunk[0] == 0 or each:
            reads += fetched
        first.reads, reads = reads + first.reads, ()
        plane = length(block.rows) * lp.layer.in_shape[2]
        last.covers = length(chunk) * plane * length(one.partners)
        return_gradient(builder, lp, routes, part, block, chunk, last)


def _gradient_reads(
    builder: Builder, lp: LayerPlan, part: Slice, block: Block
) -> tuple[tuple[Run, ...], bool]:
    """The DRAM runs of the dY a block needs, and whether every chunk of inputs streams them."""
    if lp.gradients == "memory":
        return (), False
    fresh, each = builder.fresh_gradient(lp, part, block)
    tensor = lp.tensors["dY"]
    return tensor.runs(fresh.samples, block.steps, fresh.channels, fresh.rows, lp.live), each


def _gradient_saved(builder: Builder, lp: LayerPlan, part: Slice, samples: Span) -> tuple[int, ...]:
    """The completions that say the dY of a slice's channels is in DRAM, all rows."""
    return tuple(
        ident
        for one in lp.replicas(part)
        for ident in per_sample(builder, "dY", lp, one, overlap(samples, one.neurons.samples))
    )


def _mask_reads(
    builder: Builder, lp: LayerPlan, block: Block
) -> tuple[tuple[Run, ...], tuple[int, ...]]:
    """The output masks BP needs to skip outputs, from DRAM where FP left them."""
    engine = builder.plan.chip.core.engines.bp
    if engine.mode == "dense" or not engine.skip_outputs:
        return (), ()
    runs: tuple[Run, ...] = ()
    needs: tuple[int, ...] = ()
    for one in lp.producers:
        tensor = one.tensors["need"]
        rows = source_rows(lp.layer, block.rows, tensor.rows)
        found = tensor.runs(block.samples, block.steps, (0, tensor.channels), rows, lp.live)
        runs += found
        needs += saved(builder, one, block.samples) if found else ()
    return runs, needs


def _array_pass(
    builder: Builder, lp: LayerPlan, part: Slice, block: Block, panel: Panel
) -> list[Tile]:
    """Tiles of one panel of input channels, a group of weights each; at least one tile."""
    nest = builder.array.bp
    made: list[Tile] = []
    for walked, reads, staged in builder.weight_passes(Phase.BP, lp, part, panel.walked):
        tile = builder.add(part.core, tile_of(Phase.BP, lp, block))
        tile.skipped = dead_pairs(lp, block.samples, block.steps)
        tile.reads = reads
        charge(builder, tile, "bp", nest, walked, builder.plan.chip.precision.gradient)
        merge(tile.work.energy, {"bp.weight_write": loaded_weights(builder, tile, nest) + staged})
        made.append(tile)
    if any(one.scanned for one in panel.walked):
        made[-1].cycles += builder.array.depth
    return made

"""Back-propagation programs: dX of a layer block by block over its input grid.

Where the dY of a sample fits the gradient memory, a core walks its slice in sample blocks that
fill half of it: the gradient unit makes dY of all steps, then BP computes dX from it and WG (its
own engine) dW. The unit's block after next waits until WG has let go of the memory; where one
sample needs more than half of it, the next block does. Where not even one sample fits, the unit
walks the slice first and leaves dY in DRAM, where BP and WG each read it.
"""

from __future__ import annotations

from tlm.counts.engine_array import blocks, panel_positions
from tlm.counts.passes import Panel
from tlm.program.array_tile import array_tiles, by_panel
from tlm.program.builder import Builder, per_sample, saved
from tlm.program.gradient import current_gradient, gradient_regions, normalised_gradient
from tlm.program.normalise import exchange_statistics, unit_regions
from tlm.program.routes import Route, return_gradient, routes_of
from tlm.space.region import Block, Slice, Span, length, overlap
from tlm.space.task import Phase, Run, Tile
from tlm.storage.plan import LayerPlan
from tlm.storage.sweeps import Round, backward_rounds


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
        lp.work.drop()
    if lp.gradients == "dram" and routes:
        for part in parts:
            _propagate(builder, lp, routes, part, part.neurons.samples)
            lp.work.drop()


def _propagate(
    builder: Builder, lp: LayerPlan, routes: list[Route], part: Slice, samples: Span
) -> None:
    """Append BP of some samples of a slice."""
    if not length(part.input_rows):
        return
    channels, _, columns = lp.layer.in_shape
    positions, panel = panel_positions(builder.array, builder.array.bp, columns, channels)
    nest, width = builder.array.bp, builder.plan.chip.precision.gradient
    walk = list(blocks(samples, part.input_rows, builder.plan.steps, columns, positions))
    for turn in backward_rounds(builder.plan, lp, part, samples):
        size = builder.streams.together(turn, nest)
        for some in lp.work.backward(walk, part.neurons.channels, turn.outputs, panel, size):
            cuts = [builder.streams.cut(turn, lp, part.core, some.layout) for _ in some.blocks]
            made = array_tiles(builder, Phase.BP, lp, nest, some, cuts, width)
            for block, cut, tiles in made:
                panels = by_panel(some.layout, cut, tiles)
                _block(builder, lp, routes, part, turn, block, panels, some.layout.scanned)


def _block(
    builder: Builder, lp: LayerPlan, routes: list[Route], part: Slice, turn: Round, block: Block,
    made: list[tuple[Panel, list[Tile]]], scanned: bool,
) -> None:  # fmt: skip
    reads, read_needs = _mask_reads(builder, lp, part, turn, block)
    fetched, each = _gradient_reads(builder, lp, part, turn, block)
    needs: tuple[int, ...] = ()
    if lp.gradients == "memory":
        needs = per_sample(builder, "dU", lp, part, block.samples)
    else:
        read_needs += _gradient_saved(builder, lp, part, block.samples)
    plane = length(block.rows) * lp.layer.in_shape[2]
    for panel, tiles in made:
        first, last, chunk = tiles[0], tiles[-1], panel.channels
        builder.extend(part.core, tiles)
        first.needs, first.read_needs = needs, read_needs
        if chunk[0] == turn.outputs[0] or each:
            reads += fetched
        first.reads, reads = reads + first.reads, ()
        if scanned:
            last.cycles += builder.array.depth
        last.covers = length(chunk) * plane * length(panel.partners)
        return_gradient(builder, lp, routes, part, block, chunk, last)


def _gradient_reads(
    builder: Builder, lp: LayerPlan, part: Slice, turn: Round, block: Block
) -> tuple[tuple[Run, ...], bool]:
    """The DRAM runs of the dY a block needs, and whether every chunk of inputs streams them."""
    if lp.gradients == "memory":
        return (), False
    fresh, each = builder.streams.gradient_rows(turn, lp, part, block)
    tensor = lp.tensors["dY"]
    return tensor.runs(fresh.samples, block.steps, fresh.channels, fresh.rows, lp.skips), each


def _gradient_saved(builder: Builder, lp: LayerPlan, part: Slice, samples: Span) -> tuple[int, ...]:
    """The completions that say the dY of a slice's channels is in DRAM, all rows."""
    key = (f"dY {part.neurons.channels}", lp.layer.index, samples)
    if key not in builder.saves:
        builder.saves[key] = tuple(
            ident
            for one in lp.replicas(part)
            for ident in per_sample(builder, "dY", lp, one, overlap(samples, one.neurons.samples))
        )
    return builder.saves[key]


def _mask_reads(
    builder: Builder, lp: LayerPlan, part: Slice, turn: Round, block: Block
) -> tuple[tuple[Run, ...], tuple[int, ...]]:
    """The output masks BP needs to skip outputs, from DRAM where FP left them."""
    engine = builder.plan.chip.core.engines.bp
    if engine.mode == "dense" or not engine.skip_outputs:
        return (), ()
    runs: tuple[Run, ...] = ()
    needs: tuple[int, ...] = ()
    rows = builder.streams.mask_rows(turn, lp, part, block)
    for one in lp.producers:
        tensor = one.tensors["need"]
        found = tensor.runs(block.samples, block.steps, (0, tensor.channels), rows, lp.skips)
        runs += found
        needs += saved(builder, one, block.samples) if found else ()
    return runs, needs

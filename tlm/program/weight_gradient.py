"""WG programs: dW by output tile, over pieces of samples and rows whose operands fit the core.

dW stays in the accumulators over all samples and steps. A slice that does not fit is kept in DRAM
as partial sums, read and written once a sample block; where dY comes from DRAM anyway, WG passes
over it once for every part of dW that fits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tlm.counts.passes import Layout, Panel
from tlm.errors import MappingError
from tlm.program.array_tile import array_tiles
from tlm.program.builder import (
    ProgramBuilder,
    per_sample,
    saved_inputs,
    take_inputs,
)
from tlm.program.gradient import gradient_blocks
from tlm.space.phase import Phase
from tlm.space.region import Block, Region, Slice, Span, length
from tlm.space.rounding import ceil_div
from tlm.space.tile import Extent, Tile
from tlm.storage.plan import LayerPlan
from tlm.storage.residency import product_region
from tlm.storage.streams import WG_SHARE, whole_panels


@dataclass(frozen=True, slots=True)
class WeightGradientPass:
    """One pass over a slice: the output and input channels whose dW it makes.

    ``once``: their dW stays in the accumulators over all pieces and leaves with the last.
    """

    outputs: Span
    inputs: Span
    once: bool


def build_weight_gradient(
    builder: ProgramBuilder, layer_plan: LayerPlan, parts: list[Slice], turns: dict[int, int]
) -> None:
    """Append WG of some slices; ``turns`` counts the dY blocks each core has let go of."""
    for part in parts:
        if layer_plan.gradients == "dram":
            _walk(builder, layer_plan, part, part.neurons.samples)
            layer_plan.work.drop()
            continue
        for samples in gradient_blocks(builder, layer_plan, part):
            _walk(builder, layer_plan, part, samples)
            last = builder.program.tiles[part.core]["wg"][-1]
            turn = turns.get(part.core, 0)
            turns[part.core] = turn + 1
            used = builder.done.ident("dU used", f"core{part.core:02d}", turn)
            last.signals += (builder.done.expect(used),)
        layer_plan.work.drop()


def _walk(builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, samples: Span) -> None:
    """Append the passes over some samples of a slice, piece by piece."""
    array = builder.arrays.wg
    for strip in _strips(builder, layer_plan, part, samples):
        walk = list(_pieces(builder, layer_plan, part, samples, strip))
        panel = _panel_channels(builder, layer_plan, strip)
        channels = part.neurons.channels
        for some in layer_plan.work.weight_gradient(
            walk, channels, strip.outputs, strip.inputs, panel
        ):
            cuts = [whole_panels(some.layout)] * len(some.blocks)
            made = array_tiles(
                builder, Phase.WG, layer_plan, array, some, cuts, layer_plan.operand_bits
            )
            for block, _, tiles in made:
                ends = (block is walk[0], block is walk[-1])
                _piece(builder, layer_plan, part, block, strip, ends, some.layout, tiles)


def _strips(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, samples: Span
) -> list[WeightGradientPass]:
    """The passes over some samples of a slice.

    Where the slice's dW exceeds the accumulators, a pass takes as many output tiles as fit, or a
    part of the inputs of one, so that dW does not come and go with every piece: always if dY comes
    from DRAM, otherwise if reading the inputs in every pass moves fewer bits. Inputs are also cut
    where one row of them, all steps, exceeds the spike memory.

    Raises:
        MappingError: not even one chunk of inputs fits the spike memory.
    """
    chip, arrays, channels = builder.plan.chip, builder.arrays, part.neurons.channels
    taps, depth = (
        layer_plan.layer.kernel[0] * layer_plan.layer.kernel[1],
        layer_plan.layer.in_shape[0],
    )
    inputs = chip.core.memory.spikes // (_input_bits(layer_plan, part, 1) // depth or 1)
    outputs = length(channels)
    room = chip.core.memory.accumulators // (taps * chip.precision.partial_sum)
    once = layer_plan.dw_spilled and room >= arrays.tile * arrays.chunk
    if once and layer_plan.gradients == "memory":
        once = _passes_pay(builder, layer_plan, part, samples)
    if once:
        outputs = max(arrays.tile, room // min(depth, inputs) // arrays.tile * arrays.tile)
        inputs = min(inputs, room // min(outputs, length(channels)))
    inputs = depth if inputs >= depth else inputs // arrays.chunk * arrays.chunk
    if not inputs:
        raise MappingError(
            f"layer {layer_plan.layer.name}: core.memory.spikes cannot hold what one row of {arrays.chunk} "
            "input channels reads over all steps; enlarge it"
        )
    return [
        WeightGradientPass((k, min(k + outputs, channels[1])), (c, min(c + inputs, depth)), once)
        for k in range(*channels, outputs)
        for c in range(0, depth, inputs)
    ]


def _passes_pay(builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, samples: Span) -> bool:
    """Whether reading the inputs once a pass costs less than moving dW once a piece."""
    chip = builder.plan.chip
    whole = WeightGradientPass(part.neurons.channels, (0, layer_plan.layer.in_shape[0]), False)
    pieces = sum(1 for _ in _pieces(builder, layer_plan, part, samples, whole))
    dw = layer_plan.weight_count(part) * chip.precision.partial_sum
    inputs = _input_bits(layer_plan, part, length(product_region(layer_plan, part).rows)) * length(
        samples
    )
    return 2 * (pieces - 1) * dw > (ceil_div(dw, chip.core.memory.accumulators) - 1) * inputs


def _input_bits(layer_plan: LayerPlan, part: Slice, rows: int) -> int:
    """Bits of the inputs of all steps that ``rows`` rows of a slice's product read."""
    source, first = layer_plan.feeds[0], product_region(layer_plan, part).rows[0]
    region = Region(part.neurons.channels, (0, 1), (first, first + rows))
    plane = length(layer_plan.wanted_input(region).rows) * source.row_bytes * 8 * source.groups
    return plane * source.steps * layer_plan.operand_bits // source.bits


def _pieces(
    builder: ProgramBuilder,
    layer_plan: LayerPlan,
    part: Slice,
    samples: Span,
    strip: WeightGradientPass,
) -> Iterator[Block]:
    """Cut samples and rows so that inputs fill half of the spike memory, and dY of an output tile
    half of WG's share of the gradient memory if it comes from DRAM. A sample, or else a row of one,
    may take the whole.
    """
    memory, steps = builder.plan.chip.core.memory, (0, builder.plan.steps)
    rows = product_region(layer_plan, part).rows
    depth = layer_plan.layer.in_shape[0]
    line = 0
    if layer_plan.gradients == "dram":
        line = layer_plan.width * builder.plan.steps * builder.arrays.tile
        line *= builder.plan.chip.precision.gradient

    def fits(count: int, batch: int, part_of: int) -> bool:
        inputs = _input_bits(layer_plan, part, count) * length(strip.inputs) // depth
        return inputs * batch <= memory.spikes // part_of and line * count * batch <= (
            memory.gradients // (part_of * WG_SHARE)
        )

    height = length(rows)
    if fits(height, 1, part_of=1):
        size = next((n for n in range(length(samples), 1, -1) if fits(height, n, part_of=2)), 1)
        for b in range(samples[0], samples[1], size):
            yield Block((b, min(b + size, samples[1])), rows, steps)
        return
    most = next((n for n in range(height - 1, 1, -1) if fits(n, 1, part_of=2)), 1)
    for b in range(*samples):
        for y in range(rows[0], rows[1], most):
            yield Block((b, b + 1), (y, min(y + most, rows[1])), steps)


def _piece(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, block: Block, strip: WeightGradientPass,
    ends: tuple[bool, bool], layout: Layout, tiles: list[Tile],
) -> None:  # fmt: skip
    """Complete the tiles of one piece of a pass, the first or last one at its ``ends``."""
    samples, scanned = block.samples, layout.scanned
    plane = length(block.rows) * layer_plan.width
    turn = (Phase.WG, layer_plan.layer.index, strip)
    fresh = builder.streams.input_rows(turn, layer_plan, part, block)
    each = (
        layer_plan.layer.in_shape[0] // fresh.channels[1]
    )  # inputs a channel of the source: 1, or H x W
    read = (strip.inputs[0] // each, ceil_div(strip.inputs[1], each))
    wanted: Region | None = Region(read, samples, fresh.rows)
    for one, tile in zip(layout.panels, tiles, strict=True):
        builder.add(part.core, tile)
        tile.covers = plane * length(one.channels) * length(one.partners)
        if layer_plan.gradients == "memory":
            tile.needs = per_sample(builder, "dU for WG", layer_plan, part, samples)
        if scanned:
            tile.cycles += builder.arrays.depth
            if wanted is not None:
                take_inputs(builder, "wg", layer_plan, wanted, block.steps, tile, layer_plan.skips)
            wanted = None
            tile.read_needs = saved_inputs(builder, layer_plan, samples)
            if layer_plan.gradients == "dram":
                region = Region(one.channels, samples, block.rows)
                _read_gradient(builder, layer_plan, part, region, tile)
        if layer_plan.dw_spilled:
            _spill(builder, layer_plan, part, one, strip.once, tile, scanned, ends)


def _panel_channels(
    builder: ProgramBuilder, layer_plan: LayerPlan, strip: WeightGradientPass
) -> int:
    """Output channels that a held input meets: all, but for dY that comes from DRAM by tiles."""
    arrays = builder.arrays
    if arrays.wg.dataflow != "input" or layer_plan.gradients == "dram":
        return arrays.tile
    return ceil_div(length(strip.outputs), arrays.tile) * arrays.tile


def _read_gradient(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, region: Region, tile: Tile
) -> None:
    """Let a tile read the dY of its output channels from DRAM."""
    steps = (0, builder.plan.steps)
    tile.reads += layer_plan.tensors["dY"].runs(
        region.samples, steps, region.channels, region.rows, layer_plan.skips
    )
    tile.read_needs += per_sample(builder, "dY", layer_plan, part, region.samples)


def _spill(
    builder: ProgramBuilder,
    layer_plan: LayerPlan,
    part: Slice,
    panel: Panel,
    once_written: bool,
    tile: Tile,
    worked: bool,
    ends: tuple[bool, bool],
) -> None:
    """Keep the partial dW of a panel in DRAM between the pieces of a pass.

    It is read once it has been written, and written back; a pass that keeps its dW in the
    accumulators takes up what an earlier group left with its first piece and writes it with
    its last.
    """
    found = builder.spills.setdefault((layer_plan.layer.index, part.core), {})
    key = (panel.channels, panel.partners)
    before, runs = found.get(key) or (None, _spilled_runs(layer_plan, part, *key))
    first, last = ends if once_written else (worked, worked)
    if first and before is not None:
        tile.reads += runs
        tile.read_needs += (before,)
    if not last:
        return
    written = builder.done.ident("partial dW", layer_plan.layer.name, f"core{part.core:02d}", "channel",
                                 panel.channels[0], "input", panel.partners[0],
                                 "sample", tile.sample,
                                 "piece", len(builder.program.tiles[part.core]["wg"]))  # fmt: skip
    found[key] = builder.done.expect(written), runs
    tile.saves += (written,)
    tile.writes += runs


def _spilled_runs(
    layer_plan: LayerPlan, part: Slice, outputs: Span, inputs: Span
) -> tuple[Extent, ...]:
    """Where the dW of some channels is kept in DRAM; of neighbouring channels it is one run."""
    scratch = layer_plan.weights[f"dW.core{part.core:02d}"]
    runs: list[Extent] = []
    for k in range(*outputs, scratch.tile):
        size = min(scratch.tile, outputs[1] - k) * length(inputs) * scratch.taps
        run = scratch.run(scratch.offset(k, inputs[0], 0), size)
        if runs and sum(runs[-1]) == run[0]:
            runs[-1] = (runs[-1][0], runs[-1][1] + run[1])
        else:
            runs.append(run)
    return tuple(runs)

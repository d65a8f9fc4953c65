"""WG programs: dW by output tile, over pieces of samples and rows whose operands fit the core.

dW stays in the accumulators over all samples and steps. A slice that does not fit is kept in DRAM
as partial sums, read and written once a sample block; where dY comes from DRAM anyway, WG passes
over it once for every part of dW that fits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tlm.counts.engine_array import ceil_div
from tlm.counts.passes import Layout, Panel
from tlm.errors import MappingError
from tlm.program.array_tile import array_tiles
from tlm.program.builder import (
    Builder,
    per_sample,
    saved_inputs,
    take_inputs,
)
from tlm.program.gradient import gradient_blocks
from tlm.space.region import Block, Region, Slice, Span, length
from tlm.space.task import Phase, Run, Tile
from tlm.storage.plan import LayerPlan
from tlm.storage.residency import product_region
from tlm.storage.streams import WG_SHARE, whole_panels


@dataclass(frozen=True, slots=True)
class Strip:
    """One pass over a slice: the output and input channels whose dW it makes.

    ``once``: their dW stays in the accumulators over all pieces and leaves with the last.
    """

    outputs: Span
    inputs: Span
    once: bool


def build_weight_gradient(
    builder: Builder, lp: LayerPlan, parts: list[Slice], turns: dict[int, int]
) -> None:
    """Append WG of some slices; ``turns`` counts the dY blocks each core has let go of."""
    for part in parts:
        if lp.gradients == "dram":
            _walk(builder, lp, part, part.neurons.samples)
            lp.work.drop()
            continue
        for samples in gradient_blocks(builder, lp, part):
            _walk(builder, lp, part, samples)
            last = builder.program.tiles[part.core]["wg"][-1]
            turn = turns.get(part.core, 0)
            turns[part.core] = turn + 1
            used = builder.done.ident("dU used", f"core{part.core:02d}", turn)
            last.signals += (builder.done.expect(used),)
        lp.work.drop()


def _walk(builder: Builder, lp: LayerPlan, part: Slice, samples: Span) -> None:
    """Append the passes over some samples of a slice, piece by piece."""
    nest = builder.array.wg
    for strip in _strips(builder, lp, part, samples):
        walk = list(_pieces(builder, lp, part, samples, strip))
        panel = _panel_channels(builder, lp, strip)
        channels = part.neurons.channels
        for some in lp.work.weight_gradient(walk, channels, strip.outputs, strip.inputs, panel):
            cuts = [whole_panels(some.layout)] * len(some.blocks)
            made = array_tiles(builder, Phase.WG, lp, nest, some, cuts, lp.operand_bits)
            for block, _, tiles in made:
                ends = (block is walk[0], block is walk[-1])
                _piece(builder, lp, part, block, strip, ends, some.layout, tiles)


def _strips(builder: Builder, lp: LayerPlan, part: Slice, samples: Span) -> list[Strip]:
    """The passes over some samples of a slice.

    Where the slice's dW exceeds the accumulators, a pass takes as many output tiles as fit, or a
    part of the inputs of one, so that dW does not come and go with every piece: always if dY comes
    from DRAM, otherwise if reading the inputs in every pass moves fewer bits. Inputs are also cut
    where one row of them, all steps, exceeds the spike memory.

    Raises:
        MappingError: not even one chunk of inputs fits the spike memory.
    """
    chip, array, channels = builder.plan.chip, builder.array, part.neurons.channels
    taps, depth = lp.layer.kernel[0] * lp.layer.kernel[1], lp.layer.in_shape[0]
    inputs = chip.core.memory.spikes // (_input_bits(lp, part, 1) // depth or 1)
    outputs = length(channels)
    room = chip.core.memory.accumulators // (taps * chip.precision.partial_sum)
    once = lp.dw_spilled and room >= array.tile * array.chunk
    if once and lp.gradients == "memory":
        once = _passes_pay(builder, lp, part, samples)
    if once:
        outputs = max(array.tile, room // min(depth, inputs) // array.tile * array.tile)
        inputs = min(inputs, room // min(outputs, length(channels)))
    inputs = depth if inputs >= depth else inputs // array.chunk * array.chunk
    if not inputs:
        raise MappingError(
            f"layer {lp.layer.name}: core.memory.spikes cannot hold what one row of {array.chunk} "
            "input channels reads over all steps; enlarge it"
        )
    return [
        Strip((k, min(k + outputs, channels[1])), (c, min(c + inputs, depth)), once)
        for k in range(*channels, outputs)
        for c in range(0, depth, inputs)
    ]


def _passes_pay(builder: Builder, lp: LayerPlan, part: Slice, samples: Span) -> bool:
    """Whether reading the inputs once a pass costs less than moving dW once a piece."""
    chip = builder.plan.chip
    whole = Strip(part.neurons.channels, (0, lp.layer.in_shape[0]), False)
    pieces = sum(1 for _ in _pieces(builder, lp, part, samples, whole))
    dw = lp.weight_count(part) * chip.precision.partial_sum
    inputs = _input_bits(lp, part, length(product_region(lp, part).rows)) * length(samples)
    return 2 * (pieces - 1) * dw > (ceil_div(dw, chip.core.memory.accumulators) - 1) * inputs


def _input_bits(lp: LayerPlan, part: Slice, rows: int) -> int:
    """Bits of the inputs of all steps that ``rows`` rows of a slice's product read."""
    source, first = lp.feeds[0], product_region(lp, part).rows[0]
    region = Region(part.neurons.channels, (0, 1), (first, first + rows))
    plane = length(lp.wanted_input(region).rows) * source.row_bytes * 8 * source.groups
    return plane * source.steps * lp.operand_bits // source.bits


def _pieces(
    builder: Builder, lp: LayerPlan, part: Slice, samples: Span, strip: Strip
) -> Iterator[Block]:
    """Cut samples and rows so that inputs fill half of the spike memory, and dY of an output tile
    half of WG's share of the gradient memory if it comes from DRAM. A sample, or else a row of one,
    may take the whole.
    """
    memory, steps = builder.plan.chip.core.memory, (0, builder.plan.steps)
    rows = product_region(lp, part).rows
    depth = lp.layer.in_shape[0]
    line = 0
    if lp.gradients == "dram":
        line = lp.width * builder.plan.steps * builder.array.tile
        line *= builder.plan.chip.precision.gradient

    def fits(count: int, batch: int, part_of: int) -> bool:
        inputs = _input_bits(lp, part, count) * length(strip.inputs) // depth
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
    builder: Builder, lp: LayerPlan, part: Slice, block: Block, strip: Strip,
    ends: tuple[bool, bool], layout: Layout, tiles: list[Tile],
) -> None:  # fmt: skip
    """Complete the tiles of one piece of a pass, the first or last one at its ``ends``."""
    samples, scanned = block.samples, layout.scanned
    plane = length(block.rows) * lp.width
    turn = (Phase.WG, lp.layer.index, strip)
    fresh = builder.streams.input_rows(turn, lp, part, block)
    each = lp.layer.in_shape[0] // fresh.channels[1]  # inputs a channel of the source: 1, or H x W
    read = (strip.inputs[0] // each, ceil_div(strip.inputs[1], each))
    wanted: Region | None = Region(read, samples, fresh.rows)
    for one, tile in zip(layout.panels, tiles, strict=True):
        builder.add(part.core, tile)
        tile.covers = plane * length(one.channels) * length(one.partners)
        if lp.gradients == "memory":
            tile.needs = per_sample(builder, "dU for WG", lp, part, samples)
        if scanned:
            tile.cycles += builder.array.depth
            if wanted is not None:
                take_inputs(builder, "wg", lp, wanted, block.steps, tile, lp.skips)
            wanted = None
            tile.read_needs = saved_inputs(builder, lp, samples)
            if lp.gradients == "dram":
                region = Region(one.channels, samples, block.rows)
                _read_gradient(builder, lp, part, region, tile)
        if lp.dw_spilled:
            _spill(builder, lp, part, one, strip.once, tile, scanned, ends)


def _panel_channels(builder: Builder, lp: LayerPlan, strip: Strip) -> int:
    """Output channels that a held input meets: all, but for dY that comes from DRAM by tiles."""
    array = builder.array
    if array.wg.dataflow != "input" or lp.gradients == "dram":
        return array.tile
    return ceil_div(length(strip.outputs), array.tile) * array.tile


def _read_gradient(
    builder: Builder, lp: LayerPlan, part: Slice, region: Region, tile: Tile
) -> None:
    """Let a tile read the dY of its output channels from DRAM."""
    steps = (0, builder.plan.steps)
    tile.reads += lp.tensors["dY"].runs(
        region.samples, steps, region.channels, region.rows, lp.skips
    )
    tile.read_needs += per_sample(builder, "dY", lp, part, region.samples)


def _spill(
    builder: Builder,
    lp: LayerPlan,
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
    found = builder.spills.setdefault((lp.layer.index, part.core), {})
    key = (panel.channels, panel.partners)
    before, runs = found.get(key) or (None, _spilled_runs(lp, part, *key))
    first, last = ends if once_written else (worked, worked)
    if first and before is not None:
        tile.reads += runs
        tile.read_needs += (before,)
    if not last:
        return
    written = builder.done.ident("partial dW", lp.layer.name, f"core{part.core:02d}", "channel",
                                 panel.channels[0], "input", panel.partners[0],
                                 "sample", tile.sample,
                                 "piece", len(builder.program.tiles[part.core]["wg"]))  # fmt: skip
    found[key] = builder.done.expect(written), runs
    tile.saves += (written,)
    tile.writes += runs


def _spilled_runs(lp: LayerPlan, part: Slice, outputs: Span, inputs: Span) -> tuple[Run, ...]:
    """Where the dW of some channels is kept in DRAM; of neighbouring channels it is one run."""
    scratch = lp.weights[f"dW.core{part.core:02d}"]
    runs: list[Run] = []
    for k in range(*outputs, scratch.tile):
        size = min(scratch.tile, outputs[1] - k) * length(inputs) * scratch.taps
        run = scratch.run(scratch.offset(k, inputs[0], 0), size)
        if runs and sum(runs[-1]) == run[0]:
            runs[-1] = (runs[-1][0], runs[-1][1] + run[1])
        else:
            runs.append(run)
    return tuple(runs)

"""WG programs: dW by output tile, over pieces of samples and rows whose operands fit the core.

dW stays in the accumulators over all samples and steps. A slice that does not fit is kept in DRAM
as partial sums, read and written once a sample block; where dY comes from DRAM anyway, WG passes
over it once for every part of dW that fits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tlm.errors import MappingError
from tlm.mapping.builder import (
    Builder,
    dead_pairs,
    per_sample,
    saved_inputs,
    stream_cycles,
    take_inputs,
    tile_of,
)
from tlm.mapping.gradient import gradient_blocks
from tlm.mapping.nest import Block, ceil_div
from tlm.mapping.plan import LayerPlan
from tlm.mapping.region import Region, Slice, Span, length
from tlm.mapping.residency import product_region
from tlm.mapping.streams import WG_SHARE
from tlm.task import Phase, Tile, Work


@dataclass(frozen=True, slots=True)
class Strip:
    """One pass over a slice: the output and input channels whose dW it makes.

    ``once``: their dW stays in the accumulators over all pieces and leaves with the last.
    """

    outputs: Span
    inputs: Span
    once: bool


def build_weight_gradient(builder: Builder, lp: LayerPlan, turns: dict[int, int]) -> None:
    """Append WG of one layer; ``turns`` counts the dY blocks each core has let go of."""
    for part in lp.slices:
        if lp.gradients == "dram":
            _walk(builder, lp, part, part.neurons.samples)
            continue
        for samples in gradient_blocks(builder, lp, part):
            _walk(builder, lp, part, samples)
            last = builder.program.tiles[part.core]["wg"][-1]
            turn = turns.get(part.core, 0)
            turns[part.core] = turn + 1
            used = builder.done.ident("dU used", f"core{part.core:02d}", turn)
            last.signals += (builder.done.expect(used),)
    lp.counts.drop()


def _walk(builder: Builder, lp: LayerPlan, part: Slice, samples: Span) -> None:
    """Append the passes over some samples of a slice, piece by piece."""
    for strip in _strips(builder, lp, part):
        blocks = list(_pieces(builder, lp, part, samples, strip))
        for block in blocks:
            _piece(builder, lp, part, block, strip, last=block is blocks[-1])


def _strips(builder: Builder, lp: LayerPlan, part: Slice) -> list[Strip]:
    """The passes over a slice.

    Where dY comes from DRAM and the slice's dW exceeds the accumulators, a pass takes as many
    output tiles as fit, or a part of the inputs of one, so that dW never leaves unfinished. Inputs
    are also cut where one row of them, all steps, exceeds the spike memory.

    Raises:
        MappingError: not even one chunk of inputs fits the spike memory.
    """
    chip, array, channels = builder.plan.chip, builder.array, part.neurons.channels
    taps, depth = lp.layer.kernel[0] * lp.layer.kernel[1], lp.layer.in_shape[0]
    inputs = chip.core.memory.spikes // (_input_bits(lp, part, 1) // depth or 1)
    outputs = length(channels)
    room = chip.core.memory.accumulators // (taps * chip.precision.partial_sum)
    once = lp.gradients == "dram" and room >= array.tile * array.chunk
    if lp.dw_spilled and once:
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
    builder: Builder, lp: LayerPlan, part: Slice, block: Block, strip: Strip, last: bool
) -> None:
    """Tiles of one piece of a pass, one for each tile of output channels."""
    array, samples = builder.array, block.samples
    plane = length(block.rows) * lp.width
    dead = dead_pairs(lp, samples, block.steps)
    slots = plane * length(samples) * builder.plan.steps
    scanned = slots - plane * len(dead)
    turn = (Phase.WG, lp.layer.index, strip)
    fresh = builder.streams.input_rows(turn, lp, part, block)
    each = lp.layer.in_shape[0] // fresh.channels[1]  # inputs a channel of the source: 1, or H x W
    read = (strip.inputs[0] // each, ceil_div(strip.inputs[1], each))
    wanted: Region | None = Region(read, samples, fresh.rows)
    for k in range(*strip.outputs, array.tile):
        channels = (k, min(k + array.tile, strip.outputs[1]))
        tile = builder.add(part.core, tile_of(Phase.WG, lp, block))
        tile.skipped = dead
        tile.covers = plane * length(channels) * length(strip.inputs)
        _count(builder, lp, block, channels, strip.inputs, slots, scanned, tile)
        if lp.gradients == "memory":
            tile.needs = per_sample(builder, "dU for WG", lp, part, samples)
        if scanned:
            if wanted is not None:
                take_inputs(builder, "wg", lp, wanted, block.steps, tile, lp.live)
            wanted = None
            tile.read_needs = saved_inputs(builder, lp, samples)
            if lp.gradients == "dram":
                region = Region(channels, samples, block.rows)
                _read_gradient(builder, lp, part, region, tile)
        if lp.dw_spilled:
            _spill(builder, lp, part, channels, strip, tile, bool(scanned), last)


def _read_gradient(
    builder: Builder, lp: LayerPlan, part: Slice, region: Region, tile: Tile
) -> None:
    """Let a tile read the dY of its output channels from DRAM."""
    steps = (0, builder.plan.steps)
    tile.reads += lp.tensors["dY"].runs(
        region.samples, steps, region.channels, region.rows, lp.live
    )
    tile.read_needs += per_sample(builder, "dY", lp, part, region.samples)


def _count(
    builder: Builder,
    lp: LayerPlan,
    block: Block,
    channels: Span,
    inputs: Span,
    slots: int,
    scanned: int,
    tile: Tile,
) -> None:
    """Cycles and work of one tile; accesses as the released NeuroMC model (WE)."""
    array = builder.array
    (b0, b1), (y0, y1) = block.samples, block.rows
    mode = builder.plan.chip.core.engines.wg.mode
    used = slice(inputs[0] // array.chunk, ceil_div(inputs[1], array.chunk))
    area = (slice(None), slice(b0, b1), channels[0] // array.tile, used)
    executed = lp.counts.wg.executed[area][..., y0:y1].sum(axis=(0, 1, 4))  # chunk, tap
    useful = lp.counts.wg.useful[area][..., y0:y1].sum()
    left = executed if mode == "vector" else np.full_like(executed, scanned)
    chunks, taps = executed.shape
    depths = np.minimum(array.chunk, length(inputs) - array.chunk * np.arange(chunks))[:, None]
    width = length(channels)
    macs = int((left * depths).sum()) * width
    weights = length(inputs) * taps * width
    bits = lp.operand_bits
    tile.work = Work(
        slots=slots * chunks * taps,
        executed=int(left.sum()),
        dense=slots * weights,
        useful=int(useful),
    )
    if not scanned:
        return
    tile.cycles = chunks * taps * array.chunk + array.depth
    tile.cycles += stream_cycles(array, mode, scanned, left.ravel())
    tile.work.energy = {
        "wg.mac_mul" if bits > 1 else "wg.mac_add": macs,
        "wg.reg16": 4 * macs + 2 * macs * (bits // 16),
        "wg.reg1": 2 * macs * (bits % 16),
        "wg.spike_read": int((left * depths).sum()) * bits,
        "wg.gradient_read": int(left.sum()) * width,
        "wg.accumulator_read": weights,
        "wg.accumulator_write": weights,
        "engine.scan": scanned * chunks * taps if mode == "vector" else 0,
    }


def _spill(
    builder: Builder,
    lp: LayerPlan,
    part: Slice,
    channels: Span,
    strip: Strip,
    tile: Tile,
    worked: bool,
    last: bool,
) -> None:
    """Keep the partial dW of an output tile in DRAM between the pieces of a pass.

    It is read once it has been written, and written back.
    """
    inputs = strip.inputs
    scratch = lp.weights[f"dW.core{part.core:02d}"]
    start = scratch.offset(channels[0], inputs[0], 0)
    run = scratch.run(start, length(channels) * length(inputs) * scratch.taps)
    key = (lp.layer.index, part.core, channels[0])
    found = builder.spills.setdefault(key, {})
    if strip.once:
        if not last:
            return
    elif not worked:
        return
    elif inputs in found:
        tile.reads += (run,)
        tile.read_needs += (found[inputs],)
    written = builder.done.ident("partial dW", lp.layer.name, f"core{part.core:02d}", "channel",
                                 channels[0], "input", inputs[0], "sample", tile.sample,
                                 "piece", len(builder.program.tiles[part.core]["wg"]))  # fmt: skip
    found[inputs] = builder.done.expect(written)
    tile.saves += (written,)
    tile.writes += (run,)

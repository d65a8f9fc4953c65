"""WG programs: dW by output tile, reduction over replicas, weight update.

dW stays in the accumulators over all samples and steps; a slice that does not fit is kept in DRAM
as partial sums and read and written once a sample block. Replicas of the same weights (batch and
spatial cuts) each own a share: all others send theirs to the owner, which adds them in core order,
updates its share and writes the weights. An update waits until no core reads the old weights.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tlm.mapping.backward import gradient_blocks
from tlm.mapping.builder import Builder, dead_pairs, merge, stream_cycles
from tlm.mapping.forward import per_sample, saved, tile_of
from tlm.mapping.nest import Block, ceil_div, sample_blocks
from tlm.mapping.plan import LayerPlan
from tlm.mapping.region import Region, Slice, Span, cuts, length, overlap
from tlm.task import BATCH, Command, Phase, Tile, Work


def build_weight_gradient(builder: Builder, lp: LayerPlan, turns: dict[int, int]) -> None:
    """Append WG of one layer; ``turns`` counts the dU blocks each core has let go of."""
    for part in lp.slices:
        for samples in gradient_blocks(builder, lp, part):
            for piece in _input_blocks(builder, lp, part, samples):
                _piece(builder, lp, part, piece)
            last = builder.program.tiles[part.core]["wg"][-1]
            turn = turns.get(part.core, 0)
            turns[part.core] = turn + 1
            used = builder.done.ident("dU used", f"core{part.core:02d}", turn)
            last.signals += (builder.done.expect(used),)


def _input_blocks(builder: Builder, lp: LayerPlan, part: Slice, samples: Span) -> Iterator[Span]:
    """Cut a dU block further where the input spikes would not fit half of the spike memory."""
    tensor = lp.tensors["input"]
    rows = length(lp.wanted_input(part.neurons).rows)
    bits = rows * tensor.row_bytes * 8 * tensor.groups * tensor.steps
    return sample_blocks(samples, bits, builder.plan.chip.core.memory.spikes)


def _piece(builder: Builder, lp: LayerPlan, part: Slice, samples: Span) -> None:
    """Tiles of one sample block, one for each tile of output channels."""
    layer, array, steps = lp.layer, builder.array, (0, builder.plan.steps)
    block = Block(samples, part.neurons.rows, steps)
    plane = length(block.rows) * layer.out_shape[2]
    dead = dead_pairs(lp, samples, steps)
    slots = plane * length(samples) * builder.plan.steps
    scanned = slots - plane * len(dead)
    neurons = Region(part.neurons.channels, samples, block.rows)
    reads = lp.input_runs(neurons, steps, lp.live)
    for k in range(*part.neurons.channels, array.tile):
        channels = (k, min(k + array.tile, part.neurons.channels[1]))
        tile = builder.add(part.core, tile_of(Phase.WG, lp, block))
        tile.needs = per_sample(builder, "dU for WG", lp, part, samples)
        tile.skipped = dead
        tile.covers = plane * length(channels)
        _count(builder, lp, part, block, channels, slots, scanned, tile)
        if not scanned:
            continue
        tile.reads, reads = reads, ()
        if layer.index:
            tile.read_needs = saved(builder, builder.plan.layers[layer.index - 1], samples)
        if lp.dw_spilled:
            _spill(builder, lp, part, channels, tile)


def _count(
    builder: Builder,
    lp: LayerPlan,
    part: Slice,
    block: Block,
    channels: Span,
    slots: int,
    scanned: int,
    tile: Tile,
) -> None:
    """Cycles and work of one tile; accesses as the released NeuroMC model (WE)."""
    layer, array = lp.layer, builder.array
    (b0, b1), (y0, y1) = block.samples, block.rows
    mode = builder.plan.chip.core.engines.wg.mode
    area = (slice(None), slice(b0, b1), channels[0] // array.tile)
    executed = lp.wg.executed[area][..., y0:y1].sum(axis=(0, 1, 4))  # chunk, tap
    useful = lp.wg.useful[area][..., y0:y1].sum()
    left = executed if mode == "vector" else np.full_like(executed, scanned)
    chunks, taps = executed.shape
    depths = np.minimum(array.chunk, layer.in_shape[0] - array.chunk * np.arange(chunks))[:, None]
    width = length(channels)
    macs = int((left * depths).sum()) * width
    weights = layer.in_shape[0] * taps * width
    analog = layer.input_kind == "analog"
    tile.work = Work(
        slots=slots * chunks * taps,
        executed=int(left.sum()),
        dense=slots * layer.in_shape[0] * taps * width,
        useful=int(useful),
    )
    if not scanned:
        return
    tile.cycles = chunks * taps * array.chunk + array.depth
    tile.cycles += stream_cycles(array, mode, scanned, left.ravel())
    tile.work.energy = {
        "wg.mac_mul" if analog else "wg.mac_add": macs,
        "wg.reg16": 4 * macs + (2 * macs if analog else 0),
        "wg.reg1": 0 if analog else 2 * macs,
        "wg.spike_read": int((left * depths).sum()) * (16 if analog else 1),
        "wg.gradient_read": int(left.sum()) * width,
        "wg.accumulator_read": weights,
        "wg.accumulator_write": weights,
        "engine.scan": scanned * chunks * taps if mode == "vector" else 0,
    }


def _spill(builder: Builder, lp: LayerPlan, part: Slice, channels: Span, tile: Tile) -> None:
    """Read the partial dW of an output tile once it has been written, and write it back."""
    scratch = lp.weights[f"dW.core{part.core:02d}"]
    start = scratch.offset(channels[0], 0, 0)
    run = scratch.run(start, length(channels) * scratch.inputs * scratch.taps)
    key = (lp.layer.index, part.core, channels[0])
    if key in builder.spills:
        tile.reads += (run,)
        tile.read_needs += (builder.spills[key],)
    written = builder.done.ident("partial dW", lp.layer.name, f"core{part.core:02d}",
                                 "channel", channels[0], "sample", tile.sample)  # fmt: skip
    builder.spills[key] = builder.done.expect(written)
    tile.saves += (written,)
    tile.writes += (run,)


def _read_spilled(
    builder: Builder, lp: LayerPlan, part: Slice, spans: list[Span], tile: Tile
) -> None:
    """Read spans of a slice's spilled dW; output tiles that no sample has touched are zero."""
    scratch = lp.weights[f"dW.core{part.core:02d}"]
    (k0, k1), tile_width = part.neurons.channels, builder.array.tile
    for k in range(k0, k1, tile_width):
        key = (lp.layer.index, part.core, k)
        if key not in builder.spills:
            continue
        whole = (scratch.offset(k, 0, 0), scratch.offset(min(k + tile_width, k1), 0, 0))
        shared = [overlap(span, whole) for span in spans]
        runs = tuple(scratch.run(low, high - low) for low, high in shared if low < high)
        if runs:
            tile.reads += runs
            tile.read_needs += (builder.spills[key],)


def _shares(lp: LayerPlan, part: Slice) -> list[tuple[Slice, Span]]:
    """Each replica with the span of weight elements it owns, counted within the whole tensor."""
    start = lp.weights["W"].offset(part.neurons.channels[0], 0, 0)
    replicas = lp.replicas(part)
    spans = cuts(lp.weight_count(part), len(replicas))
    return [
        (replica, (start + low, start + high))
        for replica, (low, high) in zip(replicas, spans, strict=False)
    ]


def build_reduction(builder: Builder, lp: LayerPlan) -> None:
    """Append the reduction of dW: every replica sends the other replicas their shares."""
    for part in lp.slices:
        others = [(r, span) for r, span in _shares(lp, part) if r.index != part.index]
        if not others:
            continue
        tile = builder.add(part.core, _once(Phase.REDUCE, lp))
        if lp.dw_spilled:
            _read_spilled(builder, lp, part, [span for _, span in others], tile)
        for replica, (low, high) in others:
            nbytes = (high - low) * builder.plan.chip.precision.partial_sum // 8
            arrives = (builder.done.ident("dW", lp.layer.name, f"core{replica.core:02d}"),)
            builder.send(Command.WEIGHT_GRADIENT, part.core, replica.core, nbytes, arrives, tile)


def _once(phase: Phase, lp: LayerPlan) -> Tile:
    return Tile(phase, lp.layer.index, BATCH, 1, BATCH, 1)


def build_update(builder: Builder, lp: LayerPlan) -> None:
    """Append the weight update of every slice's share, streamed through the weight buffer."""
    memory, precision = builder.plan.chip.core.memory, builder.plan.chip.precision
    size = max(1, memory.weights // 2 // precision.weight)
    state = [lp.weights[key] for key in ("W", "moment1", "moment2") if key in lp.weights]
    action = f"wg.update_op_{builder.plan.workload.optimizer}"
    lanes = builder.array.lanes
    for part in lp.slices:
        shares = _shares(lp, part)
        span = next((span for replica, span in shares if replica.index == part.index), (0, 0))
        needs: tuple[int, ...] = (builder.done.ident("old weights", lp.layer.name),)
        if len(shares) > 1:
            needs += (builder.done.ident("dW", lp.layer.name, f"core{part.core:02d}"),)
        for low in range(*span, size):
            count = min(size, span[1] - low)
            adds = count * (len(shares) - 1)
            tile = builder.add(part.core, _once(Phase.UPDATE, lp))
            tile.needs, tile.covers = needs, count
            tile.cycles = ceil_div(count, lanes) + ceil_div(adds, lanes) + builder.array.depth
            tile.writes = tuple(tensor.run(low, count) for tensor in state)
            tile.reads = tile.writes
            if lp.dw_spilled:
                _read_spilled(builder, lp, part, [(low, low + count)], tile)
            tile.work.energy = {action: count, "wg.reduce_add": adds}
            merge(tile.work.energy, {"wg.accumulator_read": count})


def guard_old_weights(builder: Builder, lp: LayerPlan) -> None:
    """Let every last BP tile of a layer (FP where there is no BP) release its old weights.

    The release costs nothing on the mesh: it stands for a barrier of one wire a core (assumed).
    """
    ident = builder.done.ident("old weights", lp.layer.name)
    engine, phase = ("bp", Phase.BP) if lp.layer.index else ("fp", Phase.FP)
    for part in lp.slices:
        for tile in reversed(builder.program.tiles[part.core][engine]):
            if tile.phase == phase and tile.layer == lp.layer.index:
                tile.signals += (builder.done.expect(ident),)
                break

"""FP programs: convolution by weight-stationary blocks, then the soma pass of each output tile."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tlm.mapping.builder import (
    STATE_WIDTH,
    Builder,
    merge,
    spare_first_reads,
    spike_bytes,
    stream_cycles,
    wide_accesses,
)
from tlm.mapping.nest import Block, blocks, ceil_div
from tlm.mapping.plan import LayerPlan
from tlm.mapping.region import Region, Slice, Span, length
from tlm.task import Command, Phase, Tile, Work


def build_forward(builder: Builder, lp: LayerPlan, after: LayerPlan | None) -> None:
    """Append FP of one layer to every core's FP engine."""
    for part in lp.slices:
        region = part.neurons
        width = lp.layer.out_shape[2]
        for block in blocks(
            region.samples, region.rows, builder.plan.steps, width, builder.array.positions
        ):
            _block(builder, lp, after, part, block)


def _block(
    builder: Builder, lp: LayerPlan, after: LayerPlan | None, part: Slice, block: Block
) -> None:
    (b0, b1), (y0, y1), (t0, t1) = block.samples, block.rows, block.steps
    area = (slice(t0, t1), slice(b0, b1), slice(None), slice(None), slice(y0, y1))
    executed = lp.fp.executed[area].sum(axis=(0, 1, 4)).ravel()  # chunk, tap
    events = lp.fp.events[area].sum(axis=(0, 1, 4)).ravel()
    touched = int(lp.fp.touched[t0:t1, b0:b1, y0:y1].sum())
    if builder.plan.chip.core.engines.fp.mode == "dense":
        touched = block.positions(lp.layer.out_shape[2])
    neurons = Region(part.neurons.channels, block.samples, block.rows)
    inputs = lp.input_runs(neurons, block.steps) if lp.forward == "dram" else ()
    for k in range(*part.neurons.channels, builder.array.tile):
        channels = (k, min(k + builder.array.tile, part.neurons.channels[1]))
        made = _array_pass(builder, lp, part, block, channels, executed, events)
        spare_first_reads(made, touched * length(channels), "fp")
        first, last = made[0], made[-1]
        first.reads, inputs = inputs + first.reads, ()
        if lp.forward == "noc":
            first.needs = per_sample(builder, "FP input", lp, part, block.samples)
        else:
            first.read_needs = _input_saved(builder, lp, part, block.samples)
        _soma(builder, lp, after, part, block, channels, last)


def _array_pass(
    builder: Builder,
    lp: LayerPlan,
    part: Slice,
    block: Block,
    channels: Span,
    executed: npt.NDArray[np.int64],
    events: npt.NDArray[np.int64],
) -> list[Tile]:
    """Tiles of one output tile of channels, a group of weights each."""
    layer, array = lp.layer, builder.array
    taps = layer.kernel[0] * layer.kernel[1]
    weights = [
        (channels[0], c, tap)
        for c in range(0, layer.in_shape[0], array.chunk)
        for tap in range(taps)
    ]
    resident = builder.resident(lp, lp.weight_count(part))
    mode = builder.plan.chip.core.engines.fp.mode
    slots = block.positions(layer.out_shape[2])
    made: list[Tile] = []
    for group in builder.weight_groups(weights):
        left = executed[group] if mode == "vector" else np.full(len(group), slots)
        tile = builder.add(part.core, tile_of(Phase.FP, lp, block))
        tile.reads = builder.weight_reads(
            "fp", lp, part.core, [weights[i] for i in group], resident
        )
        tile.cycles = len(group) * array.chunk + stream_cycles(array, mode, slots, left)
        depths = np.array([min(array.chunk, layer.in_shape[0] - weights[i][1]) for i in group])
        tile.work = _work(builder, lp, slots, left, events[group], depths, length(channels))
        loaded = sum(nbytes for _, nbytes in tile.reads) * 8 // array.weight_bits
        merge(tile.work.energy, {"fp.weight_write": loaded})
        made.append(tile)
    return made


def tile_of(phase: Phase, lp: LayerPlan, block: Block) -> Tile:
    return Tile(
        phase,
        lp.layer.index,
        block.samples[0],
        length(block.samples),
        block.steps[0],
        length(block.steps),
    )


def _work(
    builder: Builder,
    lp: LayerPlan,
    slots: int,
    executed: npt.NDArray[np.int64],
    events: npt.NDArray[np.int64],
    depths: npt.NDArray[np.int64],
    width: int,
) -> Work:
    """Work of a group of weight tiles; accesses as the released NeuroMC model (FE)."""
    analog = lp.layer.input_kind == "analog"
    macs = int((executed * depths).sum()) * width
    vectors = int(executed.sum())
    mode = builder.plan.chip.core.engines.fp.mode
    loaded = int(depths.sum()) * width
    return Work(
        slots=slots * len(executed),
        executed=vectors,
        dense=slots * int(depths.sum()) * width,
        useful=int(events.sum()) * width,
        energy={
            "fp.mac_mul" if analog else "fp.mac_add": macs,
            "fp.reg16": 3 * macs + vectors * width + 2 * loaded + (2 * macs if analog else 0),
            "fp.reg1": 0 if analog else 2 * macs,
            "fp.weight_read": loaded,
            "fp.spike_read": int((executed * depths).sum()) * (16 if analog else 1),
            "fp.partial_read": vectors * width,
            "fp.partial_write": vectors * width,
            "engine.scan": slots * len(executed) if mode == "vector" else 0,
        },
    )


def _soma(
    builder: Builder,
    lp: LayerPlan,
    after: LayerPlan | None,
    part: Slice,
    block: Block,
    channels: Span,
    tile: Tile,
) -> None:
    """Add drain, soma pass, saved state and spike delivery to the last tile of an output tile."""
    width = lp.layer.out_shape[2]
    per_pair = length(channels) * length(block.rows) * width
    neurons = per_pair * length(block.samples) * length(block.steps)
    tile.cycles += builder.array.depth + ceil_div(neurons, builder.array.lanes)
    tile.covers = per_pair
    membrane = builder.plan.chip.precision.membrane
    merge(
        tile.work.energy,
        {
            "fp.soma_op": neurons,
            "fp.partial_read": neurons,
            "fp.membrane_read": wide_accesses(neurons, membrane),
            "fp.membrane_write": wide_accesses(neurons, membrane),
            "fp.state_write": 2 * wide_accesses(neurons, 1, STATE_WIDTH),
        },
    )
    pooled = lp.pooled(Region(channels, block.samples, block.rows))
    for name in ("U", "S", "m"):
        tile.writes += lp.tensors[name].runs(block.samples, block.steps, channels, block.rows)
    if lp.layer.pool is not None:
        for name in ("spikes", "need"):
            tile.writes += lp.tensors[name].runs(block.samples, block.steps, channels, pooled.rows)
    tile.saves = tuple(
        builder.done.expect(ident)
        for ident in per_sample(builder, "saved", lp, part, block.samples)
    )
    _deliver(builder, lp, after, part, pooled, block.steps, tile)


def _deliver(
    builder: Builder,
    lp: LayerPlan,
    after: LayerPlan | None,
    part: Slice,
    made: Region,
    steps: Span,
    tile: Tile,
) -> None:
    """Send the pooled spikes of a finished block to all that read them in FP, or to the loss."""
    if after is None:
        for sample in range(*made.samples):
            _send_spikes(builder, lp, part, loss_core(lp, sample),
                         Region(made.channels, (sample, sample + 1), made.rows), steps,
                         (builder.done.ident("loss input", sample),), tile)  # fmt: skip
        return
    if after.forward != "noc":
        return
    for reader in after.slices:
        wanted = after.wanted_input(reader.neurons)
        shared = made.meet(wanted)
        if shared is not None:
            arrives = per_sample(builder, "FP input", after, reader, shared.samples)
            _send_spikes(builder, lp, part, reader.core, shared, steps, arrives, tile)


def _send_spikes(
    builder: Builder,
    lp: LayerPlan,
    part: Slice,
    core: int,
    region: Region,
    steps: Span,
    arrives: tuple[int, ...],
    tile: Tile,
) -> None:
    spikes = lp.spikes[
        slice(*steps), slice(*region.samples), slice(*region.channels), slice(*region.rows)
    ]
    nbytes = spike_bytes(spikes.size, int(np.count_nonzero(spikes)))
    builder.send(Command.SPIKE, part.core, core, nbytes, arrives, tile)


def loss_core(lp: LayerPlan, sample: int) -> int:
    """The core that computes a sample's loss: the owner of the output layer's first channels."""
    return next(
        part.core
        for part in lp.slices
        if part.neurons.samples[0] <= sample < part.neurons.samples[1]
    )


def per_sample(
    builder: Builder, what: str, lp: LayerPlan, part: Slice, samples: Span
) -> tuple[int, ...]:
    return tuple(
        builder.done.ident(what, lp.layer.name, f"core{part.core:02d}", "sample", sample)
        for sample in range(*samples)
    )


def _input_saved(builder: Builder, lp: LayerPlan, part: Slice, samples: Span) -> tuple[int, ...]:
    """The completions that say the producer's spikes of these samples are in DRAM."""
    if lp.layer.index == 0:
        return ()
    return saved(builder, builder.plan.layers[lp.layer.index - 1], samples)


def saved(builder: Builder, lp: LayerPlan, samples: Span) -> tuple[int, ...]:
    """The completions that say a layer's state of these samples is in DRAM, all slices of it."""
    found: tuple[int, ...] = ()
    for part in lp.slices:
        low = max(samples[0], part.neurons.samples[0])
        high = min(samples[1], part.neurons.samples[1])
        found += per_sample(builder, "saved", lp, part, (low, max(low, high)))
    return found

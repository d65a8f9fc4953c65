"""Back-propagation programs: loss, gradient unit in reverse time, dS by weight-stationary blocks.

A core walks its slice in sample blocks whose dU fit half of the gradient memory: GRAD turns the
arrived dS and the saved state into dU of all steps, then BP computes dS of the layer before from
it and WG (its own engine) dW. GRAD of the block after next waits until WG has let go of the
memory; where one sample needs more than half of it, GRAD of the next block does.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tlm.mapping.builder import (
    STATE_WIDTH,
    Builder,
    bitmap_bytes,
    dead_pairs,
    merge,
    spare_first_reads,
    stream_cycles,
    wide_accesses,
)
from tlm.mapping.forward import loss_core, per_sample, saved, tile_of
from tlm.mapping.nest import Block, blocks, ceil_div, sample_blocks
from tlm.mapping.plan import LayerPlan
from tlm.mapping.region import Region, Slice, Span, length
from tlm.mapping.split import gradient_bits, output_rows
from tlm.task import Command, Phase, Run, Tile, Work

LOSS_PASSES = 3  # exp, sum, divide: passes of the unit lanes over the classes (assumed)


def build_loss(builder: Builder, lp: LayerPlan) -> None:
    """Append the loss of every sample: read-out over T, soft-max, dS of the output layer."""
    classes, steps = lp.layer.out_shape[0], builder.plan.steps
    for sample in range(builder.plan.workload.batch):
        core = loss_core(lp, sample)
        tile = Tile(Phase.LOSS, lp.layer.index, sample, 1, 0, steps)
        passes = steps + LOSS_PASSES
        tile.cycles = passes * ceil_div(classes, builder.array.lanes) + builder.array.depth
        tile.work = Work(energy={"bp.grad_op": passes * classes})
        tile.needs = (builder.done.ident("loss input", sample),)
        tile.covers = classes
        builder.add(core, tile)
        for part in lp.slices:
            if part.neurons.samples[0] <= sample < part.neurons.samples[1]:
                arrives = per_sample(builder, "dS", lp, part, (sample, sample + 1))
                values = length(part.neurons.channels) * steps
                nbytes = ceil_div(values * builder.plan.chip.precision.gradient, 8)
                builder.send(Command.GRADIENT, core, part.core, nbytes, arrives, tile)


def gradient_blocks(builder: Builder, lp: LayerPlan, part: Slice) -> list[Span]:
    """Sample blocks of a slice: what half of the gradient memory holds, at least one sample."""
    chip = builder.plan.chip
    bits = gradient_bits(lp.layer, builder.plan.steps, part, chip)
    return list(sample_blocks(part.neurons.samples, bits, chip.core.memory.gradients))


def build_backward(builder: Builder, lp: LayerPlan, before: LayerPlan | None, sources: int) -> None:
    """Append GRAD and BP of one layer; ``sources`` K-slices each send it a partial dS."""
    for part in lp.slices:
        for samples in gradient_blocks(builder, lp, part):
            _grad(builder, lp, part, samples, sources)
            if before is None:
                continue
            width = lp.layer.in_shape[2]
            for block in blocks(
                samples, part.input_rows, builder.plan.steps, width, builder.array.positions
            ):
                _bp_block(builder, lp, before, part, block)


def _grad(builder: Builder, lp: LayerPlan, part: Slice, samples: Span, sources: int) -> None:
    """The gradient unit: sum partial dS in fixed order, apply surrogate and carry, give dU."""
    region, steps = part.neurons, (0, builder.plan.steps)
    per_pair = length(region.channels) * length(region.rows) * lp.layer.out_shape[2]
    neurons = per_pair * length(samples) * builder.plan.steps
    arrived = lp.pooled(Region(region.channels, samples, region.rows)).size
    arrived *= lp.layer.pooled_shape[2] * builder.plan.steps  # dS comes on the pooled grid
    adds = arrived * (sources - 1)
    tile = builder.add(part.core, tile_of(Phase.GRAD, lp, Block(samples, region.rows, steps)))
    lanes = builder.array.lanes
    tile.cycles = ceil_div(neurons, lanes) + ceil_div(adds, lanes) + builder.array.depth
    tile.covers = per_pair
    tile.needs = per_sample(builder, "dS", lp, part, samples)
    tile.needs += _free_memory(builder, lp, part)
    tile.read_needs = per_sample(builder, "saved", lp, part, samples)
    for name in ("U", "S", "m"):
        tile.reads += lp.tensors[name].runs(samples, steps, region.channels, region.rows)
    precision = builder.plan.chip.precision
    tile.work = Work(
        energy={
            "bp.grad_op": neurons,
            "bp.reduce_add": adds,
            "bp.partial_read": arrived * sources,
            "bp.membrane_read": wide_accesses(neurons, precision.membrane),
            "bp.gradient_write": wide_accesses(neurons, precision.gradient),
            "bp.state_read": 2 * wide_accesses(neurons, 1, STATE_WIDTH),
        }
    )
    own = per_sample(builder, "dU for WG", lp, part, samples)
    builder.send(Command.GRADIENT, part.core, part.core, 0, own, tile)
    if lp.layer.index:
        _share_gradient(builder, lp, part, samples, tile)


def _free_memory(builder: Builder, lp: LayerPlan, part: Slice) -> tuple[int, ...]:
    """The completion of the WG block that must let go of the memory this dU block is put into.

    Blocks alternate between two halves; one that needs the whole memory waits for all before it,
    and the next one for it.
    """
    chip = builder.plan.chip
    bits = gradient_bits(lp.layer, builder.plan.steps, part, chip)
    whole = bits > chip.core.memory.gradients // 2
    turn, before_whole = builder.grads.get(part.core, (0, False))
    builder.grads[part.core] = (turn + 1, whole)
    freed = turn - (1 if whole or before_whole else 2)
    return (builder.done.ident("dU used", f"core{part.core:02d}", freed),) if freed >= 0 else ()


def _share_gradient(
    builder: Builder, lp: LayerPlan, part: Slice, samples: Span, tile: Tile
) -> None:
    """Give dU to every core whose BP rows need it: its own, and neighbours across row cuts."""
    for reader in lp.slices:
        if reader.neurons.channels != part.neurons.channels or not length(reader.input_rows):
            continue
        wanted = Region(
            part.neurons.channels,
            reader.neurons.samples,
            output_rows(lp.layer, reader.input_rows),
        )
        made = Region(part.neurons.channels, samples, part.neurons.rows)
        shared = made.meet(wanted)
        if shared is None:
            continue
        values = lp.gradients[
            :, slice(*shared.samples), slice(*shared.channels), slice(*shared.rows)
        ]
        live = lp.live[:, slice(*shared.samples)]
        elements = values[0, 0].size * int(np.count_nonzero(live))
        present = int(np.count_nonzero(values[live]))
        nbytes = gradient_bytes(builder, elements, present, builder.plan.chip.precision.gradient)
        arrives = per_sample(builder, "dU", lp, reader, shared.samples)
        builder.send(Command.GRADIENT, part.core, reader.core, nbytes, arrives, tile)


def gradient_bytes(builder: Builder, elements: int, present: int, bits: int) -> int:
    """Payload of gradients: plain in mode ``dense``, else a bitmap and the values present."""
    if builder.plan.chip.core.engines.bp.mode == "dense":
        present = elements
    return bitmap_bytes(elements, present, bits)


def _bp_block(
    builder: Builder, lp: LayerPlan, before: LayerPlan, part: Slice, block: Block
) -> None:
    assert lp.bp is not None
    array, layer = builder.array, lp.layer
    (b0, b1), (y0, y1), (t0, t1) = block.samples, block.rows, block.steps
    tiles = slice(
        part.neurons.channels[0] // array.tile, -(-part.neurons.channels[1] // array.tile)
    )
    area = (slice(t0, t1), slice(b0, b1), tiles, slice(None), slice(None), slice(y0, y1))
    executed = lp.bp.executed[area].sum(axis=(0, 1, 5))  # tile, chunk, tap
    useful = lp.bp.useful[area].sum(axis=(0, 1, 5))
    needs = per_sample(builder, "dU", lp, part, block.samples)
    reads, read_needs = _mask_reads(builder, lp, before, block)
    for index, c in enumerate(range(0, layer.in_shape[0], array.chunk)):
        chunk = (c, min(c + array.chunk, layer.in_shape[0]))
        made = _array_pass(
            builder, lp, part, block, chunk, executed[:, index].ravel(), useful[:, index].ravel()
        )
        spare_first_reads(made, _outputs(builder, lp, part, block, index) * length(chunk), "bp")
        first, last = made[0], made[-1]
        first.needs, first.read_needs = needs, read_needs
        first.reads, reads = reads + first.reads, ()
        last.covers = length(chunk) * length(block.rows) * layer.in_shape[2]
        last.covers *= length(part.neurons.channels)
        _return_partials(builder, lp, before, part, block, chunk, last)


def _outputs(builder: Builder, lp: LayerPlan, part: Slice, block: Block, chunk: int) -> int:
    """Positions of a block whose dS of one chunk gets at least one executed slot."""
    pairs = (slice(*block.steps), slice(*block.samples))
    if builder.plan.chip.core.engines.bp.mode == "dense":
        live = int(np.count_nonzero(lp.live[pairs]))
        return live * length(block.rows) * lp.layer.in_shape[2]
    return int(lp.bp_touched[part.neurons.channels][(*pairs, chunk, slice(*block.rows))].sum())


def _mask_reads(
    builder: Builder, lp: LayerPlan, before: LayerPlan, block: Block
) -> tuple[tuple[Run, ...], tuple[int, ...]]:
    """The output masks BP needs to skip outputs, from DRAM where FP left them."""
    engine = builder.plan.chip.core.engines.bp
    if engine.mode == "dense" or not engine.skip_outputs:
        return (), ()
    tensor = before.tensors["need"]
    rows = (0, tensor.rows) if lp.layer.kind == "linear" else block.rows
    runs = tensor.runs(block.samples, block.steps, (0, tensor.channels), rows, lp.live)
    return runs, saved(builder, before, block.samples) if runs else ()


def _array_pass(
    builder: Builder,
    lp: LayerPlan,
    part: Slice,
    block: Block,
    chunk: Span,
    executed: npt.NDArray[np.int64],
    useful: npt.NDArray[np.int64],
) -> list[Tile]:
    """Tiles of one output tile of dS, a chunk of input channels, a group of weights each."""
    layer, array = lp.layer, builder.array
    taps = layer.kernel[0] * layer.kernel[1]
    weights = [(k, chunk[0], tap) for k in range(*part.neurons.channels, array.tile)
               for tap in range(taps)]  # fmt: skip
    resident = builder.resident(lp, lp.weight_count(part))
    mode = builder.plan.chip.core.engines.bp.mode
    dead = dead_pairs(lp, block.samples, block.steps)
    plane = length(block.rows) * layer.in_shape[2]
    slots = block.positions(layer.in_shape[2])
    scanned = slots - plane * len(dead)
    made: list[Tile] = []
    for group in builder.weight_groups(weights):
        tile = builder.add(part.core, tile_of(Phase.BP, lp, block))
        tile.skipped = dead
        made.append(tile)
        depths = np.array([min(array.tile, layer.out_shape[0] - weights[i][0]) for i in group])
        left = executed[group] if mode == "vector" else np.full(len(group), scanned)
        tile.work = _work(builder, slots, scanned, left, useful[group], depths, length(chunk))
        if not scanned:
            continue
        tile.reads = builder.weight_reads(
            "bp", lp, part.core, [weights[i] for i in group], resident
        )
        tile.cycles = len(group) * array.tile + stream_cycles(array, mode, scanned, left)
        loaded = sum(nbytes for _, nbytes in tile.reads) * 8 // array.weight_bits
        read = int(depths.sum()) * length(chunk)
        merge(tile.work.energy, {"bp.weight_write": loaded, "bp.weight_read": read,
                                 "bp.reg16": 2 * read})  # fmt: skip
    if scanned:
        made[-1].cycles += array.depth
    return made


def _work(
    builder: Builder,
    slots: int,
    scanned: int,
    executed: npt.NDArray[np.int64],
    useful: npt.NDArray[np.int64],
    depths: npt.NDArray[np.int64],
    width: int,
) -> Work:
    """Work of a group of weight tiles; accesses as the released NeuroMC model (BE)."""
    macs = int((executed * depths).sum()) * width
    vectors = int(executed.sum())
    mode = builder.plan.chip.core.engines.bp.mode
    return Work(
        slots=slots * len(executed),
        executed=vectors,
        dense=slots * int(depths.sum()) * width,
        useful=int(useful.sum()),
        energy={
            "bp.mac": macs,
            "bp.reg16": 5 * macs + vectors * width,
            "bp.gradient_read": int((executed * depths).sum()),
            "bp.partial_read": vectors * width,
            "bp.partial_write": vectors * width,
            "engine.scan": scanned * len(executed) if mode == "vector" else 0,
        },
    )


def _return_partials(
    builder: Builder,
    lp: LayerPlan,
    before: LayerPlan,
    part: Slice,
    block: Block,
    chunk: Span,
    tile: Tile,
) -> None:
    """Send a finished dS chunk to the slices of the layer before that own its elements."""
    (b0, b1), steps = block.samples, slice(*block.steps)
    live = lp.live[steps, b0:b1]
    need = before.need.reshape(*before.need.shape[:2], *lp.layer.in_shape)
    shape = before.layer.pooled_shape
    owner = np.broadcast_to(before.owner[..., None], (*before.owner.shape, shape[2]))
    owner = owner.reshape(owner.shape[0], *lp.layer.in_shape)
    part_of = owner[b0:b1, slice(*chunk), slice(*block.rows)]
    wanted = need[steps, b0:b1, slice(*chunk), slice(*block.rows)]
    partial = lp.split.k > 1
    precision = builder.plan.chip.precision
    bits = precision.partial_sum if partial else precision.gradient
    for index in np.unique(part_of).tolist():
        mine = part_of == index
        target = before.slices[index]
        samples = (max(b0, target.neurons.samples[0]), min(b1, target.neurons.samples[1]))
        per_sample_elements = mine.sum(axis=(1, 2, 3))
        elements = int((live * per_sample_elements).sum())
        present = int(np.count_nonzero(wanted & mine & live[..., None, None, None]))
        nbytes = gradient_bytes(builder, elements, present, bits)
        arrives = per_sample(builder, "dS", before, target, samples)
        builder.send(Command.GRADIENT, part.core, target.core, nbytes, arrives, tile)

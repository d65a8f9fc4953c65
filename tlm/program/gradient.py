"""The gradient unit of BP: loss, dL/dI in reverse time, dL/dY for BP and WG.

Where dY fits the gradient memory it is handed on there: its blocks alternate between the halves,
and neighbours across row cuts get the rows they need. Else it goes to DRAM.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod

import numpy as np

from tlm.counts.blocks import sample_blocks
from tlm.placement.slice_bits import dY_bits
from tlm.program.builder import (
    ProgramBuilder,
    bitmap_bytes,
    per_sample,
    saved,
    tile_of,
    wide_accesses,
)
from tlm.program.forward import walk_products
from tlm.program.normalise import read_currents, statistics, unit_regions
from tlm.program.soma import loss_core
from tlm.program.tile_draft import TileDraft
from tlm.space.geometry import fed_rows, output_rows, product_span
from tlm.space.phase import Command, Phase
from tlm.space.ports import STATE_PORT_BITS
from tlm.space.region import Block, Region, Slice, Span, length
from tlm.space.rounding import ceil_div
from tlm.space.tile import Extent, Work
from tlm.storage.plan import LayerPlan

LOSS_PASSES = 3  # exp, sum, divide: passes of the unit lanes over the classes (assumed)


def build_loss(builder: ProgramBuilder, layer_plan: LayerPlan, group: Sequence[Span]) -> None:
    """Append the loss of some samples: read-out over T, soft-max, dS of the output layer."""
    classes, steps = prod(layer_plan.layer.pooled_shape), builder.plan.steps
    for sample in (sample for span in group for sample in range(*span)):
        core = loss_core(layer_plan, sample)
        tile = TileDraft(Phase.LOSS, layer_plan.layer.index, sample, 1, 0, steps)
        passes = steps + LOSS_PASSES
        tile.add_cycles(passes * ceil_div(classes, builder.arrays.lanes) + builder.arrays.depth)
        tile.work = Work(energy={"bp.grad_op": passes * classes})
        tile.add_needs((builder.done.ident("loss input", sample),))
        tile.add_covers(classes)
        builder.add(core, tile)
        for part in layer_plan.cut.slices:
            if part.neurons.samples[0] <= sample < part.neurons.samples[1]:
                arrives = per_sample(builder, "dS", layer_plan, part, (sample, sample + 1))
                at = layer_plan.pooled(replace(part.neurons, samples=(sample, sample + 1)))
                values = at.size * layer_plan.layer.pooled_shape[2] * steps
                nbytes = ceil_div(values * builder.plan.chip.precision.gradient, 8)
                builder.send(Command.GRADIENT, core, part.core, nbytes, arrives, tile)


def gradient_blocks(builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice) -> list[Span]:
    """Sample blocks of a slice: what half of the gradient memory holds, at least one sample."""
    chip = builder.plan.chip
    bits = dY_bits(layer_plan.layer, builder.plan.steps, part, chip)
    return list(sample_blocks(part.neurons.samples, bits, chip.core.memory.gradients))


def gradient_regions(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice
) -> Iterator[Region]:
    """Regions of neurons whose dY the unit makes in one go."""
    if layer_plan.stored.dY == "memory":
        for samples in gradient_blocks(builder, layer_plan, part):
            yield Region(part.neurons.channels, samples, part.neurons.rows)
        return
    chip = builder.plan.chip
    yield from unit_regions(
        builder, part.neurons, layer_plan.width, chip.precision.gradient, chip.core.memory.gradients
    )


def current_gradient(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, region: Region
) -> None:
    """Append GRAD: sum partial dS in fixed order, apply surrogate and carry, give dL/dI."""
    pairs = length(region.samples) * builder.plan.steps
    per_pair = length(region.channels) * length(region.rows) * layer_plan.layer.out_shape[2]
    neurons = per_pair * pairs if layer_plan.layer.neuron is not None else 0
    arrived = layer_plan.pooled(region).size * layer_plan.layer.pooled_shape[2] * builder.plan.steps
    adds = arrived * (layer_plan.partials - 1)
    recomputed = _recompute(builder, layer_plan, part, region)
    tile = builder.add(part.core, _tile(builder, Phase.GRAD, layer_plan, region))
    lanes = builder.arrays.lanes
    tile.add_cycles(
        ceil_div(per_pair * pairs, lanes) + ceil_div(adds, lanes) + builder.arrays.depth
    )
    tile.add_covers(per_pair)
    tile.add_energy(
        {
            "bp.grad_op": neurons,
            "bp.reduce_add": adds,
            "bp.partial_read": arrived * layer_plan.partials,
            "bp.membrane_read": wide_accesses(neurons, builder.plan.chip.precision.membrane),
            "bp.state_read": 2 * wide_accesses(neurons, 1, STATE_PORT_BITS),
        }
    )
    _arrivals(builder, layer_plan, part, region, tile)
    tile.add_needs(recomputed)
    _saved_state(builder, layer_plan, part, region, tile)
    if layer_plan.exact:
        _leave_current_gradient(builder, layer_plan, part, region, tile)
    else:
        _leave_gradient(builder, layer_plan, part, region, tile)


def normalised_gradient(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, region: Region
) -> None:
    """Append NORM_GRAD: dL/dY from dL/dI, the currents and the batch's sums."""
    product = _product(layer_plan, region)
    per_pair = length(product.channels) * length(product.rows) * layer_plan.width
    values = per_pair * length(product.samples) * builder.plan.steps
    tile = builder.add(part.core, _tile(builder, Phase.NORM_GRAD, layer_plan, region))
    tile.add_cycles(ceil_div(values, builder.arrays.lanes) + builder.arrays.depth)
    tile.add_covers(per_pair)
    tile.add_needs((statistics(builder, layer_plan, part, Phase.NORM_GRAD),))
    bits = builder.plan.chip.precision.gradient
    tile.add_energy({"bp.norm_op": values, "bp.norm_read": wide_accesses(values, bits)})
    read_currents(builder, layer_plan, part, product, "bp", tile)
    tile.add_read_needs(per_sample(builder, "dI", layer_plan, part, region.samples))
    if layer_plan.stored.Y == "dram":
        steps = (0, builder.plan.steps)
        tile.add_reads(
            layer_plan.addressed.tensors["dI"].runs(
                region.samples, steps, region.channels, region.rows
            )
        )
    _leave_gradient(builder, layer_plan, part, region, tile)


def _tile(
    builder: ProgramBuilder, phase: Phase, layer_plan: LayerPlan, region: Region
) -> TileDraft:
    return tile_of(phase, layer_plan, Block(region.samples, region.rows, (0, builder.plan.steps)))


def _product(layer_plan: LayerPlan, region: Region) -> Region:
    return Region(region.channels, region.samples, product_span(layer_plan.layer, region.rows))


def _arrivals(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, region: Region, tile: TileDraft
) -> None:
    """Wait for the dS of a region's outputs, and read it where it went through DRAM."""
    if layer_plan.stored.dS == "memory":
        tile.add_needs(per_sample(builder, "dS", layer_plan, part, region.samples))
        return
    pooled = layer_plan.pooled(region)
    for reader in layer_plan.consumers:
        tile.add_read_needs(saved(builder, reader, region.samples, "dX"))
        for k in range(reader.cut.split.k):
            tile.add_reads(_input_gradient_runs(builder, layer_plan, reader, k, pooled))


def _input_gradient_runs(
    builder: ProgramBuilder, layer_plan: LayerPlan, reader: LayerPlan, k: int, pooled: Region
) -> tuple[Extent, ...]:
    """The runs of a reader's dX that flow to a region of a layer's outputs."""
    tensor, pool, steps = (
        reader.addressed.tensors[f"dX{k}"],
        reader.layer.input_pool,
        (0, builder.plan.steps),
    )
    _, height, width = layer_plan.layer.pooled_shape
    if pool is not None:
        _, height, width = pool.pooled(layer_plan.layer.pooled_shape)
    rows = fed_rows(pool, pooled.rows, height)
    if reader.layer.kind == "conv":
        return tensor.runs(pooled.samples, steps, pooled.channels, rows, reader.skips)
    if rows == (0, height):
        spans = [(pooled.channels[0] * height * width, pooled.channels[1] * height * width)]
    else:
        spans = [
            ((c * height + rows[0]) * width, (c * height + rows[1]) * width)
            for c in range(*pooled.channels)
        ]
    return tuple(
        extent
        for span in spans
        for extent in tensor.runs(pooled.samples, steps, span, (0, 1), reader.skips)
    )


def _recompute(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, region: Region
) -> tuple[int, ...]:
    """Let FP make U of a region again; the completion that says it is there.

    FP stays at most one region ahead of the gradient unit: both halves of the U memory are full.
    Where windows of ``current_pool`` overlap, the last rows may follow from the region before.
    """
    if layer_plan.state != "recompute" or layer_plan.exact or layer_plan.layer.neuron is None:
        return ()
    if not _product(layer_plan, region).size:
        return ()
    tiles = builder.drafts[part.core]["fp"]
    start = len(tiles)
    steps = (0, builder.plan.steps)
    walk_products(builder, layer_plan, part, _product(layer_plan, region), steps, Phase.RECOMPUTE)
    region_index = builder.recomputed.get(part.core, 0)
    builder.recomputed[part.core] = region_index + 1
    core = f"core{part.core:02d}"
    if region_index > 1:
        tiles[start].add_needs((builder.done.ident("U used", core, region_index - 2),))
    ready = builder.done.ident("U again", core, region_index)
    tiles[-1].add_signals((builder.done.expect(ready),))
    return (ready,)


def _saved_state(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, region: Region, tile: TileDraft
) -> None:
    """Read what FP saved of the neurons; with batch statistics, U may follow from the currents."""
    steps = (0, builder.plan.steps)
    if layer_plan.layer.neuron is None:
        if "need" in layer_plan.addressed.tensors:  # where in its window each pooled value was
            at = layer_plan.pooled(region)
            tile.add_reads(
                layer_plan.addressed.tensors["need"].runs(at.samples, steps, at.channels, at.rows)
            )
            tile.add_read_needs(per_sample(builder, "saved", layer_plan, part, region.samples))
        return
    if layer_plan.state == "recompute":
        if layer_plan.exact:
            read_currents(builder, layer_plan, part, _product(layer_plan, region), "bp", tile)
            neurons = region.size * layer_plan.layer.out_shape[2] * builder.plan.steps
            tile.add_energy({"bp.norm_scale": neurons, "fp.soma_op": neurons})
        else:
            used = builder.done.ident("U used", f"core{part.core:02d}",
                                      builder.recomputed[part.core] - 1)  # fmt: skip
            tile.add_signals((builder.done.expect(used),))
    if layer_plan.state == "keep":
        return
    for name in ("U", "S", "m", "winner"):
        if name in layer_plan.addressed.tensors:
            tile.add_reads(
                layer_plan.addressed.tensors[name].runs(
                    region.samples, steps, region.channels, region.rows
                )
            )
    tile.add_read_needs(per_sample(builder, "saved", layer_plan, part, region.samples))


def _leave_current_gradient(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, region: Region, tile: TileDraft
) -> None:
    """Put dL/dI aside until the batch's sums are known, adding to them as it passes."""
    values = region.size * layer_plan.layer.out_shape[2] * builder.plan.steps
    bits, steps = builder.plan.chip.precision.gradient, (0, builder.plan.steps)
    tile.add_energy({"bp.norm_stat": values, "bp.norm_write": wide_accesses(values, bits)})
    if layer_plan.stored.Y == "dram":
        tile.add_writes(
            layer_plan.addressed.tensors["dI"].runs(
                region.samples, steps, region.channels, region.rows
            )
        )
    tile.add_saves(
        tuple(
            builder.done.expect(ident)
            for ident in per_sample(builder, "dI", layer_plan, part, region.samples)
        )
    )


def _leave_gradient(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, region: Region, tile: TileDraft
) -> None:
    """Hand dY of a region of neurons to BP and WG: in the gradient memory, or in DRAM."""
    product, steps = _product(layer_plan, region), (0, builder.plan.steps)
    values = product.size * layer_plan.width * builder.plan.steps
    bits = builder.plan.chip.precision.gradient
    tile.add_energy({"bp.gradient_write": wide_accesses(values, bits)})
    if layer_plan.norm == "frozen":
        tile.add_energy({"bp.norm_scale": values})
    if layer_plan.stored.dY == "dram":
        tile.add_writes(
            layer_plan.addressed.tensors["dY"].runs(
                product.samples, steps, product.channels, product.rows, layer_plan.skips
            )
        )
        tile.add_saves(
            tuple(
                builder.done.expect(ident)
                for ident in per_sample(builder, "dY saved", layer_plan, part, region.samples)
            )
        )
        return
    tile.add_needs(_free_memory(builder, layer_plan, part))
    for_wg = per_sample(builder, "dY for WG", layer_plan, part, region.samples)
    builder.send(Command.GRADIENT, part.core, part.core, 0, for_wg, tile)
    if layer_plan.producers:
        _share(builder, layer_plan, part, product, tile)


def _free_memory(builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice) -> tuple[int, ...]:
    """The completion of the WG block that must let go of the memory this dY block is put into.

    Blocks alternate between two halves; one that needs the whole memory waits for all before it,
    and the next one for it.
    """
    chip = builder.plan.chip
    bits = dY_bits(layer_plan.layer, builder.plan.steps, part, chip)
    whole = bits > chip.core.memory.gradients // 2
    block_index, before_whole = builder.grads.get(part.core, (0, False))
    builder.grads[part.core] = (block_index + 1, whole)
    freed = block_index - (1 if whole or before_whole else 2)
    return (builder.done.ident("dY used", f"core{part.core:02d}", freed),) if freed >= 0 else ()


def _share(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, dY: Region, tile: TileDraft
) -> None:
    """Give dY to every core whose BP rows need it: its own, and neighbours across row cuts."""
    for reader in layer_plan.cut.slices:
        if reader.neurons.channels != part.neurons.channels or not length(reader.input_rows):
            continue
        needed = Region(
            part.neurons.channels,
            reader.neurons.samples,
            output_rows(layer_plan.layer, reader.input_rows),
        )
        shared = dY.meet(needed)
        if shared is None:
            continue
        values = layer_plan.dY[
            :, slice(*shared.samples), slice(*shared.channels), slice(*shared.rows)
        ]
        live = layer_plan.live[:, slice(*shared.samples)]
        elements = values[0, 0].size * int(np.count_nonzero(live))
        present = int(np.count_nonzero(values[live]))
        nbytes = gradient_bytes(builder, elements, present, builder.plan.chip.precision.gradient)
        arrives = per_sample(builder, "dY for BP", layer_plan, reader, shared.samples)
        builder.send(Command.GRADIENT, part.core, reader.core, nbytes, arrives, tile)


def gradient_bytes(builder: ProgramBuilder, elements: int, present: int, bits: int) -> int:
    """Payload of gradients: plain in mode ``dense``, else a bitmap and the values present."""
    if builder.plan.chip.core.engines.bp.mode == "dense":
        present = elements
    return bitmap_bytes(elements, present, bits)

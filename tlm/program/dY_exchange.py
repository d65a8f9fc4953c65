"""dY on its way from the gradient unit to BP and WG.

Where dY fits the gradient memory it is handed on there: its blocks alternate between the halves,
and neighbours across row cuts get the rows they need. Else it goes to DRAM.
"""

from __future__ import annotations

import numpy as np

from tlm.counts.blocks import sample_blocks
from tlm.placement.slice_bits import dY_bits
from tlm.program.builder import (
    ProgramBuilder,
    bitmap_bytes,
    per_sample,
    wide_accesses,
)
from tlm.program.channel_parameters import sum_gradients
from tlm.program.tile_draft import TileDraft
from tlm.space.array_types import Ints
from tlm.space.geometry import output_rows, product_span
from tlm.space.phase import Command
from tlm.space.region import Region, Slice, Span, length
from tlm.storage.plan import LayerPlan


def gradient_blocks(builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice) -> list[Span]:
    """Sample blocks of a slice: what half of the room for dY holds, at least one sample."""
    bits = dY_bits(layer_plan.layer, builder.plan.steps, part, builder.plan.chip)
    return list(sample_blocks(part.neurons.samples, bits, layer_plan.stored.dY_room))


def product_of(layer_plan: LayerPlan, region: Region) -> Region:
    return Region(region.channels, region.samples, product_span(layer_plan.layer, region.rows))


def leave_dY(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, region: Region, tile: TileDraft
) -> None:
    """Hand dY of a region of neurons to BP and WG: in the gradient memory, or in DRAM."""
    product, steps = product_of(layer_plan, region), (0, builder.plan.steps)
    values = product.size * layer_plan.width * builder.plan.steps
    bits = builder.plan.chip.precision.gradient
    tile.add_energy({"bp.gradient_write": wide_accesses(values, bits)})
    sum_gradients(builder, layer_plan, part, values, tile)
    if layer_plan.norm == "frozen":
        tile.add_energy({"bp.norm_scale": values})
    if layer_plan.stored.dY == "dram":
        tile.add_writes(
            layer_plan.addressed.tensors["dY"].runs(
                product.samples, steps, product.channels, product.rows, layer_plan.skips
            )
        )
        idents = per_sample(builder, "dY saved", layer_plan, part, region.samples)
        tile.add_saves(builder.done.expect_all(idents))
        return
    if region.rows[0] == part.neurons.rows[0]:  # the first of a block of samples
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
    whole = bits > layer_plan.stored.dY_room // 2
    block_index, before_whole = builder.grads.get(part.core, (0, False))
    builder.grads[part.core] = (block_index + 1, whole)
    freed = block_index - (1 if whole or before_whole else 2)
    return (builder.done.ident("dY used", f"core{part.core:02d}", freed),) if freed >= 0 else ()


def _share(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, dY: Region, tile: TileDraft
) -> None:
    """Give dY to every core whose BP rows need it: its own, and neighbours across row cuts."""
    for reader in layer_plan.replicas(part):
        if not length(reader.input_rows):
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
        if layer_plan.skips is not None:
            values = values[layer_plan.skips[:, slice(*shared.samples)]]
        present = np.asarray(np.count_nonzero(values))
        bits = builder.plan.chip.precision.gradient
        nbytes = int(gradient_bytes(builder, np.asarray(values.size), present, bits))
        arrives = per_sample(builder, "dY for BP", layer_plan, reader, shared.samples)
        builder.send(Command.GRADIENT, part.core, reader.core, nbytes, arrives, tile)


def gradient_bytes(builder: ProgramBuilder, elements: Ints, present: Ints, bits: int) -> Ints:
    """Payloads of gradients: plain in mode ``dense``, else a bitmap and the values present."""
    if builder.plan.chip.core.engines.bp.mode == "dense":
        present = elements
    return bitmap_bytes(elements, present, bits)

"""The gradient unit of BP: dL/dI in reverse time, and dL/dY behind batch normalisation."""

from __future__ import annotations

from collections.abc import Iterator

from tlm.program.builder import (
    ProgramBuilder,
    per_sample,
    saved,
    statistics,
    tile_of,
    wide_accesses,
)
from tlm.program.channel_parameters import sum_learnt
from tlm.program.dY_exchange import gradient_blocks, leave_dY, product_of
from tlm.program.forward import walk_products
from tlm.program.gradient_routes import receives
from tlm.program.normalise import read_currents, unit_regions
from tlm.program.returned import returned_runs
from tlm.program.shortcuts import add_shortcuts, fetch_returned
from tlm.program.tile_draft import TileDraft
from tlm.space.phase import Phase
from tlm.space.ports import STATE_PORT_BITS
from tlm.space.region import Block, Region, Slice, Span, length
from tlm.space.rounding import ceil_div
from tlm.storage.plan import LayerPlan


def gradient_regions(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice
) -> Iterator[tuple[Span, list[Region]]]:
    """Samples whose dY the unit makes before BP uses it, each with the regions made in one go.

    Of a sample that alternates in a pool, these are as many rows as half the gradient memory holds.
    """
    memory = builder.plan.chip.core.memory.gradients
    bits = builder.plan.chip.precision.gradient
    if layer_plan.stored.dY == "dram" or not layer_plan.layer.multiplies:
        regions = unit_regions(builder, part.neurons, layer_plan.width, bits, memory)
        yield part.neurons.samples, list(regions)
        return
    channels, rows = part.neurons.channels, part.neurons.rows
    row = length(channels) * layer_plan.width * builder.plan.steps * bits
    size = length(rows)
    if layer_plan.stored.dY_room > memory:
        size = max(1, min(size, memory // 2 // max(1, row)))
    for samples in gradient_blocks(builder, layer_plan, part):
        starts = range(*rows, max(1, size))
        yield (
            samples,
            [Region(channels, samples, (y, min(y + size, rows[1]))) for y in starts],
        )


def current_gradient(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, region: Region
) -> None:
    """Append GRAD: sum partial dS, apply surrogate and carry, give dL/dI."""
    recomputed = _recompute(builder, layer_plan, part, region)
    tile = builder.add(part.core, _tile(builder, Phase.GRAD, layer_plan, region))
    tile.add_cycles(builder.arrays.depth)
    tile.add_covers(length(region.channels) * length(region.rows) * layer_plan.layer.out_shape[2])
    _through_neurons(builder, layer_plan, region, tile)
    neurons = region.size * layer_plan.layer.out_shape[2] * builder.plan.steps
    sum_learnt(builder, layer_plan, part, neurons, tile)
    _arrivals(builder, layer_plan, part, region, tile)
    fetch_returned(builder, layer_plan, region, tile)
    if "dS" in layer_plan.addressed.tensors:
        _leave_sum(builder, layer_plan, part, region, tile)
    tile.add_needs(recomputed)
    _saved_state(builder, layer_plan, part, region, tile)
    if layer_plan.exact:
        _sum_current_gradient(builder, layer_plan, region, tile)
    _leave_current_gradient(builder, layer_plan, part, region, tile)
    if not layer_plan.exact and layer_plan.layer.multiplies:
        leave_dY(builder, layer_plan, part, region, tile)


def _through_neurons(
    builder: ProgramBuilder, layer_plan: LayerPlan, region: Region, tile: TileDraft
) -> None:
    """Charge a tile for the sum of partial dS, and for dL/dI that follows of it and of U."""
    steps, lanes = builder.plan.steps, builder.arrays.lanes
    values = region.size * layer_plan.layer.out_shape[2] * steps
    neurons = values if layer_plan.layer.neuron is not None else 0
    arrived, adds = (count * steps for count in layer_plan.arriving(layer_plan.pooled(region)))
    returned = values * len(layer_plan.current_adders)  # each is one part more
    adds += returned
    state = layer_plan.layer.saved_state
    flags = sum(name != "U" for name in state)
    tile.add_cycles(ceil_div(values, lanes) + ceil_div(adds, lanes))
    tile.add_energy(
        {
            "bp.grad_op": neurons,
            "bp.current_op": neurons * layer_plan.layer.current_based,
            "bp.reduce_add": adds,
            "bp.partial_read": arrived + returned,
            "bp.membrane_read": wide_accesses(
                neurons * ("U" in state), builder.plan.chip.precision.membrane
            ),
            "bp.state_read": flags * wide_accesses(neurons, 1, STATE_PORT_BITS),
        }
    )
    if layer_plan.exact and layer_plan.state == "recompute":  # U follows from the currents
        synaptic = neurons * layer_plan.layer.current_based
        tile.add_energy(
            {"bp.norm_scale": neurons, "fp.soma_op": neurons, "fp.current_op": synaptic}
        )


def normalised_gradient(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, region: Region
) -> None:
    """Append NORM_GRAD: dL/dY from dL/dI, the currents and the batch's sums.

    dL/dI waited in the core or in DRAM, or is made a second time.
    """
    product = product_of(layer_plan, region)
    per_pair = length(product.channels) * length(product.rows) * layer_plan.width
    values = per_pair * length(product.samples) * builder.plan.steps
    tile = builder.add(part.core, _tile(builder, Phase.NORM_GRAD, layer_plan, region))
    tile.add_cycles(ceil_div(values, builder.arrays.lanes) + builder.arrays.depth)
    tile.add_covers(per_pair)
    tile.add_needs((statistics(builder, layer_plan, part, Phase.NORM_GRAD),))
    tile.add_energy({"bp.norm_op": values})
    if layer_plan.stored.dI == "recompute":
        _through_neurons(builder, layer_plan, region, tile)
    else:
        bits = builder.plan.chip.precision.gradient
        tile.add_energy({"bp.norm_read": wide_accesses(values, bits)})
    read_currents(builder, layer_plan, part, product, layer_plan.stored.Y_backward, tile)
    tile.add_read_needs(per_sample(builder, "dI", layer_plan, part, region.samples))
    if layer_plan.stored.dI == "dram":
        steps = (0, builder.plan.steps)
        tile.add_reads(
            layer_plan.addressed.tensors["dI"].runs(
                region.samples, steps, region.channels, region.rows
            )
        )
    leave_dY(builder, layer_plan, part, region, tile)


def _tile(
    builder: ProgramBuilder, phase: Phase, layer_plan: LayerPlan, region: Region
) -> TileDraft:
    return tile_of(phase, layer_plan, Block(region.samples, region.rows, (0, builder.plan.steps)))


def _arrivals(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, region: Region, tile: TileDraft
) -> None:
    """Wait for the dS of a region's outputs, and read it where it went through DRAM."""
    if layer_plan.stored.dS == "memory":
        if layer_plan.partials and receives(builder, layer_plan, part):
            tile.add_needs(per_sample(builder, "dS", layer_plan, part, region.samples))
        return
    pooled, steps = layer_plan.pooled(region), (0, builder.plan.steps)
    if layer_plan.summed_by is not None:
        tensor = layer_plan.summed_by.addressed.tensors["dS"]
        tile.add_reads(tensor.runs(pooled.samples, steps, pooled.channels, pooled.rows))
        tile.add_read_needs(saved(builder, layer_plan.summed_by, region.samples, "dS saved"))
    for reader in layer_plan.returning:
        for what, runs in returned_runs(reader, layer_plan, pooled):
            tile.add_read_needs(saved(builder, reader, region.samples, what))
            tile.add_reads(runs)


def _leave_sum(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, region: Region, tile: TileDraft
) -> None:
    """Write dS of a region for earlier layers of the same residual sum."""
    pooled, steps = layer_plan.pooled(region), (0, builder.plan.steps)
    tensor = layer_plan.addressed.tensors["dS"]
    tile.add_writes(tensor.runs(pooled.samples, steps, pooled.channels, pooled.rows))
    idents = per_sample(builder, "dS saved", layer_plan, part, region.samples)
    tile.add_saves(builder.done.expect_all(idents))


def _recompute(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, region: Region
) -> tuple[int, ...]:
    """Let FP make U of a region again; the completion that says it is there.

    FP stays at most one region ahead of the gradient unit: both halves of the U memory are full.
    Where windows of ``current_pool`` overlap, the last rows may follow from the region before.
    """
    if layer_plan.state != "recompute" or layer_plan.exact:
        return ()
    if not product_of(layer_plan, region).size:
        return ()
    tiles = builder.drafts[part.core]["fp"]
    start = len(tiles)
    steps = (0, builder.plan.steps)
    walk_products(builder, layer_plan, part, product_of(layer_plan, region), steps, Phase.RECOMPUTE)
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
    """Read what FP saved of the neurons, unless all of it is in the core or follows from U.

    With batch statistics, U may follow from the currents.
    """
    steps = (0, builder.plan.steps)
    if layer_plan.layer.neuron is None:
        # Where in its window each pooled value was, and each pooled current.
        for name, at in (("need", layer_plan.pooled(region)), ("winner", region)):
            if name in layer_plan.addressed.tensors:
                tensor = layer_plan.addressed.tensors[name]
                tile.add_reads(tensor.runs(at.samples, steps, at.channels, at.rows))
                tile.add_read_needs(per_sample(builder, "saved", layer_plan, part, region.samples))
        return
    if layer_plan.state == "recompute":
        if layer_plan.exact:
            products = product_of(layer_plan, region)
            read_currents(builder, layer_plan, part, products, layer_plan.stored.Y, tile)
            add_shortcuts(builder, layer_plan, products, steps, tile)
        else:
            used = builder.done.ident("U used", f"core{part.core:02d}",
                                      builder.recomputed[part.core] - 1)  # fmt: skip
            tile.add_signals((builder.done.expect(used),))
    for name in ("U", "S", "m", "winner"):
        if layer_plan.state == "spill" and name in layer_plan.addressed.tensors:
            tile.add_reads(
                layer_plan.addressed.tensors[name].runs(
                    region.samples, steps, region.channels, region.rows
                )
            )
    tile.add_read_needs(per_sample(builder, "saved", layer_plan, part, region.samples))


def _leave_current_gradient(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, region: Region, tile: TileDraft
) -> None:
    """Write dL/dI where it waits in DRAM: for the batch's sums, or for what shortcuts add."""
    if layer_plan.stored.dI == "dram":
        steps = (0, builder.plan.steps)
        tile.add_writes(
            layer_plan.addressed.tensors["dI"].runs(
                region.samples, steps, region.channels, region.rows
            )
        )
    if layer_plan.exact or layer_plan.layer.added:
        idents = per_sample(builder, "dI", layer_plan, part, region.samples)
        tile.add_saves(builder.done.expect_all(idents))


def _sum_current_gradient(
    builder: ProgramBuilder, layer_plan: LayerPlan, region: Region, tile: TileDraft
) -> None:
    """Add dL/dI to the batch's sums as it passes, and put it aside until they are known."""
    values = region.size * layer_plan.layer.out_shape[2] * builder.plan.steps
    tile.add_energy({"bp.norm_stat": values})
    if layer_plan.stored.dI != "recompute":
        bits = builder.plan.chip.precision.gradient
        tile.add_energy({"bp.norm_write": wide_accesses(values, bits)})

"""Batch normalisation by the statistics of the mini-batch, in FP and in BP.

Nothing of a layer can be normalised before all of it is there: the currents wait in the core, or in
DRAM, until the sums of all cores with the same channels have been added up and sent back. The
operations are those of the released NeuroMC model: FP 3 additions and 3 multiplications an element
and 2 additions, 4 multiplications and a square root a channel; BP 7 and 3, and 22 multiplications.
"""

from __future__ import annotations

from collections.abc import Iterator

from tlm.program.builder import (
    ProgramBuilder,
    once,
    per_sample,
    statistics,
    tile_of,
    wide_accesses,
)
from tlm.program.channel_parameters import (
    STEP_SCALE,
    SUMS,
    add_bias,
    channel_sums,
    fetch_parameters,
)
from tlm.program.shortcuts import add_shortcuts
from tlm.program.soma import leave_state, soma
from tlm.program.tile_draft import TileDraft
from tlm.space.layer_cut import Store
from tlm.space.phase import ENGINE_OF_PHASE, Command, Phase
from tlm.space.region import Block, Region, Slice, Span, length
from tlm.space.rounding import ceil_div
from tlm.storage.plan import LayerPlan
from tlm.storage.slice_sizes import product_region


def leave_currents(
    builder: ProgramBuilder,
    layer_plan: LayerPlan,
    part: Slice,
    region: Region,
    steps: Span,
    tile: TileDraft,
) -> None:
    """Drain an output tile into the memory of batch normalisation, summing as it passes."""
    products = region.size * layer_plan.width * length(steps)
    tile.add_cycles(builder.arrays.depth + ceil_div(products, builder.arrays.lanes))
    bits = builder.plan.chip.precision.membrane
    tile.add_energy(
        {
            "fp.partial_read": products,
            "fp.norm_stat": products,
            "fp.norm_write": wide_accesses(products, bits),
        }
    )
    add_bias(layer_plan, products, tile)
    if layer_plan.stored.Y == "dram":
        tile.add_writes(
            layer_plan.addressed.tensors["Y"].runs(
                region.samples, steps, region.channels, region.rows
            )
        )
    idents = per_sample(builder, "currents", layer_plan, part, region.samples)
    tile.add_saves(builder.done.expect_all(idents))


def build_normalise(builder: ProgramBuilder, layer_plan: LayerPlan) -> None:
    """Append statistics, then normalisation and neurons of every slice."""
    exchange_statistics(builder, layer_plan, Phase.NORM, "fp")
    steps = (0, builder.plan.steps)
    bits = builder.plan.chip.precision.membrane
    for part in layer_plan.cut.slices:
        for region in unit_regions(
            builder, product_region(layer_plan, part), layer_plan.width, bits
        ):
            tile = builder.add(part.core, tile_of(Phase.NORM, layer_plan, _whole(region, steps)))
            tile.add_needs((statistics(builder, layer_plan, part, Phase.NORM),))
            products = region.size * layer_plan.width * length(steps)
            tile.add_cycles(ceil_div(products, builder.arrays.lanes) + builder.arrays.depth)
            tile.add_covers(length(region.channels) * length(region.rows) * layer_plan.width)
            tile.add_energy({"fp.norm_op": products})
            waited = layer_plan.stored.Y_forward
            read_currents(builder, layer_plan, part, region, waited, tile)
            add_shortcuts(builder, layer_plan, region, steps, tile)
            ready = layer_plan.neurons(region)
            soma(builder, layer_plan, part, ready, steps, tile)
            leave_state(builder, layer_plan, part, ready, steps, tile)


def read_currents(
    builder: ProgramBuilder,
    layer_plan: LayerPlan,
    part: Slice,
    region: Region,
    waited: Store,
    tile: TileDraft,
) -> None:
    """Let a tile read the currents of a region of the product, all steps, where they ``waited``."""
    steps = (0, builder.plan.steps)
    values = region.size * layer_plan.width * length(steps)
    bits = builder.plan.chip.precision.membrane
    engine = ENGINE_OF_PHASE[tile.phase]
    tile.add_energy({f"{engine}.norm_read": wide_accesses(values, bits)})
    tile.add_read_needs(per_sample(builder, "currents", layer_plan, part, region.samples))
    if waited == "dram":
        tile.add_reads(
            layer_plan.addressed.tensors["Y"].runs(
                region.samples, steps, region.channels, region.rows
            )
        )


def exchange_statistics(
    builder: ProgramBuilder, layer_plan: LayerPlan, phase: Phase, engine: str
) -> None:
    """Append the reduction of sums: every replica to the first, and the result back to all.

    The first makes one factor and one offset of the statistics and the channel's scale and shift,
    for each step where any of these are those of a step. In BP the sums are the gradients of shift
    and scale; those of several steps are added up where one number follows from them.
    """
    times, _ = _each_way(builder, layer_plan, phase)
    for part in layer_plan.cut.slices:
        owner = layer_plan.replicas(part)[0]
        channels = length(part.neurons.channels) * times
        nbytes = ceil_div(SUMS * channels * builder.plan.chip.precision.partial_sum, 8)
        gathered = _gathered(builder, layer_plan, owner, phase)
        tile = builder.add(part.core, once(phase, layer_plan))
        if phase == Phase.NORM_GRAD and layer_plan.step_scaled:  # its own sums are there
            tile.add_signals((builder.done.expect(channel_sums(builder, layer_plan, part)),))
        builder.send(Command.GRADIENT, part.core, owner.core, nbytes, (gathered,), tile)
    for part in layer_plan.cut.slices:
        if part.index == layer_plan.replicas(part)[0].index:
            _answer(builder, layer_plan, part, phase, engine)


def _answer(
    builder: ProgramBuilder, layer_plan: LayerPlan, owner: Slice, phase: Phase, engine: str
) -> None:
    """Append what the owner of some channels does: add up, compute, send the result to all."""
    replicas, lanes = layer_plan.replicas(owner), builder.arrays.lanes
    channels = length(owner.neurons.channels)
    gathered, returned = _each_way(builder, layer_plan, phase)
    adds = SUMS * channels * gathered * (len(replicas) - 1)
    if phase == Phase.NORM_GRAD and _added_over_steps(layer_plan):
        adds += SUMS * channels * (gathered - 1)
    made = channels * max(gathered, returned)
    tile = builder.add(owner.core, once(phase, layer_plan))
    names = ("scale",) if phase == Phase.NORM_GRAD else ("scale", "shift")
    fetch_parameters(layer_plan, owner, (*names, STEP_SCALE), tile)
    tile.add_needs((_gathered(builder, layer_plan, owner, phase),))
    tile.add_cycles(ceil_div(adds, lanes) + ceil_div(made, lanes) + builder.arrays.depth)
    tile.add_energy({f"{engine}.norm_channel": made, f"{engine}.norm_add": adds})
    nbytes = ceil_div(SUMS * channels * returned * builder.plan.chip.precision.partial_sum, 8)
    for replica in replicas:
        arrives = (statistics(builder, layer_plan, replica, phase),)
        builder.send(Command.GRADIENT, owner.core, replica.core, nbytes, arrives, tile)


def _each_way(builder: ProgramBuilder, layer_plan: LayerPlan, phase: Phase) -> tuple[int, int]:
    """How many sums of each kind a channel sends, and how many results return: one, or T.

    Statistics go out and factors return; in BP gradients by factor go out, statistics return.
    """
    norm, steps = layer_plan.layer.norm, builder.plan.steps
    assert norm is not None
    statistics = steps if norm.per_step else 1
    factors = steps if norm.per_step or norm.by_step or norm.step_scaled else 1
    return (factors, statistics) if phase == Phase.NORM_GRAD else (statistics, factors)


def _added_over_steps(layer_plan: LayerPlan) -> bool:
    """Whether a statistic of all steps, or a scale or shift of all, follows from sums of each."""
    norm = layer_plan.layer.norm
    assert norm is not None
    return not norm.per_step or (not norm.by_step and (norm.scaled or norm.shifted))


def _gathered(builder: ProgramBuilder, layer_plan: LayerPlan, owner: Slice, phase: Phase) -> int:
    """The completion that says the owner of some channels has the sums of all replicas."""
    return builder.done.ident(f"{phase.name} sums", layer_plan.layer.name, f"core{owner.core:02d}")


def unit_regions(
    builder: ProgramBuilder, region: Region, width: int, bits: int, capacity: int = 0
) -> Iterator[Region]:
    """Cut a region, all steps, into pieces a unit walks: what half of the U memory holds.

    Samples together if they fit, else rows of one sample, else output tiles of a few rows.
    """
    room = (capacity or builder.plan.chip.core.memory.membrane) // 2
    row = width * builder.plan.steps * bits
    tile = builder.arrays.tile
    channels = length(region.channels)
    if channels * row > room:
        channels = max(tile, room // row // tile * tile)
    rows = max(1, min(length(region.rows), room // (channels * row)))
    whole = rows == length(region.rows) and channels >= length(region.channels)
    samples = max(1, room // (channels * rows * row)) if whole else 1
    for b in range(region.samples[0], region.samples[1], samples):
        for k in range(region.channels[0], region.channels[1], channels):
            for y in range(region.rows[0], region.rows[1], rows):
                yield Region(
                    (k, min(k + channels, region.channels[1])),
                    (b, min(b + samples, region.samples[1])),
                    (y, min(y + rows, region.rows[1])),
                )


def _whole(region: Region, steps: Span) -> Block:
    return Block(region.samples, region.rows, steps)

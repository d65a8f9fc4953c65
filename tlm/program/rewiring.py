"""Rewiring: an update that moves synapses rewrites that share of the tables beside the weights.

A synapse that takes the place of another keeps the number of weights, so that no table grows. Of
every table the owner of a share of weights reads and writes as much; where weights stay in the
cores it sends what it wrote to all that have copies. Words pass the optimizer's memory as they
come and go, in no time of their own but that of their bytes.
"""

from __future__ import annotations

from math import ceil

from tlm.program.builder import ProgramBuilder, once, wide_accesses
from tlm.program.tile_draft import TileDraft
from tlm.space.phase import Command, Phase
from tlm.space.region import Slice
from tlm.space.rounding import ceil_div
from tlm.storage.address import PackedTensor
from tlm.storage.plan import LayerPlan

TABLES = ("W.index", "W.reverse")


def rewired_words(builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice) -> int:
    """Words that a core rewrites of all tables."""
    return sum(count for _, _, count in _stretches(builder, layer_plan, part))


def rewire(builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice) -> None:
    """Append the rewriting of a core's share of the tables, if there is any."""
    words = rewired_words(builder, layer_plan, part)
    if not words:
        return
    bits = builder.plan.chip.precision.weight
    tile = builder.add(part.core, once(Phase.UPDATE, layer_plan))
    tile.add_needs((builder.done.ident("old weights", layer_plan.layer.name),))
    tile.add_cycles(builder.arrays.depth)
    accesses = wide_accesses(words, bits)
    tile.add_energy({"wg.optimizer_read": accesses, "wg.optimizer_write": accesses})
    if layer_plan.stored.W == "memory":
        send_to_replicas(builder, layer_plan, part, ceil_div(words * bits, 8), tile)
        return
    for table, first, count in _stretches(builder, layer_plan, part):
        tile.add_reads((table.run(first, count),))
    tile.add_writes(tile.reads)


def send_to_replicas(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, nbytes: int, tile: TileDraft
) -> None:
    """Send what a core has updated to the others that have copies of the same weights."""
    for replica in layer_plan.replicas(part):
        if replica.index != part.index:
            arrives = (builder.done.ident("W", layer_plan.layer.name, f"core{replica.core:02d}"),)
            builder.send(Command.WEIGHT, part.core, replica.core, nbytes, arrives, tile)


def _stretches(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice
) -> list[tuple[PackedTensor, int, int]]:
    """Of each table the words that a core rewrites: the first, and how many."""
    rewired, weights = builder.plan.chip.core.weights.rewired, layer_plan.addressed.weights
    replicas = [replica.index for replica in layer_plan.replicas(part)]
    number, stretches = replicas.index(part.index), []
    for table in (weights.get(key) for key in TABLES if rewired):
        if not isinstance(table, PackedTensor):
            continue
        start, whole = table.of_outputs(part.neurons.channels)
        low, high = (whole * at // len(replicas) for at in (number, number + 1))
        count = ceil(rewired * (high - low))
        if count:
            stretches.append((table, start + low, count))
    return stretches

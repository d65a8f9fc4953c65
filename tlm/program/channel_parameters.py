"""What is trained of a channel beside the weights: where it is read, how it learns.

A bias is added where a product leaves its sums: one add an element, in the lanes of the pass, so
that it costs no time. Its gradient, dY summed over samples, steps and positions, is added up by the
gradient unit as dY passes. Both keep their channel's number in a register of the lane (assumed).
Scale and shift of batch normalisation learn from the sums of dI and of its product with the
normalised current: by batch statistics these sums are there, for dY follows from them; else the
gradient unit makes them as it makes the sum of a bias. Replicas of the same channels send their
sums to the first of them, which updates the parameters.
"""

from __future__ import annotations

from collections.abc import Sequence

from tlm.program.builder import ProgramBuilder, once, statistics, wide_accesses
from tlm.program.tile_draft import TileDraft
from tlm.space.phase import Command, Phase
from tlm.space.region import Slice, length
from tlm.space.rounding import ceil_div
from tlm.storage.plan import LayerPlan


def fetch_parameters(
    layer_plan: LayerPlan, part: Slice, names: Sequence[str], tile: TileDraft
) -> None:
    """Let the first tile of a walk over a slice read some parameters of its channels."""
    first, end = (at // layer_plan.layer.sums for at in part.neurons.channels)
    for name in names:
        tile.add_reads((layer_plan.addressed.weights[name].run(first, end - first),))


def add_bias(layer_plan: LayerPlan, products: int, tile: TileDraft) -> None:
    """Charge a tile for the bias of so many products."""
    if "bias" in layer_plan.channel_parameters:
        tile.add_energy({"fp.bias_add": products})


def sum_gradients(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, products: int, tile: TileDraft
) -> None:
    """Let a tile that makes the dY of so many products add to the gradients of the channels."""
    if not layer_plan.walk_parameters:
        return
    if "bias" in layer_plan.walk_parameters:
        tile.add_energy({"bp.bias_add": products})
    if "scale" in layer_plan.walk_parameters:
        tile.add_energy({"bp.norm_stat": products})
    tile.add_signals((builder.done.expect(_sums(builder, layer_plan, part)),))


def send_gradients(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, tile: TileDraft
) -> None:
    """Let a tile of the reduction send the sums of a slice to the owner of its channels."""
    count = length(part.neurons.channels) * len(layer_plan.walk_parameters)
    owner = layer_plan.replicas(part)[0]
    if not count or owner.index == part.index:
        return
    tile.add_needs((_sums(builder, layer_plan, part),))
    nbytes = ceil_div(count * builder.plan.chip.precision.partial_sum, 8)
    arrives = (_sums(builder, layer_plan, owner),)
    builder.send(Command.WEIGHT_GRADIENT, part.core, owner.core, nbytes, arrives, tile)


def update_parameters(builder: ProgramBuilder, layer_plan: LayerPlan, size: int) -> None:
    """Append the update of every channel by its owner, ``size`` channels at a time."""
    for part in layer_plan.cut.slices:
        if layer_plan.replicas(part)[0].index != part.index:
            continue
        for name in layer_plan.channel_parameters:
            for low in range(*part.neurons.channels, size):
                count = min(size, part.neurons.channels[1] - low)
                _update(builder, layer_plan, part, name, (low, count))


def _update(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, name: str, run: tuple[int, int]
) -> None:
    state = layer_plan.addressed.trained(name)
    count, bits, lanes = run[1], sum(tensor.bits for tensor in state), builder.arrays.lanes
    adds, ready = 0, statistics(builder, layer_plan, part, Phase.NORM_GRAD)
    if name in layer_plan.walk_parameters:
        adds = count * (len(layer_plan.replicas(part)) - 1)
        ready = _sums(builder, layer_plan, part)
    tile = builder.add(part.core, once(Phase.UPDATE, layer_plan))
    tile.add_needs((builder.done.ident("old weights", layer_plan.layer.name), ready))
    tile.add_covers(count)
    tile.add_cycles(ceil_div(count, lanes) + ceil_div(adds, lanes) + builder.arrays.depth)
    tile.add_writes(tuple(tensor.run(*run) for tensor in state))
    tile.add_reads(tile.writes)
    tile.add_energy(
        {
            f"wg.update_op_{builder.plan.workload.optimizer}": count,
            "wg.reduce_add": adds,
            "wg.optimizer_read": wide_accesses(count, bits),
            "wg.optimizer_write": wide_accesses(count, bits),
        }
    )


def _sums(builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice) -> int:
    """The completion that says a core has the gradients of its channels."""
    return builder.done.ident("channel sums", layer_plan.layer.name, f"core{part.core:02d}")

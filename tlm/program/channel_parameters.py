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

from collections.abc import Iterable

from tlm.program.builder import ProgramBuilder, once, statistics, wide_accesses
from tlm.program.tile_draft import TileDraft
from tlm.space.phase import Command, Phase
from tlm.space.region import Slice, length
from tlm.space.rounding import ceil_div
from tlm.storage.budget import update_piece
from tlm.storage.plan import LayerPlan

STEP_SCALE = "step_scale"  # of a norm: a number a time step
SUMS = 2  # a channel's sum and sum of squares; in BP, of dL/dI and of its product with x-hat


def fetch_parameters(
    layer_plan: LayerPlan, part: Slice, names: Iterable[str], tile: TileDraft
) -> None:
    """Let a tile read those of some parameters of a slice's channels, or steps, that there are."""
    first, end = (at // layer_plan.layer.sums for at in part.neurons.channels)
    for name in names:
        run = (0, layer_plan.layer_numbers.get(name, 0))
        if name in (*layer_plan.channel_parameters, *layer_plan.layer.channel_constants):
            each = layer_plan.numbers(name)
            run = (first * each, (end - first) * each)
        if run[1]:
            tile.add_reads((layer_plan.addressed.weights[name].run(*run),))


def add_bias(layer_plan: LayerPlan, products: int, tile: TileDraft) -> None:
    """Charge a tile for the bias of so many products."""
    if layer_plan.biased:
        tile.add_energy({"fp.bias_add": products})


def sum_gradients(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, products: int, tile: TileDraft
) -> None:
    """Let a tile that makes the dY of so many products add to the gradients of the channels.

    What normalises by frozen statistics sums as these do; a shift alone learns as a bias.
    """
    names = set(layer_plan.walk_parameters) - set(layer_plan.layer.learnt)
    if layer_plan.step_scaled and not layer_plan.exact:
        names.add(STEP_SCALE)
    if not names:
        return
    normed = bool(names & {"scale", STEP_SCALE})
    adds = ("bias" in names) + ("shift" in names and not normed)
    tile.add_energy({"bp.bias_add": products * adds, "bp.norm_stat": products * normed})
    tile.add_signals((builder.done.expect(channel_sums(builder, layer_plan, part)),))


def sum_learnt(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, neurons: int, tile: TileDraft
) -> None:
    """Let a tile that makes dU of so many neurons add to the gradients of what these learn.

    The factor of dU follows from U and S of the step and of the one before
    (:mod:`tlm.workload.golden.learnt`).
    """
    if layer_plan.layer.learnt:
        tile.add_energy({"bp.learnt_op": neurons * len(layer_plan.layer.learnt)})
        tile.add_signals((builder.done.expect(channel_sums(builder, layer_plan, part)),))


def send_gradients(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, tile: TileDraft
) -> None:
    """Let a tile of the reduction send the sums of a slice to the owner of its channels."""
    numbers = sum(map(layer_plan.numbers, layer_plan.walk_parameters))
    count = length(part.neurons.channels) * numbers
    owner = layer_plan.replicas(part)[0]
    if not count or owner.index == part.index:
        return
    tile.add_needs((channel_sums(builder, layer_plan, part),))
    nbytes = ceil_div(count * builder.plan.chip.precision.partial_sum, 8)
    arrives = (channel_sums(builder, layer_plan, owner),)
    builder.send(Command.WEIGHT_GRADIENT, part.core, owner.core, nbytes, arrives, tile)


def send_gradients_alone(builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice) -> None:
    """Append a tile that sends them, where there are no weights whose reduction they could join."""
    owner = layer_plan.replicas(part)[0]
    if layer_plan.walk_parameters and owner.index != part.index:
        tile = builder.add(part.core, once(Phase.REDUCE, layer_plan))
        send_gradients(builder, layer_plan, part, tile)


def reduce_layer_numbers(builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice) -> None:
    """Append what a slice adds to the gradients of numbers of the layer, sent to the first slice.

    That of a number of step t is the sum over channels of scale sum(dI xhat) + shift sum(dI), dI of
    step t; of what neurons learn the sum is there.
    """
    numbers = layer_plan.layer_numbers
    if not numbers:
        return
    adds = SUMS * numbers.get(STEP_SCALE, 0) * length(part.neurons.channels)
    tile = builder.add(part.core, once(Phase.REDUCE, layer_plan))
    tile.add_needs((channel_sums(builder, layer_plan, part),))
    if adds:
        tile.add_cycles(ceil_div(adds, builder.arrays.lanes) + builder.arrays.depth)
        tile.add_energy({"wg.reduce_add": adds})
        if layer_plan.exact:  # else every walk has read them
            fetch_parameters(layer_plan, part, ("scale", "shift"), tile)
    nbytes = ceil_div(sum(numbers.values()) * builder.plan.chip.precision.partial_sum, 8)
    owner, arrives = layer_plan.cut.slices[0], (_layer_sums(builder, layer_plan),)
    builder.send(Command.WEIGHT_GRADIENT, part.core, owner.core, nbytes, arrives, tile)


def update_parameters(builder: ProgramBuilder, layer_plan: LayerPlan) -> None:
    """Append the update of every channel by its owner, as many at a time as have room.

    The first slice updates numbers of the layer.
    """
    for part in layer_plan.cut.slices:
        replicas = layer_plan.replicas(part)
        if replicas[0].index != part.index:
            continue
        for name in layer_plan.channel_parameters:
            gathered = (statistics(builder, layer_plan, part, Phase.NORM_GRAD), 0)
            if name in layer_plan.walk_parameters:
                gathered = (channel_sums(builder, layer_plan, part), len(replicas) - 1)
            first, end = (at * layer_plan.numbers(name) for at in part.neurons.channels)
            bits = sum(tensor.bits for tensor in layer_plan.addressed.trained(name))
            size = update_piece(builder.plan.chip, bits)
            for low in range(first, end, size):
                run = (low, min(size, end - low))
                _update(builder, layer_plan, part, name, run, gathered)
    slices = layer_plan.cut.slices
    for name, count in layer_plan.layer_numbers.items():
        gathered = (_layer_sums(builder, layer_plan), len(slices) - 1)
        _update(builder, layer_plan, slices[0], name, (0, count), gathered)


def _update(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, name: str, run: tuple[int, int],
    gathered: tuple[int, int],
) -> None:  # fmt: skip
    """Append the update of a run of numbers; ``gathered`` says when their gradients are there, and
    how many more of each are added up.
    """
    state = layer_plan.addressed.trained(name)
    count, bits, lanes = run[1], sum(tensor.bits for tensor in state), builder.arrays.lanes
    ready, senders = gathered
    adds = count * senders
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


def channel_sums(builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice) -> int:
    """The completion that says a core has the gradients of its channels."""
    return builder.done.ident("channel sums", layer_plan.layer.name, f"core{part.core:02d}")


def _layer_sums(builder: ProgramBuilder, layer_plan: LayerPlan) -> int:
    """The completion that says the first slice has all shares of gradients of the layer."""
    return builder.done.ident("layer sums", layer_plan.layer.name)

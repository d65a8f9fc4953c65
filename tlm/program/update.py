"""Reduction of dW over replicas, and the weight update.

Replicas of the same weights (batch and spatial cuts) each own a share: all others send theirs to
the owner, which adds them in core order, updates its share and writes the weights. What arrives
waits in the accumulators, in the place of the sums that left. An update waits until no core reads
the old weights. Where weights stay in the cores, owners send each other what they have updated.
"""

from __future__ import annotations

from tlm.program.builder import ProgramBuilder, once, wide_accesses
from tlm.program.channel_parameters import (
    reduce_layer_numbers,
    send_gradients,
    send_gradients_alone,
    update_parameters,
)
from tlm.program.rewiring import rewire, rewired_words, send_to_replicas
from tlm.program.tile_draft import TileDraft
from tlm.space.phase import ENGINE_OF_PHASE, Command, Phase
from tlm.space.region import Slice, Span, length, overlap
from tlm.space.rounding import ceil_div
from tlm.storage.budget import update_piece
from tlm.storage.plan import LayerPlan


def _read_spilled(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, spans: list[Span], tile: TileDraft
) -> None:
    """Read spans of a slice's spilled dW; panels that no sample has touched are zero."""
    scratch = layer_plan.addressed.weights[f"dW.core{part.core:02d}"]
    spills = builder.spills.get((layer_plan.layer.index, part.core), {})
    asked = [scratch.run(low, high - low) for low, high in spans]
    for written, kept in spills.values():
        shared = [overlap((a, a + n), (b, b + m)) for a, n in asked for b, m in kept]
        runs = tuple((low, high - low) for low, high in shared if low < high)
        if runs:
            tile.add_reads(runs)
            tile.add_read_needs((written,))


def _owned(layer_plan: LayerPlan, part: Slice) -> Span:
    """The weight elements that a slice's core updates, counted within the whole tensor."""
    start = layer_plan.addressed.weights["W"].offset(part.neurons.channels[0], 0, 0)
    low, high = layer_plan.share(part)
    return start + low, start + high


def build_reduction(builder: ProgramBuilder, layer_plan: LayerPlan) -> None:
    """Append the reduction of dW: every replica sends the other replicas their shares."""
    for part in layer_plan.cut.slices:
        reduce_layer_numbers(builder, layer_plan, part)
        if not layer_plan.layer.weighted:
            send_gradients_alone(builder, layer_plan, part)
            continue
        replicas = (r for r in layer_plan.replicas(part) if r.index != part.index)
        others = [(r, span) for r in replicas if length(span := _owned(layer_plan, r))]
        if not others:
            continue
        tile = builder.add(part.core, once(Phase.REDUCE, layer_plan))
        if layer_plan.stored.dW == "dram":
            _read_spilled(builder, layer_plan, part, [span for _, span in others], tile)
        for replica, (low, high) in others:
            nbytes = ceil_div((high - low) * builder.plan.chip.precision.partial_sum, 8)
            arrives = (builder.done.ident("dW", layer_plan.layer.name, f"core{replica.core:02d}"),)
            builder.send(Command.WEIGHT_GRADIENT, part.core, replica.core, nbytes, arrives, tile)
        tile.add_energy({"wg.accumulator_read": sum(high - low for _, (low, high) in others)})
        send_gradients(builder, layer_plan, part, tile)


def build_update(builder: ProgramBuilder, layer_plan: LayerPlan) -> None:
    """Append the update of weights, and of what else is trained."""
    if layer_plan.layer.weighted:
        _update_weights(builder, layer_plan)
    update_parameters(builder, layer_plan)


def _update_weights(builder: ProgramBuilder, layer_plan: LayerPlan) -> None:
    """Append that of every slice's share, streamed through the optimizer's memory."""
    state = layer_plan.addressed.trained("W")
    bits = sum(tensor.bits for tensor in state)
    stored = layer_plan.stored
    moved = [*state[: stored.W == "dram"], *state[1:] * (stored.moments == "dram")]
    size = update_piece(builder.plan.chip, bits)
    action = f"wg.update_op_{builder.plan.workload.optimizer}"
    lanes = builder.arrays.lanes
    for part in layer_plan.cut.slices:
        span = _owned(layer_plan, part)
        needs: tuple[int, ...] = (builder.done.ident("old weights", layer_plan.layer.name),)
        senders = (
            len(layer_plan.replicas(part)) - 1
        )  # also those too many to own a share send theirs
        if senders:
            needs += (builder.done.ident("dW", layer_plan.layer.name, f"core{part.core:02d}"),)
        for low in range(*span, size):
            count = min(size, span[1] - low)
            adds = count * senders
            tile = builder.add(part.core, once(Phase.UPDATE, layer_plan))
            tile.add_needs(needs)
            tile.add_covers(count)
            tile.add_cycles(ceil_div(count, lanes) + ceil_div(adds, lanes) + builder.arrays.depth)
            tile.add_writes(tuple(tensor.run(low, count) for tensor in moved))
            tile.add_reads(tile.writes)
            if stored.W == "memory":
                nbytes = ceil_div(count * builder.plan.chip.precision.weight, 8)
                send_to_replicas(builder, layer_plan, part, nbytes, tile)
            if layer_plan.stored.dW == "dram":
                _read_spilled(builder, layer_plan, part, [(low, low + count)], tile)
            tile.add_energy(
                {
                    action: count,
                    "wg.reduce_add": adds,
                    "wg.accumulator_write": adds,
                    "wg.accumulator_read": count + adds,
                    "wg.optimizer_read": wide_accesses(count, bits),
                    "wg.optimizer_write": wide_accesses(count, bits),
                }
            )
        rewire(builder, layer_plan, part)


def receive_weights(builder: ProgramBuilder, layer_plan: LayerPlan) -> None:
    """Append the storing of the weights that the other replicas of every slice have updated."""
    bits = builder.plan.chip.precision.weight
    for part in layer_plan.cut.slices if layer_plan.stored.W == "memory" else ():
        low, high = layer_plan.share(part)
        received = layer_plan.weight_count(part) - (high - low)
        received += sum(
            rewired_words(builder, layer_plan, replica)
            for replica in layer_plan.replicas(part)
            if replica.index != part.index
        )
        if received:
            tile = builder.add(part.core, once(Phase.UPDATE, layer_plan))
            name = layer_plan.layer.name
            tile.add_needs((builder.done.ident("W", name, f"core{part.core:02d}"),))
            tile.add_cycles(builder.arrays.depth)
            tile.add_energy({"wg.optimizer_write": wide_accesses(received, bits)})


def guard_old_weights(builder: ProgramBuilder) -> None:
    """Let the last tile of every phase that reads what a layer trains release the old of it.

    The release costs nothing on the mesh: it stands for a barrier of one wire a core (assumed).
    """
    layers = builder.plan.layers
    for engines in builder.drafts:
        for phase in (Phase.FP, Phase.RECOMPUTE, Phase.BP):
            last = {t.layer: t for t in engines[ENGINE_OF_PHASE[phase]] if t.phase == phase}
            for at, tile in last.items():
                if layers[at].trains:
                    ident = builder.done.ident("old weights", layers[at].layer.name)
                    tile.add_signals((builder.done.expect(ident),))

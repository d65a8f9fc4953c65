"""Reduction of dW over replicas, and the weight update.

Replicas of the same weights (batch and spatial cuts) each own a share: all others send theirs to
the owner, which adds them in core order, updates its share and writes the weights. An update waits
until no core reads the old weights.
"""

from __future__ import annotations

from tlm.counts.engine_array import ceil_div
from tlm.program.builder import Builder, once, wide_accesses
from tlm.space.region import Slice, Span, cuts, overlap
from tlm.space.task import ENGINE_OF_PHASE, Command, Phase, Tile
from tlm.storage.plan import LayerPlan

UPDATE_PIECE = 2048  # weights updated at a time, so that fetch, update and write overlap (assumed)


def _read_spilled(
    builder: Builder, lp: LayerPlan, part: Slice, spans: list[Span], tile: Tile
) -> None:
    """Read spans of a slice's spilled dW; panels that no sample has touched are zero."""
    scratch = lp.weights[f"dW.core{part.core:02d}"]
    found = builder.spills.get((lp.layer.index, part.core), {})
    wanted = [scratch.run(low, high - low) for low, high in spans]
    for written, kept in found.values():
        shared = [overlap((a, a + n), (b, b + m)) for a, n in wanted for b, m in kept]
        runs = tuple((low, high - low) for low, high in shared if low < high)
        if runs:
            tile.reads += runs
            tile.read_needs += (written,)


def _shares(lp: LayerPlan, part: Slice) -> list[tuple[Slice, Span]]:
    """Each replica with the span of weight elements it owns, counted within the whole tensor."""
    start = lp.weights["W"].offset(part.neurons.channels[0], 0, 0)
    replicas = lp.replicas(part)
    spans = cuts(lp.weight_count(part), len(replicas))
    return [
        (replica, (start + low, start + high))
        for replica, (low, high) in zip(replicas, spans, strict=False)
    ]


def build_reduction(builder: Builder, lp: LayerPlan) -> None:
    """Append the reduction of dW: every replica sends the other replicas their shares."""
    for part in lp.slices:
        others = [(r, span) for r, span in _shares(lp, part) if r.index != part.index]
        if not others:
            continue
        tile = builder.add(part.core, once(Phase.REDUCE, lp))
        if lp.dw_spilled:
            _read_spilled(builder, lp, part, [span for _, span in others], tile)
        for replica, (low, high) in others:
            nbytes = ceil_div((high - low) * builder.plan.chip.precision.partial_sum, 8)
            arrives = (builder.done.ident("dW", lp.layer.name, f"core{replica.core:02d}"),)
            builder.send(Command.WEIGHT_GRADIENT, part.core, replica.core, nbytes, arrives, tile)


def build_update(builder: Builder, lp: LayerPlan) -> None:
    """Append the weight update of every slice's share, streamed through the optimizer's memory."""
    state = [lp.weights[key] for key in ("W", "moment1", "moment2") if key in lp.weights]
    bits = sum(tensor.bits for tensor in state)
    size = max(1, min(UPDATE_PIECE, builder.plan.chip.core.memory.optimizer // (2 * bits)))
    action = f"wg.update_op_{builder.plan.workload.optimizer}"
    lanes = builder.array.lanes
    for part in lp.slices:
        shares = _shares(lp, part)
        span = next((span for replica, span in shares if replica.index == part.index), (0, 0))
        needs: tuple[int, ...] = (builder.done.ident("old weights", lp.layer.name),)
        others = len(lp.replicas(part)) - 1  # also those too many to own a share send theirs
        if others:
            needs += (builder.done.ident("dW", lp.layer.name, f"core{part.core:02d}"),)
        for low in range(*span, size):
            count = min(size, span[1] - low)
            adds = count * others
            tile = builder.add(part.core, once(Phase.UPDATE, lp))
            tile.needs, tile.covers = needs, count
            tile.cycles = ceil_div(count, lanes) + ceil_div(adds, lanes) + builder.array.depth
            tile.writes = tuple(tensor.run(low, count) for tensor in state)
            tile.reads = tile.writes
            if lp.dw_spilled:
                _read_spilled(builder, lp, part, [(low, low + count)], tile)
            tile.work.energy = {
                action: count,
                "wg.reduce_add": adds,
                "wg.accumulator_read": count,
                "wg.optimizer_read": wide_accesses(count, bits),
                "wg.optimizer_write": wide_accesses(count, bits),
            }


def guard_old_weights(builder: Builder, lp: LayerPlan) -> None:
    """Let the last tile of every phase that reads a layer's weights release the old ones.

    The release costs nothing on the mesh: it stands for a barrier of one wire a core (assumed).
    """
    ident = builder.done.ident("old weights", lp.layer.name)
    for part in lp.slices:
        for phase in (Phase.FP, Phase.RECOMPUTE, Phase.BP):
            for tile in reversed(builder.program.tiles[part.core][ENGINE_OF_PHASE[phase]]):
                if tile.phase == phase and tile.layer == lp.layer.index:
                    tile.signals += (builder.done.expect(ident),)
                    break

"""Outputs or inputs held in the array at a group of positions, channels stream past them.

Outputs held (FP: of X, BP: of dS, WG: of dU): all channels of ``first`` under a group of weights
stream past each group of positions. FP and BP write the sums back after every group of weights and
bring them in again for the next. Inputs held (FP, WG: the layer's input, BP: dU): a chunk under a
tap meets all channels of a panel.

In mode ``element`` a held position is a lane. Its sums are its own in FP and BP; in WG all lanes
add to the same dW, each in a bank of its own, added up a slot a cycle in the end.
"""

from __future__ import annotations

import numpy as np

from tlm.counts.engine_array import EngineArray
from tlm.counts.lanes import lane_cycles
from tlm.counts.operands import in_groups
from tlm.counts.walk import Entry, Walk, WalkCount
from tlm.space.array_types import Bools, Ints


def walk_held_outputs(walk: Walk, group: int, size: int) -> list[Entry]:
    """Walk one group of ``second``, ``size`` weight tiles at a time."""
    wanted, under = np.asarray(walk.second(range(group, group + 1)).any(axis=0)), walk.shape.under
    return [
        _output_pass(walk, group, under[start : start + size], wanted, start == 0)
        for start in range(0, len(under), size)
    ]


def _output_pass(
    walk: Walk, group: int, pairs: list[tuple[int, int]], wanted: Bools, fresh: bool
) -> Entry:
    array, live, width = walk.shape.array, walk.operands.live, int(walk.shape.widths[group])
    streamed = np.concatenate([walk.first(f, t) for f, t in pairs])
    tiles, walked = walk.start([(group, f, t) for f, t in pairs], len(streamed))
    operands, slots, touched = _stream_past(array, walked, streamed & wanted)
    walked.macs, walked.first_words = operands * width, operands
    walked.cycles += live
    if array.weights_are_sums:
        walked.other_words = live * width
        walked.sum_reads = walked.sum_writes = slots * width
        _merge_lanes(array, walked, touched, width)
        return tiles, walked
    walked.other_words = slots * width
    walked.sum_writes = live * width
    if not fresh:
        walked.sum_reads = live * width
        walked.cycles += live
    return tiles, walked


def walk_held_inputs(walk: Walk, groups: range, size: int) -> list[Entry]:
    """Walk a panel of ``second``, ``size`` weight tiles at a time.

    A held chunk meets as much of the panel as the weight buffer holds of it.
    """
    runs = [groups[start : start + size] for start in range(0, len(groups), size)]
    units = [(run, f, t) for f, t in walk.shape.under for run in runs]
    together = max(1, size // len(runs[0]))
    walked = [
        _input_passes(walk, units[start : start + together])
        for start in range(0, len(units), together)
    ]
    if not walk.shape.array.weights_are_sums:
        _spare_reads([one for _, one in walked], _outputs_reached(walk, groups))
    return walked


def _input_passes(walk: Walk, units: list[tuple[range, int, int]]) -> Entry:
    places = [(g, f, t) for run, f, t in units for g in run]
    slots = sum(int(walk.shape.widths[run].sum()) for run, _, _ in units)
    tiles, walked = walk.start(places, slots)
    for run, f, t in units:
        _input_pass(walk, walked, run, f, t)
    return tiles, walked


def _spare_reads(walked: list[WalkCount[int]], fresh: int) -> None:
    """Take back the reads of the first sum of each of ``fresh`` outputs, in order."""
    for one in walked:
        one.fresh = min(fresh, one.sum_reads)
        one.sum_reads -= one.fresh
        fresh -= one.fresh


def _input_pass(walk: Walk, walked: WalkCount[int], run: range, f: int, t: int) -> None:
    array, live, depth = walk.shape.array, walk.operands.live, int(walk.shape.depths[f])
    active = walk.first(f, t).any(axis=0) & walk.second(run)
    operands, slots, touched = _stream_past(array, walked, active)
    walked.cycles += live
    walked.macs += operands * depth
    walked.first_words += depth * live
    other, sums = (operands, slots * depth) if array.weights_are_sums else (slots * depth, operands)
    walked.other_words += other
    walked.sum_reads += sums
    walked.sum_writes += sums
    if array.weights_are_sums:
        _merge_lanes(array, walked, touched, depth)


def _stream_past(
    array: EngineArray, walked: WalkCount[int], active: Bools
) -> tuple[int, int, Bools | None]:
    """Stream all slots past every group of held positions; adds cycles and slots to ``walked``.

    ``active`` [slot, position] says where a lane can change a result. Returns the positions met by
    executed slots, the executed slots (of all lanes), and in mode ``element`` which lanes ever
    executed each slot [slot, lane].
    """
    count, live, each = *active.shape, array.held_positions
    held = in_groups(active, each)
    executed = held.any(axis=2) if array.mode != "dense" else np.ones(held.shape[:2], np.bool_)
    walked.executed += int(executed.sum())
    if array.mode == "element":
        work = in_groups(held.reshape(count, -1).T, array.scan).sum(axis=2, dtype=np.int64)
        work = work.T.reshape(-1, held.shape[1], each) * array.slot_cycles
        walked.cycles += int(lane_cycles(work, array.queue).sum())
        lane_slots = int(active.sum())
        walked.lane_slots += lane_slots
        return lane_slots, lane_slots, np.asarray(held.any(axis=1))
    busy = executed.sum(axis=0) * array.slot_cycles
    fewest = -(-count // array.scan) if array.mode == "vector" else 0
    walked.cycles += int(np.maximum(busy, fewest).sum())
    return int((executed * _sizes(live, each)).sum()), int(executed.sum()), None


def _sizes(live: int, each: int) -> Ints:
    """Positions of every group of held positions."""
    return np.minimum(each, live - np.arange(0, live, each))


def _merge_lanes(
    array: EngineArray, walked: WalkCount[int], touched: Bools | None, words: int
) -> None:
    if touched is not None:
        walked.cycles += len(touched) * array.slot_cycles
        outputs = int(touched.any(axis=1).sum())
        walked.merge(int(touched.sum()) * words, outputs * words)


def _outputs_reached(walk: Walk, groups: range) -> int:
    """Sums of a panel that get at least one product: their first one needs no read."""
    array, live = walk.shape.array, walk.operands.live
    wanted = walk.second(groups)
    if array.mode == "dense":
        return len(wanted) * live
    active = walk.operands.first.any(axis=(0, 1)) & wanted
    if array.mode == "element":
        return int(active.sum())
    held = in_groups(active, array.held_positions).any(axis=2)
    return int((held * _sizes(live, array.held_positions)).sum())

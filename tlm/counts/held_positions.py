"""Outputs or inputs held in the array at a group of positions, channels stream past them.

Outputs held (FP: of Y, BP: of dX, WG: of dY): all channels along the rows under a group of weights
stream past each group of positions. FP and BP write the sums back after every group of weights and
bring them in again for the next. Inputs held (FP, WG: the layer's input, BP: dY): a group of
channels under a tap meets all channels of a panel.

In mode ``element`` a held position is a lane. Its sums are its own in FP and BP; in WG all lanes
add to the same dW, each in a bank of its own, added up one slot per cycle in the end.
"""

from __future__ import annotations

import numpy as np

from tlm.counts.engine_array import EngineArray
from tlm.counts.lanes import lane_cycles
from tlm.counts.operands import group_sizes, in_groups
from tlm.counts.walk import Walk
from tlm.counts.walk_count import Entry, WalkCount
from tlm.space.array_types import Bools
from tlm.space.rounding import ceil_div


def walk_held_outputs(walk: Walk, group: int, size: int) -> list[Entry]:
    """Walk one group along the columns, ``size`` weight tiles at a time."""
    need = np.asarray(walk.column_operand(range(group, group + 1)).any(axis=0))
    pairs = walk.shape.row_group_taps
    return [
        _output_pass(walk, group, pairs[start : start + size], need, first=start == 0)
        for start in range(0, len(pairs), size)
    ]


def _output_pass(
    walk: Walk, group: int, pairs: list[tuple[int, int]], need: Bools, first: bool
) -> Entry:
    """Stream all channels of some (row group, tap index) past outputs that are held.

    The ``first`` pass of FP and BP starts its sums from nothing.
    """
    array, live, width = walk.shape.array, walk.operands.live, int(walk.shape.widths[group])
    streamed = np.concatenate([walk.row_operand(f, t) for f, t in pairs])
    entry = walk.start([(group, f, t) for f, t in pairs], len(streamed))
    count = entry.cost
    operands, slots, touched = _stream_past(array, count, streamed & need)
    count.macs, count.row_words = operands * width, operands
    count.cycles += live
    if array.weights_are_sums:
        count.other_words = live * width
        count.sum_reads = count.sum_writes = slots * width
        _merge_lanes(array, count, touched, width)
        return entry
    count.other_words = slots * width
    count.sum_writes = live * width
    if not first:
        count.sum_reads = live * width
        count.cycles += live
    return entry


def walk_held_inputs(walk: Walk, groups: range, size: int) -> list[Entry]:
    """Walk a panel of groups along the columns, ``size`` weight tiles at a time.

    A held group of channels meets as much of the panel as the weight buffer holds of it.
    """
    runs = [groups[start : start + size] for start in range(0, len(groups), size)]
    units = [(run, f, t) for f, t in walk.shape.row_group_taps for run in runs]
    together = max(1, size // len(runs[0]))
    entries = [
        _input_passes(walk, units[start : start + together])
        for start in range(0, len(units), together)
    ]
    if not walk.shape.array.weights_are_sums:
        _spare_reads([entry.cost for entry in entries], _outputs_reached(walk, groups))
    return entries


def _input_passes(walk: Walk, units: list[tuple[range, int, int]]) -> Entry:
    places = [(g, f, t) for run, f, t in units for g in run]
    slots = sum(int(walk.shape.widths[run].sum()) for run, _, _ in units)
    entry = walk.start(places, slots)
    for run, f, t in units:
        _input_pass(walk, entry.cost, run, f, t)
    return entry


def _spare_reads(counts: list[WalkCount[int]], fresh: int) -> None:
    """Take back the reads of the first sum of each of ``fresh`` outputs, in order."""
    for count in counts:
        count.fresh = min(fresh, count.sum_reads)
        count.sum_reads -= count.fresh
        fresh -= count.fresh


def _input_pass(walk: Walk, count: WalkCount[int], run: range, f: int, t: int) -> None:
    array, live, depth = walk.shape.array, walk.operands.live, int(walk.shape.depths[f])
    active = walk.row_operand(f, t).any(axis=0) & walk.column_operand(run)
    operands, slots, touched = _stream_past(array, count, active)
    count.cycles += live
    count.macs += operands * depth
    count.row_words += depth * live
    other, sums = (slots * depth, operands)
    if array.weights_are_sums:
        other, sums = sums, other
    count.other_words += other
    count.sum_reads += sums
    count.sum_writes += sums
    if array.weights_are_sums:
        _merge_lanes(array, count, touched, depth)


def _stream_past(
    array: EngineArray, count: WalkCount[int], active: Bools
) -> tuple[int, int, Bools | None]:
    """Stream all slots past every group of held positions; adds cycles and slots to ``count``.

    ``active`` [slot, position] says where a lane can change a result. Returns the positions met by
    executed slots, the executed slots (of all lanes), and in mode ``element`` which lanes ever
    executed each slot [slot, lane].
    """
    slots, live, each = *active.shape, array.held_positions
    held = in_groups(active, each)
    executed = held.any(axis=2) if array.mode != "dense" else np.ones(held.shape[:2], np.bool_)
    count.executed += int(executed.sum())
    if array.mode == "element":
        work = in_groups(held.reshape(slots, -1).T, array.scan).sum(axis=2, dtype=np.int64)
        work = work.T.reshape(-1, held.shape[1], each) * array.slot_cycles
        count.cycles += int(lane_cycles(work, array.queue).sum())
        lane_slots = int(active.sum())
        count.lane_slots += lane_slots
        return lane_slots, lane_slots, np.asarray(held.any(axis=1))
    busy = executed.sum(axis=0) * array.slot_cycles
    fewest = ceil_div(slots, array.scan) if array.mode == "vector" else 0
    count.cycles += int(np.maximum(busy, fewest).sum())
    return int((executed * group_sizes(live, each)).sum()), int(executed.sum()), None


def _merge_lanes(
    array: EngineArray, count: WalkCount[int], touched: Bools | None, words: int
) -> None:
    if touched is not None:
        count.cycles += len(touched) * array.slot_cycles
        outputs = int(touched.any(axis=1).sum())
        count.merge(int(touched.sum()) * words, outputs * words)


def _outputs_reached(walk: Walk, groups: range) -> int:
    """Sums of a panel that get at least one product: their first one needs no read."""
    array, live = walk.shape.array, walk.operands.live
    need = walk.column_operand(groups)
    if array.mode == "dense":
        return len(need) * live
    active = walk.operands.row_operand.any(axis=(0, 1)) & need
    if array.mode == "element":
        return int(active.sum())
    held = in_groups(active, array.held_positions).any(axis=2)
    return int((held * group_sizes(live, array.held_positions)).sum())

"""Weights held in the array (WG: dW): each tile is loaded (drained), all positions stream past it.

In mode ``element`` a lane of FP or BP adds into a bank of partial sums of its own, because it is
out of step with the others; the banks are added up when the panel is done, one position per cycle.
A lane of WG owns its row of dW.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tlm.counts.engine_array import EngineArray
from tlm.counts.lanes import lane_cycles
from tlm.counts.operands import Operands, grouped, in_groups
from tlm.counts.rows import RowCounts
from tlm.counts.walk import WalkShape
from tlm.counts.walk_count import WalkCount, of_one_shape
from tlm.space.array_types import Bools, Cells, Ints


class WeightStream(NamedTuple):
    """Streams past all tiles, [block, column group, row group, tap].

    Column groups are one if all agree. ``lane_slots`` are slots of single lanes. By block and
    column group, ``touched`` positions get a sum at all and ``fresh`` sums start from nothing
    (those of every lane, in mode ``element``).
    """

    executed: Ints
    cycles: Ints
    lane_slots: Ints
    touched: Ints
    fresh: Ints

    def of(self, blocks: slice | Ints) -> WeightStream:
        """Those of some blocks."""
        return WeightStream(*(counts[blocks] for counts in self))


class WeightCounts(NamedTuple):
    """All streams of a box, and ``useful`` pairs as they; all and scanned positions [2, block]."""

    stream: WeightStream
    useful: Ints
    positions: Ints

    def of(self, blocks: slice) -> WeightCounts:
        """Those of some blocks."""
        return WeightCounts(self.stream.of(blocks), self.useful[blocks], self.positions[:, blocks])


def walk_held_weights(
    shape: WalkShape, counts: WeightCounts, groups: range, size: int
) -> WalkCount[Ints]:
    """Walk groups along the columns, ``size`` weight tiles at a time: [block, group, entry].

    Some positions of every block are scanned.
    """
    array, stream, widths = shape.array, counts.stream, shape.widths[groups][:, None]
    tiles = len(shape.row_group_taps)
    depths, starts = np.repeat(shape.depths, len(shape.taps)), np.arange(0, tiles, size)
    positions, live = counts.positions[..., None, None]

    def by_entry(values: Ints) -> Ints:
        """Sums over the tiles of an entry."""
        chosen = _of_groups(values, groups)
        return np.add.reduceat(chosen.reshape(*chosen.shape[:2], tiles), starts, axis=2)

    executed, loads = by_entry(stream.executed), np.diff(np.append(starts, tiles))
    lane_slots = np.zeros_like(executed)
    vectors, row_words = executed, by_entry(stream.executed * shape.depths[:, None])
    if array.mode == "element":
        vectors = row_words = lane_slots = by_entry(stream.lane_slots)
    streamed, held = vectors * widths, np.add.reduceat(depths, starts) * widths
    other_words, sums = (streamed, held) if array.weights_are_sums else (held, streamed)
    count = of_one_shape(
        WalkCount(
            cycles=by_entry(stream.cycles) + array.rows * loads,
            slots=loads * positions,
            scanned=loads * live,
            executed=executed,
            dense=held * positions,
            macs=row_words * widths,
            useful=by_entry(counts.useful),
            lane_slots=lane_slots,
            row_words=row_words,
            other_words=other_words,
            sum_reads=sums,
            sum_writes=sums,
            fresh=np.zeros_like(sums),
            weightless=np.zeros_like(sums),
            merged=np.zeros_like(sums),
        )
    )
    if not array.weights_are_sums:
        spare_reads(count, shape, stream, live[..., 0], groups)
    return count


def _of_groups(values: Ints, groups: range) -> Ints:
    """Values [block, column group, ...] of some groups; a single group stands for all."""
    return values[:, groups] if values.shape[1] > 1 else values


def spare_reads(
    count: WalkCount[Ints],
    shape: WalkShape,
    stream: WeightStream,
    live: Ints,
    groups: range,
) -> None:
    """Take back the read of the first sum of each output, in order; merge the sums of lanes."""
    array, widths = shape.array, shape.widths[groups]
    fresh, touched = (
        _of_groups(values, groups) * widths for values in (stream.fresh, stream.touched)
    )
    first_reads = np.minimum(count.sum_reads.cumsum(axis=2), fresh[..., None])
    count.fresh = np.diff(first_reads, axis=2, prepend=0)
    count.sum_reads -= count.fresh
    if array.mode == "element":
        count.cycles[..., -1] += live * array.slot_cycles
        count.sum_reads[..., -1] += fresh
        count.sum_writes[..., -1] += touched
        count.merged[..., -1] += fresh - touched


def skipped_streams(array: EngineArray, rows: RowCounts, live: Ints) -> WeightStream:
    """Count the streams of modes ``dense`` and ``vector`` past every weight tile.

    ``rows`` are counts of whole blocks, ``live`` [block] their positions that are scanned.
    """
    slots = live[:, None, None, None]
    if array.mode == "dense":
        every = np.broadcast_to(slots, rows.executed.shape)
        full = np.broadcast_to(live[:, None], rows.executed.shape[:2])
        return WeightStream(
            executed=every,
            cycles=every * array.slot_cycles,
            lane_slots=every,
            touched=full,
            fresh=full,
        )
    return WeightStream(
        executed=rows.executed,
        cycles=np.maximum(rows.executed * array.slot_cycles, -(-slots // array.scan)),
        lane_slots=rows.executed,
        touched=rows.touched,
        fresh=rows.touched,
    )


def lane_streams(array: EngineArray, operands: Sequence[Operands]) -> WeightStream:
    """Count the streams of mode ``element``, block by block: lanes depend on the order."""
    streams = [_lane_stream(array, block_operands) for block_operands in operands]
    return WeightStream(*(np.stack(field) for field in zip(*streams, strict=True)))


def _lane_stream(array: EngineArray, operands: Operands) -> WeightStream:
    """The stream of one block, without the axis of blocks."""
    columns: Cells = np.ones((1, operands.live), np.bool_)
    if operands.column_operand is not None:
        columns = grouped(operands.column_operand, array.cols, 0) > 0
    left = (grouped(operands.row_operand, array.rows, 1) > 0).astype(np.float32)
    right = columns.astype(np.float32)
    taps, groups, live = left.shape
    meetings = (left.reshape(taps * groups, live) @ right.T).reshape(taps, groups, len(columns))
    rows = _by_row(array, operands.row_operand)
    work = _lane_work(array, rows, right)
    fresh = rows.any(axis=(0, 1)).astype(np.float32) @ right.T
    return WeightStream(
        executed=meetings.transpose(2, 1, 0).astype(np.int64),
        cycles=lane_cycles(work * array.slot_cycles, array.queue),
        lane_slots=work.sum(axis=(0, -1), dtype=np.int64),
        touched=(right @ left.any(axis=(0, 1))).astype(np.int64),
        fresh=fresh.sum(axis=0).astype(np.int64),
    )


def _lane_work(array: EngineArray, rows: Bools, columns: Cells) -> Ints:
    """Non-zeros of every lane, [scan group, column group, row group, tap, lane]."""
    taps, groups, lanes, live = rows.shape
    left = in_groups(rows.reshape(-1, live), array.scan).transpose(1, 0, 2).astype(np.float32)
    right = in_groups(columns, array.scan).transpose(1, 2, 0)
    meetings = (left @ right).reshape(-1, taps, groups, lanes, len(columns))
    return np.asarray(meetings.transpose(0, 4, 2, 1, 3).astype(np.int32))


def _by_row(array: EngineArray, row_operand: Bools) -> Bools:
    """Channels [tap, channel, position] by row of the array: [tap, row group, row, position]."""
    missing = -row_operand.shape[1] % array.rows
    padded = np.pad(row_operand, ((0, 0), (0, missing), (0, 0)))
    return padded.reshape(len(row_operand), -1, array.rows, row_operand.shape[2])

"""Weights held in the array (WG: dW): each tile is loaded (drained), all positions stream past it.

In mode ``element`` a lane of FP or BP adds into a bank of partial sums of its own, because it is
out of step with the others; the banks are added up when the panel is done, a position a cycle. A
lane of WG owns its row of dW.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tlm.counts.engine_array import EngineArray
from tlm.counts.lanes import lane_cycles
from tlm.counts.operands import Operands, grouped, in_groups
from tlm.counts.rows import RowCounts
from tlm.counts.walk import Shape, WalkCount
from tlm.space.array_types import Bools, Cells, Ints


class WeightStream(NamedTuple):
    """Streams past all tiles, [block, second group, first group, tap].

    Second groups are one if all agree. ``lane_slots`` are slots of single lanes. By block and
    second group, ``touched`` positions get a sum at all and ``fresh`` sums start from nothing
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
    shape: Shape, counted: WeightCounts, groups: range, size: int
) -> WalkCount[Ints]:
    """Walk groups of ``second``, ``size`` weight tiles at a time: arrays [block, group, entry].

    Some positions of every block are scanned.
    """
    stream, useful, positions = counted
    array, widths = shape.array, shape.widths[groups][:, None]
    tiles = len(shape.depths) * len(shape.taps)
    depths, starts = np.repeat(shape.depths, len(shape.taps)), np.arange(0, tiles, size)
    every, live = positions[..., None, None]

    def taken(counts: Ints) -> Ints:
        """Sums over the tiles of an entry."""
        own = counts[:, groups] if counts.shape[1] > 1 else counts
        return np.add.reduceat(own.reshape(*own.shape[:2], tiles), starts, axis=2)

    executed, count = taken(stream.executed), np.diff(np.append(starts, tiles))
    vectors, operands = executed, taken(stream.executed * shape.depths[:, None])
    if array.mode == "element":
        vectors = operands = taken(stream.lane_slots)
    streamed, held = vectors * widths, np.add.reduceat(depths, starts) * widths
    other, sums = (streamed, held) if array.weights_are_sums else (held, streamed)
    fields = np.broadcast_arrays(
        taken(stream.cycles) + array.rows * count, count * every, count * live, executed,
        held * every, operands * widths, taken(useful), vectors * (array.mode == "element"),
        operands, other, sums, sums, np.zeros_like(sums), np.zeros_like(sums),
    )  # fmt: skip
    walked = WalkCount(*(np.array(field, np.int64) for field in fields))
    if not array.weights_are_sums:
        _spare_reads(walked, array, stream, live[..., 0], groups, widths[:, 0])
    return walked


def _spare_reads(
    walked: WalkCount[Ints],
    array: EngineArray,
    stream: WeightStream,
    live: Ints,
    groups: range,
    widths: Ints,
) -> None:
    """Take back the read of the first sum of each output, in order; merge the sums of lanes."""
    fresh, touched = (
        (count[:, groups] if count.shape[1] > 1 else count) * widths
        for count in (stream.fresh, stream.touched)
    )
    first = np.minimum(walked.sum_reads.cumsum(axis=2), fresh[..., None])
    walked.fresh = np.diff(first, axis=2, prepend=0)
    walked.sum_reads -= walked.fresh
    if array.mode == "element":
        walked.cycles[..., -1] += live * array.slot_cycles
        walked.sum_reads[..., -1] += fresh
        walked.sum_writes[..., -1] += touched
        walked.merged[..., -1] += fresh - touched


def skipped_streams(array: EngineArray, rows: RowCounts, live: Ints) -> WeightStream:
    """Count the streams of modes ``dense`` and ``vector`` past every weight tile.

    ``rows`` are counts of whole blocks, ``live`` [block] their positions that are scanned.
    """
    at = live[:, None, None, None]
    if array.mode == "dense":
        every = np.broadcast_to(at, rows.executed.shape)
        full = np.broadcast_to(live[:, None], rows.executed.shape[:2])
        return WeightStream(every, every * array.slot_cycles, every, full, full)
    cycles = np.maximum(rows.executed * array.slot_cycles, -(-at // array.scan))
    return WeightStream(rows.executed, cycles, rows.executed, rows.touched, rows.touched)


def lane_streams(array: EngineArray, operands: Sequence[Operands]) -> WeightStream:
    """Count the streams of mode ``element``, block by block: lanes depend on the order."""
    counted = [_lane_stream(array, one) for one in operands]
    return WeightStream(*(np.stack(field) for field in zip(*counted, strict=True)))


def _lane_stream(array: EngineArray, operands: Operands) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    second: Cells = np.ones((1, operands.live), np.bool_)
    if operands.second is not None:
        second = grouped(operands.second, array.cols, 0) > 0
    left = (grouped(operands.first, array.rows, 1) > 0).astype(np.float32)
    right = second.astype(np.float32)
    taps, chunks, live = left.shape
    met = (left.reshape(taps * chunks, live) @ right.T).reshape(taps, chunks, len(second))
    executed = met.transpose(2, 1, 0).astype(np.int64)
    touched = (right @ left.any(axis=(0, 1))).astype(np.int64)
    rows = _by_row(array, operands.first)
    work = _lane_work(array, rows, right)
    fresh = (rows.any(axis=(0, 1)).astype(np.float32) @ right.T).sum(axis=0).astype(np.int64)
    cycles = lane_cycles(work * array.slot_cycles, array.queue)
    return executed, cycles, work.sum(axis=(0, -1), dtype=np.int64), touched, fresh


def _lane_work(array: EngineArray, rows: Bools, second: Cells) -> Ints:
    """Non-zeros of every lane, [scan group, second group, first group, tap, lane]."""
    taps, chunks, lanes, live = rows.shape
    left = in_groups(rows.reshape(-1, live), array.scan).transpose(1, 0, 2).astype(np.float32)
    right = in_groups(second, array.scan).transpose(1, 2, 0)
    met = (left @ right).reshape(-1, taps, chunks, lanes, len(second))
    return np.asarray(met.transpose(0, 4, 2, 1, 3).astype(np.int32))


def _by_row(array: EngineArray, first: Bools) -> Bools:
    """Channels of ``first`` [tap, channel, P] by row of the array: [tap, chunk, row, P]."""
    missing = -first.shape[1] % array.rows
    padded = np.pad(first, ((0, 0), (0, missing), (0, 0)))
    return padded.reshape(len(first), -1, array.rows, first.shape[2])

"""Weights held in the array (WG: dW): each tile is loaded (drained), all positions stream past it.

In mode ``element`` a lane of FP or BP adds into a bank of partial sums of its own, because it is
out of step with the others; the banks are added up when the panel is done, a position a cycle. A
lane of WG owns its row of dW.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tlm.mapping.counts import Bools, Cells, Ints
from tlm.mapping.lanes import lane_cycles
from tlm.mapping.operands import Operands, grouped, in_groups
from tlm.mapping.walk import Nest, Walk, Walked, spare_first_reads


@dataclass(frozen=True, slots=True)
class WeightStream:
    """Streams past all tiles, [second group, first group, tap]; one second group if all agree.

    ``lane_slots`` are slots of single lanes. By second group, ``touched`` positions get a sum at
    all and ``fresh`` sums start from nothing (those of every lane, in mode ``element``).
    """

    executed: Ints
    cycles: Ints
    lane_slots: Ints
    touched: Ints
    fresh: Ints


def walk_held_weights(walk: Walk, stream: WeightStream, group: int, size: int) -> list[Walked]:
    """Walk one group of ``second``, ``size`` weight tiles at a time."""
    nest, at, width = walk.nest, group % len(stream.executed), int(walk.widths[group])
    taps = len(walk.operands.taps)
    depths = np.repeat(walk.depths, taps)
    executed = stream.executed[at].ravel()
    operands = vectors = stream.lane_slots[at].ravel()
    if nest.mode != "element":
        operands, vectors = executed * depths, executed
    under = walk.under
    starts = np.arange(0, len(depths), size)
    table = np.stack([executed, stream.cycles[at].ravel() + nest.rows, operands, vectors, depths,
                      walk.useful[group].ravel()])  # fmt: skip
    sums = np.add.reduceat(table, starts, axis=1).T.tolist()
    walked = [
        _tiles(walk, group, under[start : start + size], *one)
        for start, one in zip(starts.tolist(), sums, strict=True)
    ]
    if nest.weights_are_sums:
        return walked
    spare_first_reads(walked, int(stream.fresh[at]) * width)
    if nest.mode == "element":
        walked[-1].cycles += walk.operands.live * nest.slot_cycles
        walked[-1].merge(int(stream.fresh[at]) * width, int(stream.touched[at]) * width)
    return walked


def _tiles(
    walk: Walk, group: int, under: list[tuple[int, int]], executed: int, cycles: int,
    operands: int, vectors: int, depth: int, useful: int,
) -> Walked:  # fmt: skip
    """One entry: sums over the weight tiles at the (first group, tap index) ``under``."""
    nest, width = walk.nest, int(walk.widths[group])
    streamed, held = vectors * width, depth * width
    other, sums = (streamed, held) if nest.weights_are_sums else (held, streamed)
    return Walked(
        walk.tiles(group, under),
        cycles=cycles,
        slots=len(under) * walk.operands.positions,
        scanned=len(under) * walk.operands.live,
        executed=executed,
        dense=held * walk.operands.positions,
        macs=operands * width,
        useful=useful,
        lane_slots=vectors if nest.mode == "element" else 0,
        first_words=operands,
        other_words=other,
        sum_reads=sums,
        sum_writes=sums,
    )


def weight_stream(nest: Nest, operands: Operands) -> WeightStream:
    """Count the streams past every weight tile at once."""
    live = operands.live
    second = np.ones((1, live), np.bool_)
    if operands.second is not None:
        second = grouped(operands.second, nest.cols, 0) > 0
    by_group = operands.first  # counts of groups already, but for mode element
    if nest.mode == "element":
        by_group = grouped(by_group, nest.rows, 1)
    taps, chunks, _ = by_group.shape
    if nest.mode == "dense":
        every, full = np.full((len(second), chunks, taps), live), np.full(len(second), live)
        return WeightStream(every, every * nest.slot_cycles, every, full, full)
    left, right = (by_group > 0).astype(np.float32), second.astype(np.float32)
    met = (left.reshape(-1, live) @ right.T).reshape(taps, chunks, -1)
    executed = met.transpose(2, 1, 0).astype(np.int64)
    touched = (right @ left.any(axis=(0, 1))).astype(np.int64)
    if nest.mode == "vector":
        cycles = np.maximum(executed * nest.slot_cycles, -(-live // nest.scan))
        return WeightStream(executed, cycles, executed, touched, touched)
    rows = _by_row(nest, operands.first)
    work = _lane_work(nest, rows, right)
    fresh = (rows.any(axis=(0, 1)).astype(np.float32) @ right.T).sum(axis=0).astype(np.int64)
    cycles = lane_cycles(work * nest.slot_cycles, nest.queue)
    return WeightStream(executed, cycles, work.sum(axis=(0, -1), dtype=np.int64), touched, fresh)


def _lane_work(nest: Nest, rows: Bools, second: Cells) -> Ints:
    """Non-zeros of every lane, [scan group, second group, first group, tap, lane]."""
    taps, chunks, lanes, live = rows.shape
    left = in_groups(rows.reshape(-1, live), nest.scan).transpose(1, 0, 2).astype(np.float32)
    right = in_groups(second, nest.scan).transpose(1, 2, 0)
    met = (left @ right).reshape(-1, taps, chunks, lanes, len(second))
    return np.asarray(met.transpose(0, 4, 2, 1, 3).astype(np.int32))


def _by_row(nest: Nest, first: Bools) -> Bools:
    """Channels of ``first`` [tap, channel, P] by row of the array: [tap, chunk, row, P]."""
    missing = -first.shape[1] % nest.rows
    padded = np.pad(first, ((0, 0), (0, missing), (0, 0)))
    return padded.reshape(len(first), -1, nest.rows, first.shape[2])

"""Held weights of which only some are stored: each tile is loaded, all positions stream past it.

A slot is executed if some operand of a row with a weight is set, and some needed sum of a column
with a weight: the scan looks through two masks that the index leaves with a tile. Cells without a
weight are off. Vectors of operands and sums pass whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from tlm.counts.engine_array import EngineArray
from tlm.counts.operands import Operands
from tlm.counts.packed_weights import TileView
from tlm.counts.walk import WalkShape
from tlm.counts.walk_count import WalkCount, of_one_shape
from tlm.space.array_types import Bools, Ints

CELLS = 1 << 22  # elements [tap, row group, column group, position] looked at together


class PackedCounts(NamedTuple):
    """Streams past all tiles [block, column group, row group, tap].

    ``executed`` slots, ``useful`` pairs of non-zeros that meet a weight; ``fresh`` positions whose
    sums begin at a tile, ``weightless`` those of these sums whose column is empty there; all and
    scanned ``positions`` [2, block].
    """

    executed: Ints
    useful: Ints
    fresh: Ints
    weightless: Ints
    positions: Ints

    def of(self, blocks: slice) -> PackedCounts:
        """Those of some blocks."""
        return PackedCounts(
            self.executed[blocks], self.useful[blocks], self.fresh[blocks],
            self.weightless[blocks], self.positions[:, blocks],
        )  # fmt: skip


def packed_counts(
    shape: WalkShape, tiles: TileView, operands: Iterable[tuple[Operands, Operands]]
) -> PackedCounts:
    """Count blocks, each of which has ``operands`` as a zero test sees them, and as recorded."""
    rows, columns = shape.array.rows, shape.array.cols
    taps = len(shape.taps)
    mask = _padded(tiles.mask, 1, rows, 2, columns)
    mask = mask.reshape(taps, len(shape.depths), rows, len(shape.widths), columns)
    used = np.asarray(mask.any(axis=4)), np.asarray(mask.any(axis=2))
    empty = shape.widths[:, None, None] - used[1].sum(axis=3).transpose(2, 1, 0)
    blocks = []
    for tested, recorded in operands:
        met = _executed(shape, tested, used)
        if shape.array.mode == "dense":
            met = _every_slot(tiles, tested.live)
        useful = np.add.reduceat(
            np.add.reduceat(_pairs(recorded, tiles.mask), _firsts(shape.depths), axis=1),
            _firsts(shape.widths),
            axis=2,
        )
        positions = np.array([tested.positions, tested.live])
        blocks.append((met[0], useful.transpose(2, 1, 0), met[1], met[1] * empty, positions))
    executed, useful, fresh, weightless, positions = map(np.stack, zip(*blocks, strict=True))
    return PackedCounts(executed, useful, fresh, weightless, positions.T)


def walk_packed(
    shape: WalkShape, tiles: TileView, counts: PackedCounts, groups: range, size: int
) -> WalkCount[Ints]:
    """Walk groups along the columns, ``size`` weight tiles at a time: [block, group, entry]."""
    array, widths = shape.array, shape.widths[groups][:, None]
    number = len(shape.row_group_taps)
    starts = np.arange(0, number, size)
    positions, live = counts.positions[..., None, None]

    def by_entry(values: Ints) -> Ints:
        """Sums over the tiles of an entry, of [column group, row group, tap], or of blocks too."""
        chosen = values[..., groups, :, :]
        return np.add.reduceat(chosen.reshape(*chosen.shape[:-2], number), starts, axis=-1)

    executed, stored = counts.executed, tiles.values > 0
    cycles = _stream_cycles(array, counts, stored)
    depths = np.repeat(shape.depths, len(shape.taps))
    loads, words = np.diff(np.append(starts, number)), by_entry(tiles.words)
    vectors, values = by_entry(executed), by_entry(tiles.values)
    streamed = vectors * widths
    sums_read, sums_written = (words, values) if array.weights_are_sums else (streamed, streamed)
    count = of_one_shape(
        WalkCount(
            cycles=by_entry(cycles) + by_entry(tiles.loads),
            slots=loads * positions,
            scanned=by_entry(stored.astype(np.int64)) * live,
            executed=vectors,
            dense=np.add.reduceat(depths, starts) * widths * positions,
            macs=by_entry(executed * tiles.values),
            useful=by_entry(counts.useful),
            lane_slots=np.zeros_like(vectors),
            row_words=by_entry(executed * shape.depths[:, None]),
            other_words=streamed if array.weights_are_sums else words,
            sum_reads=sums_read,
            sum_writes=sums_written,
            fresh=np.zeros_like(vectors),
            weightless=np.zeros_like(vectors),
            merged=np.zeros_like(vectors),
        )
    )
    if not array.weights_are_sums:
        count.fresh = by_entry(counts.fresh) * widths
        count.weightless = by_entry(counts.weightless)
        count.sum_reads -= count.fresh
    return count


def _stream_cycles(array: EngineArray, counts: PackedCounts, stored: Bools) -> Ints:
    """Cycles in which positions stream past every tile; a zero-scan looks at all of them."""
    cycles = counts.executed * array.slot_cycles
    if array.mode == "dense":
        return cycles
    scans = -(-counts.positions[1][:, None, None, None] // array.scan)
    return np.asarray(np.maximum(cycles, scans * stored))


def _firsts(sizes: Ints) -> Ints:
    """Where every group begins."""
    return np.asarray(np.cumsum(sizes) - sizes)


def _padded(mask: Bools, *edges: int) -> Bools:
    """A mask with axes filled up to multiples: axis, size, axis, size, ..."""
    pads = [(0, 0)] * mask.ndim
    for axis, size in zip(edges[::2], edges[1::2], strict=True):
        pads[axis] = (0, -mask.shape[axis] % size)
    return np.pad(mask, pads)


def _every_slot(tiles: TileView, live: int) -> tuple[Ints, Ints]:
    """Mode ``dense``: every position past every tile that is stored."""
    stored = tiles.values > 0
    in_order = stored.reshape(len(stored), -1)
    first = (in_order & (in_order.cumsum(axis=1) == 1)).reshape(stored.shape)
    return stored * np.int64(live), np.asarray(first * np.int64(live))


def _executed(shape: WalkShape, operands: Operands, used: tuple[Bools, Bools]) -> tuple[Ints, Ints]:
    """Executed slots, and positions whose sums begin at them, [column group, row group, tap].

    ``used`` are rows [tap, row group, row, column group] and columns [tap, row group, column group,
    column] of tiles that have a weight.
    """
    taps, chunks, rows, groups = used[0].shape
    by_row = used[0].swapaxes(2, 3).astype(np.float32)  # [tap, row group, column group, row]
    by_column = used[1].transpose(2, 0, 1, 3).reshape(groups, taps * chunks, -1).astype(np.float32)
    some_column = np.asarray(used[1].any(axis=3))
    executed = np.zeros((groups, chunks, taps), np.int64)
    fresh = np.zeros_like(executed)
    for part in _parts(operands.live, taps * chunks * groups):
        row_operand = _padded(operands.row_operand[..., part], 1, rows)
        row_operand = row_operand.reshape(taps, chunks, rows, -1).astype(np.float32)
        met = by_row @ row_operand > 0  # [tap, row group, column group, position]
        if operands.column_operand is None:
            met &= some_column[..., None]
        else:
            columns = _padded(operands.column_operand[..., part], 0, by_column.shape[2])
            columns = columns.reshape(groups, by_column.shape[2], -1).astype(np.float32)
            partners = (by_column @ columns > 0).reshape(groups, taps, chunks, -1)
            met &= partners.transpose(1, 2, 0, 3)
        executed += met.sum(axis=3).transpose(2, 1, 0)
        in_order = met.transpose(2, 1, 0, 3).reshape(groups, chunks * taps, -1)
        begun = np.logical_or.accumulate(in_order, axis=1).sum(axis=2)
        fresh += np.diff(begun, axis=1, prepend=0).reshape(executed.shape)
    return executed, fresh


def _pairs(operands: Operands, mask: Bools) -> Ints:
    """Pairs of non-zeros that meet a weight, [tap, row channel, column channel]."""
    pairs = np.zeros(mask.shape)
    for part in _parts(operands.live, mask.shape[0] * mask.shape[1]):
        row_operand = operands.row_operand[..., part].astype(np.float32)
        if operands.column_operand is None:
            pairs += row_operand.sum(axis=2, dtype=np.float64)[..., None]
        else:
            pairs += row_operand @ operands.column_operand[..., part].T.astype(np.float32)
    return np.asarray((pairs * mask).astype(np.int64))


def _parts(positions: int, each: int) -> Iterator[slice]:
    """Spans of positions that are looked at together, with ``each`` elements a position."""
    size = max(1, CELLS // max(1, each))
    return (slice(start, start + size) for start in range(0, positions, size))

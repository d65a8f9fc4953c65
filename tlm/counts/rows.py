"""Counts of whole blocks: sums over image rows, of many blocks at once.

Slots that ``vector`` executes and pairs of non-zeros add up over positions, whatever the block; so
a walk is counted row by row, by one matrix product per row, and rows are added up to blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tlm.counts.operands import grouped
from tlm.counts.planes import Planes
from tlm.space.array_types import Cells, Floats, Ints
from tlm.space.region import Block, Span

CELLS = 1 << 21  # operands looked at together; each takes some ten bytes meanwhile


class RowCounts(NamedTuple):
    """``executed`` slots and ``useful`` pairs [block, column group, row group, tap].

    ``touched`` [block, column group] positions have something under any tap.
    """

    executed: Ints
    useful: Ints
    touched: Ints


def count_rows(
    tested: Planes, recorded: Planes, blocks: Sequence[Block], cols: int, widths: Ints
) -> RowCounts:
    """Count what a zero test sees (``tested``) and what was recorded in every block.

    The row operand holds counts of channel groups; the column operand is grouped by ``cols`` here,
    or every one of a group's ``widths`` channels is a partner of all. The blocks are all of a box,
    in its order.
    """
    executed, touched, useful = _counted(tested, blocks, cols)
    if recorded is not tested:
        _, _, useful = _counted(recorded, blocks, cols)
    if recorded.column_operand is None:
        useful = useful * widths[:, None, None]
    return RowCounts(executed, useful, touched[:, :, 0, 0])


def _counted(planes: Planes, blocks: Sequence[Block], cols: int) -> list[Ints]:
    """Executed, touched and useful, [block, column group, row group, tap]."""
    t, b, groups, y, x, r, s = planes.row_operand.shape
    size = max(1, CELLS // (t * groups * y * x * r * s))
    parts = [
        _samples(planes, slice(start, start + size), blocks, cols) for start in range(0, b, size)
    ]
    spans = list(dict.fromkeys(block.samples for block in blocks))
    counts = []
    for part in zip(*parts, strict=True):
        total = _added(np.concatenate(part), spans, 0)
        total = total.reshape(len(blocks), -1, min(groups, total.shape[3]), total.shape[4])
        counts.append(np.asarray(total.transpose(0, 3, 2, 1).astype(np.int64)))
    return counts


def _samples(
    planes: Planes, samples: slice, blocks: Sequence[Block], cols: int
) -> tuple[Floats, Floats, Floats]:
    """The counts of some samples [sample, row span, step span, tap x row group, column group]."""
    by_row = planes.row_operand[:, samples].transpose(1, 0, 3, 5, 6, 2, 4)
    b, t, y, _, _, _, x = by_row.shape
    left = np.ascontiguousarray(by_row).reshape(b, t, y, -1, x)
    right: Cells = np.ones((1, 1, 1, x, 1), np.uint8)
    if planes.column_operand is not None:
        right = grouped(planes.column_operand[:, samples], cols, 2).transpose(1, 0, 3, 4, 2)
    present, partner = left > 0, (right > 0).astype(np.float32)
    alive = planes.live[:, samples].T[..., None, None, None]
    rows = [planes.rows(span) for span in dict.fromkeys(block.rows for block in blocks)]
    steps = list(dict.fromkeys(block.steps for block in blocks))

    def total(counts: Cells) -> Floats:
        """Sums of live slices over the rows and steps of blocks."""
        by_rows = _added(counts if alive.all() else counts * alive, rows, 2)
        return _added(by_rows, steps, 1).swapaxes(1, 2)

    return (
        total(present.astype(np.float32) @ partner),
        total(np.logical_or.reduce(present, axis=3, keepdims=True).astype(np.float32) @ partner),
        total(left.astype(np.float32) @ right.astype(np.float32)),
    )


def _added(counts: Cells, spans: Sequence[Span], axis: int) -> Floats:
    """Sums over ``spans``, which adjoin; of an empty one, zero."""
    filled = [at for at, span in enumerate(spans) if span[0] < span[1]]
    starts = [spans[at][0] - spans[0][0] for at in filled]
    total = np.add.reduceat(counts, starts, axis=axis, dtype=np.float64)
    if len(filled) == len(spans):
        return np.asarray(total)
    every = np.zeros((*total.shape[:axis], len(spans), *total.shape[axis + 1 :]))
    every[(slice(None),) * axis + (filled,)] = total
    return every

"""Counts of whole blocks: sums over image rows, of many blocks at once.

Slots that ``vector`` executes and pairs of non-zeros add up over positions, whatever the block; so
a walk is counted by one matrix product for the rows of every block, and added up over steps and
samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from tlm.counts.operands import grouped
from tlm.counts.planes import Planes
from tlm.counts.span_sums import added
from tlm.space.array_types import Cells, Floats, Ints
from tlm.space.region import Block, Span, length

CELLS = 1 << 21  # operands looked at together; each takes some ten bytes meanwhile
EXACT = 1 << 24  # whole numbers up to which float32 has every one


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
    # Sums of a block are mostly small enough for the numbers that its rows are counted in.
    rows = max(length(span) for span in {block.rows for block in blocks})
    pairs = {(block.samples, block.steps) for block in blocks}
    positions = x * rows * max(length(samples) * length(steps) for samples, steps in pairs)
    small = positions * 255 * min(cols, 255) < EXACT
    kind = np.dtype(np.float32 if small else np.float64)
    parts = [
        _samples(planes, slice(start, start + size), blocks, cols, kind)
        for start in range(0, b, size)
    ]
    spans = list(dict.fromkeys(block.samples for block in blocks))
    counts = []
    for part in zip(*parts, strict=True):
        total = added(np.concatenate(part), spans, 0, kind)
        total = total.reshape(len(blocks), -1, min(groups, total.shape[3]), total.shape[4])
        counts.append(np.asarray(total.transpose(0, 3, 2, 1).astype(np.int64)))
    return counts


def _samples(
    planes: Planes, samples: slice, blocks: Sequence[Block], cols: int, kind: np.dtype[Any]
) -> tuple[Floats, Floats, Floats]:
    """The counts of some samples [sample, row span, step span, tap x row group, column group]."""
    rows = [planes.rows(span) for span in dict.fromkeys(block.rows for block in blocks)]
    steps = list(dict.fromkeys(block.steps for block in blocks))
    runs = [
        _rows(planes, samples, list(run), cols)
        for _, run in groupby(rows, length)  # neighbours of one height are multiplied together
    ]
    executed, touched, useful = (
        added(np.concatenate(parts, axis=2), steps, 1, kind).swapaxes(1, 2)
        for parts in zip(*runs, strict=True)
    )
    return executed, touched, useful


def _rows(
    planes: Planes, samples: slice, spans: Sequence[Span], cols: int
) -> tuple[Floats, Floats, Floats]:
    """The counts of spans of equally many rows [sample, step, span, tap x row group, column group].

    All positions of a span are multiplied at once, for matrices of single rows are small.
    """
    rows, count = slice(spans[0][0], spans[-1][1]), len(spans)
    by_tap = planes.row_operand[:, samples, :, rows].transpose(1, 0, 5, 6, 2, 3, 4)
    b, t, r, s, groups, y, x = by_tap.shape
    positions = y // count * x
    left = np.ascontiguousarray(by_tap).reshape(b, t, r * s * groups, y * x)
    right: Cells = np.ones((1, 1, count, positions, 1), np.uint8)
    if planes.column_operand is not None:
        columns = grouped(planes.column_operand[:, samples, :, rows], cols, 2)
        right = columns.reshape(t, b, columns.shape[2], count, positions).transpose(1, 0, 3, 4, 2)
    alive = planes.live[:, samples].T[..., None, None, None]
    if not alive.all():
        right = right * alive
    kind = np.float32 if positions * 255 * min(cols, 255) < EXACT else np.float64
    present, partner = left > 0, (right > 0).astype(kind)

    def products(rows: Cells, columns: Cells) -> Floats:
        """Sums over the positions of every span."""
        matrices = rows.astype(kind).reshape(b, t, rows.shape[2], count, positions).swapaxes(2, 3)
        return np.asarray(matrices @ columns)

    touched = np.logical_or.reduce(present, axis=2, keepdims=True)
    return (
        products(present, partner),
        products(touched, partner),
        products(left, right.astype(kind)),
    )

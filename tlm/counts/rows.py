"""Counts of whole blocks: sums over image rows, of many blocks at once.

Slots that ``vector`` executes and pairs of non-zeros add up over positions, whatever the block; so
a walk is counted row by row, by one matrix product a row, and rows are added up to blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tlm.counts.operands import Planes, grouped
from tlm.space.array_types import Cells, Ints
from tlm.space.region import Block, Span

CELLS = 1 << 21  # operands looked at together; each takes some ten bytes meanwhile

Floats = npt.NDArray[np.float64]


class RowCounts(NamedTuple):
    """``executed`` slots and ``useful`` pairs [block, second group, first group, tap].

    ``touched`` [block, second group] positions have something under any tap.
    """

    executed: Ints
    useful: Ints
    touched: Ints


def count_rows(
    seen: Planes, real: Planes, blocks: Sequence[Block], cols: int, widths: Ints
) -> RowCounts:
    """Count what a zero test sees (``seen``) and what was recorded (``real``) in every block.

    ``first`` are counts of channel groups; ``second`` is grouped by ``cols`` here, or every one of
    ``widths`` channels a group is a partner of all. The blocks are all of a box, in its order.
    """
    executed, touched, useful = _counted(seen, blocks, cols)
    if real is not seen:
        _, _, useful = _counted(real, blocks, cols)
    if real.second is None:
        useful = useful * widths[:, None, None]
    return RowCounts(executed, useful, touched[:, :, 0, 0])


def _counted(planes: Planes, blocks: Sequence[Block], cols: int) -> list[Ints]:
    """Executed, touched and useful, [block, second group, first group, tap]."""
    t, b, groups, y, x, r, s = planes.first.shape
    size = max(1, CELLS // (t * groups * y * x * r * s))
    parts = [
        _samples(planes, slice(start, start + size), blocks, cols) for start in range(0, b, size)
    ]
    spans = list(dict.fromkeys(one.samples for one in blocks))
    found = []
    for part in zip(*parts, strict=True):
        total = _added(np.concatenate(part), spans, 0)
        total = total.reshape(len(blocks), -1, min(groups, total.shape[3]), total.shape[4])
        found.append(np.asarray(total.transpose(0, 3, 2, 1).astype(np.int64)))
    return found


def _samples(
    planes: Planes, samples: slice, blocks: Sequence[Block], cols: int
) -> tuple[Floats, Floats, Floats]:
    """The counts of some samples [sample, row span, step span, tap x first group, second group]."""
    first = np.ascontiguousarray(planes.first[:, samples].transpose(1, 0, 3, 5, 6, 2, 4))
    b, t, y, _, _, _, x = first.shape
    left = first.reshape(b, t, y, -1, x)
    right: Cells = np.ones((1, 1, 1, x, 1), np.uint8)
    if planes.second is not None:
        right = grouped(planes.second[:, samples], cols, 2).transpose(1, 0, 3, 4, 2)
    some, partner = left > 0, (right > 0).astype(np.float32)
    alive = planes.live[:, samples].T[..., None, None, None]
    rows = [planes.rows(span) for span in dict.fromkeys(one.rows for one in blocks)]
    steps = list(dict.fromkeys(one.steps for one in blocks))

    def total(counts: Cells) -> Floats:
        """Sums of live slices over the rows and steps of blocks."""
        by_row = _added(counts if alive.all() else counts * alive, rows, 2)
        return _added(by_row, steps, 1).swapaxes(1, 2)

    return (
        total(some.astype(np.float32) @ partner),
        total(np.logical_or.reduce(some, axis=3, keepdims=True).astype(np.float32) @ partner),
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

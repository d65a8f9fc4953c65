"""A map of elements, row by row: what all its rows have in common, and where each starts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tlm.workload.capture.windows import NOWHERE
from tlm.workload.model import BoolArray, IntArray


@dataclass(frozen=True, eq=False)
class Origins:
    """Origins one behind the other: the number of each one's ``first`` element, and of elements in
    a row.
    """

    first: IntArray
    row_size: IntArray

    def located(self, elements: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        """Origin, row there and place in the row of each element; -1 of those below 0."""
        origin = np.searchsorted(self.first, elements, "right") - 1
        first, size = np.append(self.first, 0)[origin], np.append(self.row_size, 1)[origin]
        row, inside = np.divmod(elements - first, size)
        known = elements >= 0
        return origin, np.where(known, row, NOWHERE), np.where(known, inside, NOWHERE)


@dataclass(frozen=True, eq=False)
class RowMap:
    """A map of N rows, all of which read the same places of their origins' rows.

    Elements [C, H, W] are those ``inside`` of a row of ``origin``, that of one of the N; -1 where
    no row has any. In each channel a row reads all of these, of the row ``source_rows`` [N, C] of
    ``source_origins`` [N, C], or none (-1).
    """

    origin: IntArray
    inside: IntArray
    source_origins: IntArray
    source_rows: IntArray


def row_map(elements: IntArray, origins: Origins) -> RowMap | None:
    """``elements`` [N, C, H, W] by rows; None if they are arranged otherwise from row to row."""
    some_row = elements.max(0)
    origin, _, inside = origins.located(some_row)
    starts = _starts(elements, inside, some_row >= 0)
    if starts is None:
        return None
    source_origins, source_rows, rest = origins.located(starts)
    if (rest > 0).any():
        return None
    return RowMap(origin, inside, source_origins, source_rows)


def _starts(elements: IntArray, inside: IntArray, read: BoolArray) -> IntArray | None:
    """By row and channel the number of the element that stands ``inside`` - 0; -1 without any.

    One pass for each of few simple steps: maps are the largest arrays that are read.
    """
    known = elements >= 0
    starts = elements - inside
    if known.all():
        first, last = starts.min((2, 3)), starts.max((2, 3))
        return first if (first == last).all() and (first >= 0).all() else None
    count = np.count_nonzero(known, (2, 3))
    first = np.where(known, starts, np.iinfo(np.int64).max).min((2, 3))
    last = np.where(known, starts, NOWHERE).max((2, 3))
    alike = (first == last) & (first >= 0) & (count == np.count_nonzero(read, (1, 2)))
    return last if (alike | (count == 0)).all() else None

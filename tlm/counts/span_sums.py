"""Sums over neighbouring spans of an axis: rows to blocks, channels to chunks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

from tlm.space.array_types import Cells
from tlm.space.region import Span, length


def added(counts: Cells, spans: Sequence[Span], axis: int, kind: np.dtype[Any]) -> Cells:
    """Sums over ``spans``, which adjoin, as numbers of a ``kind``; of an empty one, zero.

    The first span begins where the axis does.
    """
    if all(length(span) == 1 for span in spans):
        return counts.astype(kind, copy=False)
    before, behind, origin = counts.shape[:axis], counts.shape[axis + 1 :], spans[0][0]
    total = np.empty((*before, len(spans), *behind), kind)
    every = (slice(None),) * axis
    # Neighbours of one length are added up together: far faster than one after the other.
    for size, run in groupby(range(len(spans)), lambda at: length(spans[at])):
        numbers = list(run)
        first, last = numbers[0], numbers[-1] + 1
        part = counts[*every, spans[first][0] - origin : spans[last - 1][1] - origin]
        split = part.reshape(*before, last - first, size, *behind)
        total[*every, first:last] = split.sum(axis=axis + 1, dtype=kind)
    return total

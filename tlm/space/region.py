"""Spans and boxes of neurons: how they are cut, and what two of them share."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import NamedTuple

Span = tuple[int, int]  # half-open: first, one past the last


def overlap(a: Span, b: Span) -> Span:
    """The common part of two spans; empty spans have equal ends."""
    low, high = max(a[0], b[0]), min(a[1], b[1])
    return (low, max(low, high))


def length(span: Span) -> int:
    """How many elements a span holds."""
    return span[1] - span[0]


def cuts(total: int, parts: int, quantum: int = 1) -> list[Span]:
    """Cut ``total`` into at most ``parts`` nearly equal spans at multiples of ``quantum``.

    Larger spans come first. The last span may be short if ``quantum`` does not divide ``total``.
    """
    units = -(-total // quantum)
    parts = min(parts, units)
    spans, start = [], 0
    for part in range(parts):
        size = units // parts + (part < units % parts)
        spans.append((start * quantum, min(total, (start + size) * quantum)))
        start += size
    return spans


def balanced_cuts(work: Sequence[int], parts: int) -> list[Span]:
    """Cut units into ``parts`` spans so that the largest sum of ``work`` is the least possible.

    ``work`` is that of each unit. Within that bound, every span comes as close as it can to an even
    share of what is left. There are fewer spans than ``parts`` if there are fewer units.
    """
    parts = min(parts, len(work))
    total = [0, *accumulate(work)]
    bound = _least_bound(total, parts)
    spans: list[Span] = []
    start = 0
    for left in range(parts, 0, -1):
        even = total[start] + (total[-1] - total[start]) / left
        last = len(work) - left + 1
        stop = start + 1
        while (
            stop < last
            and total[stop + 1] - total[start] <= bound
            and (
                _spans_within(total, stop, bound) >= left
                or abs(total[stop + 1] - even) <= abs(total[stop] - even)
            )
        ):
            stop += 1
        spans.append((start, stop))
        start = stop
    return spans


def _least_bound(total: Sequence[int], parts: int) -> int:
    """The least bound within which ``parts`` spans hold all units, by bisection."""
    low = max(b - a for a, b in pairwise(total))
    high = total[-1]
    while low < high:
        middle = (low + high) // 2
        if _spans_within(total, 0, middle) <= parts:
            high = middle
        else:
            low = middle + 1
    return low


def _spans_within(total: Sequence[int], start: int, bound: int) -> int:
    """How many spans of at most ``bound`` the units from ``start`` on need."""
    count = 0
    while start < len(total) - 1:
        start = bisect_right(total, total[start] + bound) - 1
        count += 1
    return count


class Region(NamedTuple):
    """A box of one layer's neurons: channels x samples x rows (all columns, all steps)."""

    channels: Span
    samples: Span
    rows: Span

    def meet(self, other: Region) -> Region | None:
        """The common box, or None if there is none."""
        shared = []
        for mine, others in zip(self, other, strict=True):  # most of two boxes have none
            low, high = max(mine[0], others[0]), min(mine[1], others[1])
            if low >= high:
                return None
            shared.append((low, high))
        return Region(*shared)

    @property
    def size(self) -> int:
        """Channels x samples x rows."""
        return length(self.channels) * length(self.samples) * length(self.rows)


@dataclass(frozen=True, slots=True)
class Block:
    """Samples x rows x steps whose partial sums fit the partial-sum buffer together."""

    samples: Span
    rows: Span
    steps: Span

    def positions(self, width: int) -> int:
        """Positions of the block, each a vector of channels, for rows of ``width`` columns."""
        return length(self.samples) * length(self.rows) * length(self.steps) * width


@dataclass(frozen=True, slots=True)
class Slice:
    """A core's part of a layer: its neurons, and the input rows whose dX it computes."""

    index: int
    core: int
    neurons: Region
    input_rows: Span

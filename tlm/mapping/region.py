"""Boxes of neurons: who owns what, who needs what, and how much two boxes share."""

from __future__ import annotations

from dataclasses import dataclass

Span = tuple[int, int]  # half-open: first, one past the last


def overlap(a: Span, b: Span) -> Span:
    """The common part of two spans; empty spans have equal ends."""
    low, high = max(a[0], b[0]), min(a[1], b[1])
    return (low, max(low, high))


def length(span: Span) -> int:
    """How many elements a span holds."""
    return span[1] - span[0]


def cuts(total: int, parts: int, quantum: int = 1) -> list[Span]:
    """Cut ``total`` into at most ``parts`` near-equal spans at multiples of ``quantum``.

    Larger spans come first; the last one may be short if ``quantum`` does not divide ``total``.
    """
    units = -(-total // quantum)
    parts = min(parts, units)
    spans, start = [], 0
    for part in range(parts):
        size = units // parts + (part < units % parts)
        spans.append((start * quantum, min(total, (start + size) * quantum)))
        start += size
    return spans


@dataclass(frozen=True, slots=True)
class Region:
    """A box of one layer's neurons: channels x samples x rows (all columns, all steps)."""

    channels: Span
    samples: Span
    rows: Span

    def meet(self, other: Region) -> Region | None:
        """The common box, or None if there is none."""
        shared = Region(
            overlap(self.channels, other.channels),
            overlap(self.samples, other.samples),
            overlap(self.rows, other.rows),
        )
        return shared if shared.size else None

    @property
    def size(self) -> int:
        """Channels x samples x rows."""
        return length(self.channels) * length(self.samples) * length(self.rows)


@dataclass(frozen=True, slots=True)
class Slice:
    """The part of a layer one core owns: its neurons, and the input rows whose dS it computes."""

    index: int
    core: int
    neurons: Region
    input_rows: Span

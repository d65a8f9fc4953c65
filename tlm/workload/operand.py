"""What a product reads where that is more than a plain sum of its sources.

An operand is put together along channels of parts; a part is a sum of terms; a term is what one
source leaves, on its way through windows and pools, now or some steps ago. All channels of a part
have the same terms:

    x[t] = concatenation over parts of  sum over terms of  way(output of source at t - delay)

A term may be gated: multiplied, element by element, with spikes that have come their own way, or
with 1 minus these. An output before the first step is zero. A window is what split, slice, crop,
zero padding and nearest upsampling come to, in whatever order they are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import prod
from typing import Protocol, TypeAlias

Volume: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True)
class Line:
    """Which rows (or columns) are read: ``start`` to ``stop`` in steps of ``step``.

    Each stands ``repeat`` times in a row; then zeros are put between, so that neighbours are
    ``spread`` rows apart, and ``before`` and ``after`` zeros around them.
    """

    start: int
    stop: int
    step: int = 1
    repeat: int = 1
    before: int = 0
    after: int = 0
    spread: int = 1

    @property
    def taken(self) -> int:
        """How many rows are read."""
        return len(range(self.start, self.stop, self.step))

    @property
    def span(self) -> int:
        """How many rows come of it, without the zeros around them."""
        return (self.taken * self.repeat - 1) * self.spread + 1

    @property
    def size(self) -> int:
        """How many rows come of it."""
        return self.before + self.span + self.after

    def is_whole(self, size: int) -> bool:
        """Whether it is all ``size`` rows as they are."""
        return self == Line(0, size)


class PoolShape(Protocol):
    """A pool, as far as shapes go."""

    def pooled(self, shape: Volume) -> Volume:
        """Shape (K, E, F) after pooling ``shape``."""


@dataclass(frozen=True)
class Window:
    """Channels ``start``..``stop`` of what comes, and rows and columns of them.

    What comes is read as an array of ``shape`` (C, H, W), element by element in [c][y][x] order:
    flattened features are of shape (C, 1, 1).
    """

    shape: Volume
    start: int
    stop: int
    rows: Line
    columns: Line

    @property
    def shape_behind(self) -> Volume:
        """Shape (C, H, W) of what it leaves."""
        return (self.stop - self.start, self.rows.size, self.columns.size)

    @property
    def positions_before_spread(self) -> int | None:
        """Positions that it takes of a channel, where it puts zeros between them; else None."""
        lines = (self.rows, self.columns)
        is_spread = any(line.spread > 1 for line in lines)
        return prod(line.taken * line.repeat for line in lines) if is_spread else None

    @property
    def is_whole(self) -> bool:
        """Whether it is everything, in order; the shape alone may be another."""
        channels, height, width = self.shape
        planes = self.rows.is_whole(height) and self.columns.is_whole(width)
        return planes and (self.start, self.stop) == (0, channels)


def whole(shape: Volume) -> Window:
    """The window on everything of ``shape``."""
    return Window(shape, 0, shape[0], Line(0, shape[1]), Line(0, shape[2]))


Step: TypeAlias = Window | PoolShape


def shape_behind(way: Iterable[Step], shape: Volume) -> Volume:
    """Shape (C, H, W) of what comes of ``shape`` on its way."""
    for step in way:
        shape = step.shape_behind if isinstance(step, Window) else step.pooled(shape)
    return shape


@dataclass(frozen=True)
class Factor:
    """What comes of one source: a layer's output behind its pool, or the network's input (-1).

    ``way`` is what it passes, from the source on. With a ``delay`` of d steps what is read at
    step t is of step t - d, and zero before step d: the source may be a later layer, or the layer
    itself.
    """

    source: int
    way: tuple[Step, ...] = ()
    delay: int = 0

    @property
    def inverted(self) -> bool:
        """Whether 1 minus it is multiplied in its place: of some gates."""
        return False


@dataclass(frozen=True)
class Gate(Factor):
    """Spikes x that a term is multiplied with: AND. ``inverted``, 1 - x stands for x: IAND.

    The two are named so by SEW-ResNet (Fang et al., arXiv 2102.04159).
    """

    inverted: bool = False


@dataclass(frozen=True)
class Term(Factor):
    """One addend of a part: what comes of its source, multiplied with each of ``gates``."""

    gates: tuple[Gate, ...] = ()

    @property
    def factors(self) -> tuple[Factor, ...]:
        """All that is multiplied, the term's own source first."""
        return (self, *self.gates)


@dataclass(frozen=True)
class Part:
    """``channels`` of an operand, each the sum of ``terms``; zeros if there are none."""

    channels: int
    terms: tuple[Term, ...]

    @property
    def factors(self) -> tuple[Factor, ...]:
        """The factors of all terms."""
        return tuple(factor for term in self.terms for factor in term.factors)

    @property
    def gated(self) -> bool:
        """Whether anything in it is multiplied."""
        return any(term.gates for term in self.terms)


@dataclass(frozen=True)
class Operand:
    """Parts in order of their channels."""

    parts: tuple[Part, ...]

    @property
    def terms(self) -> Iterator[Term]:
        """All terms, part after part."""
        return (term for part in self.parts for term in part.terms)

    @property
    def channels(self) -> int:
        """Channels of all parts."""
        return sum(part.channels for part in self.parts)

    @property
    def positions_before_spread(self) -> int | None:
        """Positions of a channel that zeros are put between last, alike in all terms; else None."""
        last = [term.way[-1] if term.way else None for term in self.terms]
        counts = {
            step.positions_before_spread if isinstance(step, Window) else None for step in last
        }
        return counts.pop() if len(counts) == 1 else None

    @property
    def sources(self) -> tuple[int, ...]:
        """The sources of all factors, rising, each as often as it is read."""
        return tuple(sorted(factor.source for part in self.parts for factor in part.factors))

    @property
    def gated(self) -> Iterator[tuple[tuple[int, int], Part]]:
        """The parts in which anything is multiplied, with their channels of the operand."""
        ends = accumulate((part.channels for part in self.parts), initial=0)
        for span, part in zip(pairwise(ends), self.parts, strict=True):
            if part.gated:
                yield span, part


class Reads(Protocol):
    """What is read: a layer's input, or what it holds in the place of weights."""

    @property
    def sources(self) -> tuple[int, ...]:
        """Layers that are added up, or those of ``operand``."""

    @property
    def operand(self) -> Operand | None:
        """What is read where that is more than the sum of ``sources``."""

"""Feeds: which channels and rows of its sources a layer reads, and which come of a source.

The operand grid is what a layer reads put together, before its ``input_pool``; every term of a part
has its channels there. Boxes are of all columns, and as small as hold all that belongs to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import TypeAlias

from tlm.space.geometry import fed_rows, pool_rows
from tlm.space.region import Region, Span, length, overlap
from tlm.workload.model import Layer, Pool, Shape3, input_frame
from tlm.workload.operand import Factor, Line, Reads, Step, Window, shape_behind

Box: TypeAlias = tuple[Span, Span]
"""Channels and rows of a grid."""

NOTHING: Box = ((0, 0), (0, 0))


@dataclass(frozen=True, slots=True)
class Strand:
    """A term, or what gates one, on its way from a source to its ``channels`` of the operand.

    ``shapes`` (C, H, W) are those before each step of the ``way``, and behind the last.
    """

    channels: Span
    way: tuple[Step, ...]
    shapes: tuple[Shape3, ...]

    @property
    def all_pools(self) -> list[Pool]:
        """The pools on the way."""
        return [step for step in self.way if isinstance(step, Pool)]

    @property
    def reshapes(self) -> bool:
        """Whether a window takes what comes for another shape."""
        steps = zip(self.way, self.shapes[:-1], strict=True)
        return any(isinstance(step, Window) and step.shape != shape for step, shape in steps)

    @property
    def mixes(self) -> bool:
        """Whether a window does so across channels, but for all of them flattened or folded."""
        return any(
            isinstance(step, Window)
            and prod(step.shape[1:]) != prod(shape[1:])
            and 1 not in (prod(step.shape[1:]), prod(shape[1:]))
            for step, shape in zip(self.way, self.shapes[:-1], strict=True)
        )

    def read(self, channels: Span, rows: Span) -> Box:
        """What of the source comes to a box of the operand."""
        box = self._own(channels, rows)
        for step, shape in zip(reversed(self.way), reversed(self.shapes[:-1]), strict=True):
            box = _before(step, shape, box)
        return box if length(box[0]) and length(box[1]) else NOTHING

    def pools(self, channels: Span, rows: Span) -> Iterator[tuple[Pool, tuple[int, int], Box]]:
        """Every pool on the way to a box of the operand: it, rows and columns of what it pools, and
        the box behind it.
        """
        box = self._own(channels, rows)
        for step, shape in zip(reversed(self.way), reversed(self.shapes[:-1]), strict=True):
            if isinstance(step, Pool) and length(box[0]) and length(box[1]):
                yield step, shape[1:], box
            box = _before(step, shape, box)

    def fed(self, channels: Span, rows: Span) -> Box:
        """Where in the operand a box of the source comes to."""
        box = (channels, rows)
        for step, shape in zip(self.way, self.shapes[:-1], strict=True):
            box = _behind(step, shape, box)
        if not length(box[0]) or not length(box[1]):
            return NOTHING
        return (self.channels[0] + box[0][0], self.channels[0] + box[0][1]), box[1]

    def _own(self, channels: Span, rows: Span) -> Box:
        """The part of a box of the operand that it leaves; its channels from 0 on."""
        low, high = overlap(channels, self.channels)
        return (low - self.channels[0], high - self.channels[0]), rows


@dataclass(frozen=True, slots=True)
class Feed:
    """All that a layer reads of one ``source`` (-1: the network's input), of ``shape`` (C, H, W).

    ``plain``: its output as it is, the whole of it once. At step t it is that of step t - ``delay``
    (all strands alike), and nothing before.
    """

    source: int
    shape: Shape3
    strands: tuple[Strand, ...]
    plain: bool
    delay: int = 0

    def read(self, channels: Span, rows: Span) -> tuple[list[Span], Span]:
        """Channels of the source that come to a box of the operand, and rows of all of them."""
        if self.plain:
            return [channels], rows
        boxes = [strand.read(channels, rows) for strand in self.strands]
        return merged(box[0] for box in boxes), hull([box[1] for box in boxes])

    def regions(self, region: Region) -> list[Region]:
        """What of the source comes to a region of the operand."""
        spans, rows = self.read(region.channels, region.rows)
        return [Region(span, region.samples, rows) for span in spans]

    def fed(self, channels: Span, rows: Span) -> list[Box]:
        """Where in the operand a box of the source comes to, each box once."""
        boxes = [strand.fed(channels, rows) for strand in self.strands]
        return [box for box in dict.fromkeys(boxes) if box != NOTHING]


def operand_shape(layer: Reads, layers: Sequence[Layer]) -> Shape3:
    """Shape (C, H, W) of what a layer reads, before its ``input_pool``."""
    if layer.operand is None:
        return _left(layer.sources[0], layers)
    term = next(layer.operand.terms)
    _, height, width = shape_behind(term.way, _left(term.source, layers))
    return (layer.operand.channels, height, width)


def feeds_of(layer: Reads, layers: Sequence[Layer]) -> list[Feed]:
    """A feed for every distinct source of a layer, in the order of ``sources``."""
    strands: dict[int, list[Strand]] = {source: [] for source in layer.sources}
    delays = dict.fromkeys(layer.sources, 0)
    plain = layer.operand is None
    for term in terms_of(layer, layers):
        for source, strand in term:
            strands[source].append(strand)
    for part in () if layer.operand is None else layer.operand.parts:
        delays |= {factor.source: factor.delay for factor in part.factors}
    return [
        Feed(source, _left(source, layers), tuple(some), plain, delays[source])
        for source, some in strands.items()
    ]


def terms_of(layer: Reads, layers: Sequence[Layer]) -> list[list[tuple[int, Strand]]]:
    """Every term of what a layer reads: its factors, each the source and its strand.

    Of a plain sum every distinct source is a term.
    """
    if layer.operand is None:
        every = [(source, _left(source, layers)) for source in dict.fromkeys(layer.sources)]
        return [[(source, Strand((0, shape[0]), (), (shape,)))] for source, shape in every]
    terms, first = [], 0
    for part in layer.operand.parts:
        channels = (first, first + part.channels)
        for term in part.terms:
            factors = [(each.source, _strand(each, channels, layers)) for each in term.factors]
            terms.append(factors)
        first += part.channels
    return terms


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same elements as disjoint rising spans that do not adjoin."""
    together: list[Span] = []
    for low, high in sorted(span for span in spans if length(span)):
        if together and low <= together[-1][1]:
            together[-1] = (together[-1][0], max(high, together[-1][1]))
        else:
            together.append((low, high))
    return together


def hull(spans: Iterable[Span]) -> Span:
    """The least span that holds some others."""
    some = [span for span in spans if length(span)]
    return (min(low for low, _ in some), max(high for _, high in some)) if some else (0, 0)


def _strand(factor: Factor, channels: Span, layers: Sequence[Layer]) -> Strand:
    shapes = [_left(factor.source, layers)]
    for step in factor.way:
        shapes.append(shape_behind((step,), shapes[-1]))
    return Strand(channels, factor.way, tuple(shapes))


def _left(source: int, layers: Sequence[Layer]) -> Shape3:
    """Shape (C, H, W) of what a source leaves."""
    return layers[source].pooled_shape if source >= 0 else input_frame(layers)


def _before(step: Step, shape: Shape3, box: Box) -> Box:
    """What of ``shape`` comes to a box behind a step."""
    channels, rows = box
    if not length(channels) or not length(rows):
        return NOTHING
    if not isinstance(step, Window):
        assert isinstance(step, Pool)
        return channels, pool_rows(step, rows, shape[1])
    box = (channels[0] + step.start, channels[1] + step.start), _line_before(step.rows, rows)
    return _reshaped(box, step.shape, shape)


def _behind(step: Step, shape: Shape3, box: Box) -> Box:
    """Where behind a step a box of ``shape`` comes to."""
    channels, rows = box
    if not length(channels) or not length(rows):
        return NOTHING
    if not isinstance(step, Window):
        assert isinstance(step, Pool)
        return channels, fed_rows(step, rows, step.pooled(shape)[1])
    channels, rows = _reshaped(box, shape, step.shape)
    low, high = overlap(channels, (step.start, step.stop))
    return (low - step.start, high - step.start), _line_behind(step.rows, rows)


def _reshaped(box: Box, shape: Shape3, other: Shape3) -> Box:
    """The box of ``other`` that holds a box of ``shape``, both of the same elements in order."""
    if shape == other or not length(box[0]) or not length(box[1]):
        return box
    (first, last), (top, bottom) = box
    _, height, width = shape
    if height * width == prod(other[1:]):
        return box[0], (top * width // other[2], -(-bottom * width // other[2]))
    low, high = (first * height + top) * width, ((last - 1) * height + bottom) * width
    plane = prod(other[1:])
    channels = (low // plane, -(-high // plane))
    if length(channels) > 1:
        return channels, (0, other[1])
    start = channels[0] * plane
    return channels, ((low - start) // other[2], -(-(high - start) // other[2]))


def _line_before(line: Line, rows: Span) -> Span:
    """The rows that are read for a span of those that come of a line."""
    low, high = overlap(rows, (line.before, line.before + line.span))
    first, last = -(-(low - line.before) // line.spread), (high - 1 - line.before) // line.spread
    if low >= high or first > last:
        return (0, 0)
    first, last = first // line.repeat, last // line.repeat
    return (line.start + first * line.step, line.start + last * line.step + 1)


def _line_behind(line: Line, rows: Span) -> Span:
    """The rows that come of a span of those that a line reads."""
    low, high = overlap(rows, (line.start, line.stop))
    first, last = (-(-(end - line.start) // line.step) * line.repeat for end in (low, high))
    if first >= last:
        return (0, 0)
    return (line.before + first * line.spread, line.before + (last - 1) * line.spread + 1)

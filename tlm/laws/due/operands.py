"""What layers put together of windows on their sources, element by element.

Every step of a term's way is a table of places [tap, C, H, W]: the numbers of the elements of what
comes that an element behind it is made of, -1 for none. A window has one tap, a pool one for each
place of its windows. The engines work with the boxes of :mod:`tlm.space.feeds`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import prod

import numpy as np

from tlm.space.array_types import Bools, Ints
from tlm.workload.model import Layer, Pool, Shape3, input_frame
from tlm.workload.operand import Line, Reads, Step, Window


@dataclass(frozen=True)
class Branch:
    """A term of an operand, or what gates one: channels ``first``..``end``, on a way from a source.

    ``term`` is the number of the term, ``gated`` says that it is multiplied with others; if it is
    ``inverted``, 1 minus it is. What it brings is of ``delay`` steps before.
    """

    source: int
    shape: Shape3
    first: int
    end: int
    way: tuple[Step, ...]
    term: int
    gated: bool = False
    inverted: bool = False
    delay: int = 0

    @property
    def tables(self) -> list[Ints]:
        """The places of every step of the way."""
        tables, shape = list[Ints](), self.shape
        for step in self.way:
            tables.append(places(step, shape))
            shape = shape_of(tables[-1])
        return tables

    @property
    def behind(self) -> Shape3:
        """Shape (C, H, W) of what it leaves."""
        return shape_of(self.tables[-1]) if self.way else self.shape

    @property
    def index_bits(self) -> int:
        """Bits that say where max-pools on the way send a gradient."""
        pools = [step for step in self.way if isinstance(step, Pool) and step.kind == "max"]
        return sum((pool.places - 1).bit_length() for pool in pools)

    def comes(self, flags: Bools) -> Bools:
        """What behind the way comes of any flagged element of the source."""
        for table in self.tables:
            flags = gathered(table, flags)
        return flags

    def needs(self, flags: Bools) -> Bools:
        """What of the source the flagged elements behind the way are made of."""
        for shape, table in zip(*self._backwards(), strict=True):
            flags = _marked(table, flags, shape)
        return flags

    def reaches(self, flags: Bools) -> Bools:
        """The same, with all that lies between at every step: channels, rows, whole columns."""
        flags = boxed(flags)
        for shape, table in zip(*self._backwards(), strict=True):
            flags = boxed(_marked(table, flags, shape))
        return flags

    def pooled(self, flags: Bools) -> Iterator[tuple[Pool, Shape3, Bools]]:
        """Each pool on the way to the flagged elements: it, the shape it pools, and what of it."""
        steps = zip(reversed(self.way), *self._backwards(), strict=True)
        for step, shape, table in steps:
            if isinstance(step, Pool):
                yield step, shape, flags
            flags = _marked(table, flags, shape)

    def returned(self) -> Ints:
        """How many gradients every element of the source receives, [C, H, W]; a pool returns each
        of its windows' elements what it has, once.
        """
        count = np.ones(self.behind, np.int64)
        for step, shape, table in zip(reversed(self.way), *self._backwards(), strict=True):
            total = np.zeros(prod(shape) + 1, np.int64)
            gather = np.add if isinstance(step, Window) else np.maximum
            gather.at(total, table, np.broadcast_to(count, table.shape))
            count = total[:-1].reshape(shape)  # the last, -1, stands for nothing
        return count

    def _backwards(self) -> tuple[list[Shape3], list[Ints]]:
        """Shapes before each step and places, the last step first."""
        tables = self.tables
        shapes = [self.shape, *map(shape_of, tables)][: len(tables)]
        return shapes[::-1], tables[::-1]


def branches(layer: Reads, layers: Sequence[Layer]) -> list[Branch]:
    """All that a layer reads: its terms, or of a plain sum every distinct source whole."""

    def left(source: int) -> Shape3:
        return layers[source].pooled_shape if source >= 0 else input_frame(layers)

    if layer.operand is None:
        sources = dict.fromkeys(layer.sources)
        return [Branch(at, left(at), 0, left(at)[0], (), at) for at in sources]
    parts = layer.operand.parts
    ends = np.cumsum([0, *(part.channels for part in parts)]).tolist()
    spans = [
        (term, span)
        for part, span in zip(parts, pairwise(ends), strict=True)
        for term in part.terms
    ]
    return [
        Branch(
            factor.source,
            left(factor.source),
            *span,
            factor.way,
            number,
            bool(term.gates),
            factor.inverted,
            factor.delay,
        )
        for number, (term, span) in enumerate(spans)
        for factor in (term, *term.gates)
    ]


def operand_shape(layer: Reads, layers: Sequence[Layer]) -> Shape3:
    """Shape (C, H, W) of what a layer reads, before ``input_pool``."""
    read = branches(layer, layers)[0]
    channels = read.end
    if layer.operand is not None:
        channels = sum(part.channels for part in layer.operand.parts)
    return (channels, *read.behind[1:])


def returned_inputs(layer: Layer, layers: Sequence[Layer], source: int, flags: Bools) -> Bools:
    """The elements of a layer's input, [*in_shape], whose dX goes to flagged ones of a source."""
    returned = np.zeros(operand_shape(layer, layers), np.bool_)
    for branch in branches(layer, layers):
        if branch.source == source:
            returned[branch.first : branch.end] |= branch.comes(flags)
    if layer.input_pool is not None:
        table = places(layer.input_pool, operand_shape(layer, layers))
        returned = gathered(table, returned)
    return as_input(layer, returned)


def as_input(layer: Layer, flags: Bools) -> Bools:
    """What is read, [..., C, H, W], as [..., *in_shape]: flattened, or turned round in each group
    from [channel, position] to [position, channel].
    """
    before = flags.shape[:-3]
    if layer.turned:
        grouped = flags.reshape(*before, layer.groups, layer.in_shape[1], -1)
        flags = np.einsum("...cn->...nc", grouped)
    return flags.reshape(*before, *layer.in_shape)


def held_matrix(layer: Layer, layers: Sequence[Layer], source: int, flags: Bools) -> Bools:
    """The elements of what a matmul holds, [K, C / groups], that come of flagged ones of a source.

    What is read has its outputs for channels and its inputs for positions, or the other way round.
    """
    held = layer.held
    assert held is not None
    read = np.zeros(operand_shape(held, layers), np.bool_)
    for branch in branches(held, layers):
        if branch.source == source:
            read[branch.first : branch.end] |= branch.comes(flags)
    grouped = read.reshape(layer.groups, len(read) // layer.groups, -1)
    if held.transposed:
        grouped = np.einsum("gcn->gnc", grouped)
    return grouped.reshape(layer.product_channels, -1)


def additions(layer: Reads, shape: Shape3) -> int:
    """Additions that make one row and column of an operand of ``shape``, all channels; and ANDs."""
    if layer.operand is None:
        return shape[0] * (len(layer.sources) - 1)
    gates = sum(
        part.channels * len(term.gates) for part in layer.operand.parts for term in part.terms
    )
    sums = sum(part.channels * (len(part.terms) - 1) for part in layer.operand.parts if part.terms)
    return gates + sums


def places(step: Step, shape: Shape3) -> Ints:
    """The table of places of a window or a pool on ``shape``."""
    assert isinstance(step, Window | Pool)
    return _places(step, shape)


@lru_cache(maxsize=256)
def _places(step: Window | Pool, shape: Shape3) -> Ints:
    if isinstance(step, Window):
        _, height, width = step.shape
        channels = np.arange(step.start, step.stop)
        return _numbers(channels, _line(step.rows), _line(step.columns), (height, width))[None]
    _, height, width = step.pooled(shape)
    tables = []
    (dy, dx), (top, left) = step.stride, step.padding
    for y, x in np.ndindex(step.size):
        rows = np.arange(height) * dy - top + y
        columns = np.arange(width) * dx - left + x
        rows[rows >= shape[1]] = -1
        columns[columns >= shape[2]] = -1
        tables.append(_numbers(np.arange(shape[0]), rows, columns, shape[1:]))
    return np.stack(tables)


def gathered(table: Ints, flags: Bools) -> Bools:
    """Whether any of the elements that stand at a place is flagged."""
    return np.asarray((flags.ravel()[table] & (table >= 0)).any(axis=0))


def boxed(flags: Bools) -> Bools:
    """The flagged channels and rows with all between the first and the last, all columns."""
    whole = np.zeros_like(flags)
    if flags.any():
        channels, rows = (np.flatnonzero(flags.any(axis=axes)) for axes in ((1, 2), (0, 2)))
        whole[channels[0] : channels[-1] + 1, rows[0] : rows[-1] + 1] = True
    return whole


def flagged_rows(shape: Shape3, rows: Iterable[int]) -> Bools:
    """The elements of some rows."""
    flags = np.zeros(shape, np.bool_)
    flags[:, sorted(rows)] = True
    return flags


def shape_of(table: Ints) -> Shape3:
    """Shape (C, H, W) of what a table of places says."""
    _, channels, height, width = table.shape
    return channels, height, width


def _marked(table: Ints, flags: Bools, shape: Shape3) -> Bools:
    """The elements of ``shape`` that stand at any place of the flagged ones."""
    marks = np.zeros(prod(shape) + 1, np.bool_)
    marks[table[:, flags]] = True
    return marks[:-1].reshape(shape)


def _line(line: Line) -> Ints:
    """The row that each row of a line is, -1 in the zeros between and around."""
    read = [row for row in range(line.start, line.stop, line.step) for _ in range(line.repeat)]
    apart = [place for row in read for place in (row, *[-1] * (line.spread - 1))]
    inside = apart[: len(apart) - line.spread + 1]
    return np.array([-1] * line.before + inside + [-1] * line.after, np.int64)


def _numbers(channels: Ints, rows: Ints, columns: Ints, plane: tuple[int, ...]) -> Ints:
    """The numbers of elements by channel, row and column; -1 where row or column is negative."""
    height, width = plane
    numbers = (channels[:, None, None] * height + rows[:, None]) * width + columns
    return np.where((rows[:, None] < 0) | (columns < 0), -1, numbers)

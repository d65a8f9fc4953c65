"""All calls of a boundary -> what it reads of which others, and how many steps before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise, takewhile
from math import prod
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tlm.errors import WorkloadError
from tlm.workload.capture.axes import timed
from tlm.workload.capture.boundary import Boundary
from tlm.workload.capture.edges import INPUT, Edge, ReadFactor, ReadTerm
from tlm.workload.capture.row_terms import NO_ROW, CallReading, RowFactor, RowTerm
from tlm.workload.capture.sums import Sum
from tlm.workload.model import BoolArray, IntArray, Pool, Shape3
from tlm.workload.operand import Step, Window, shape_behind, whole

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class ReadPart:
    """``channels`` that are the sum of ``terms``; zeros without.

    ``adds_unknown`` says that something without gradient is added, which must be zero.
    """

    channels: int
    terms: tuple[ReadTerm, ...]
    adds_unknown: bool = False

    @property
    def factors(self) -> list[ReadFactor]:
        """Those of all terms."""
        return [factor for term in self.terms for factor in term.factors]

    @property
    def is_input(self) -> bool:
        """Whether it is the network's input, or a constant: what has no gradient."""
        return [factor.source for factor in self.factors] == [INPUT]

    @property
    def is_pooled(self) -> bool:
        """Whether something lies behind the source of its first term."""
        return bool(self.terms[0].factors[0].way)

    def mapped(self, change: Callable[[ReadFactor], ReadFactor]) -> ReadPart:
        """The part with each factor as ``change`` makes it."""
        terms = [replace(term, factors=tuple(map(change, term.factors))) for term in self.terms]
        return replace(self, terms=tuple(terms))


@dataclass(frozen=True)
class Reading:
    """What a boundary reads: parts in order of their channels, and pools of them all.

    ``is_plain`` says that it is a sum of whole outputs of the same step. ``pooled_shape`` is
    (C, H, W) behind the pools, if there are any: neurons may see their channels arranged otherwise.
    ``dropout`` is the share that is dropped behind them.
    """

    parts: tuple[ReadPart, ...]
    pools: tuple[Pool, ...]
    is_plain: bool
    pooled_shape: Shape3 | None = None
    dropout: float = 0.0

    @property
    def sum(self) -> Sum:
        """The sum that it is, if it is plain; else all its factors, each marked as one."""
        factors = [factor for part in self.parts for factor in part.factors]
        if not self.is_plain:
            edges = [Edge(factor.source, _first_pools(factor), factor) for factor in factors]
            return Sum(tuple(edges), self.pools)
        edges = [Edge(factor.source, _first_pools(factor)) for factor in factors]
        if len(edges) == 1:
            return Sum((Edge(edges[0].source, ()),), self.pools + edges[0].pools)
        return Sum(tuple(edges), self.pools)


def _first_pools(factor: ReadFactor) -> tuple[Pool, ...]:
    """The pools right behind a factor's source, the last first."""
    pools = takewhile(lambda step: isinstance(step, Pool), factor.way)
    return tuple(pool for pool in pools if isinstance(pool, Pool))[::-1]


@dataclass(frozen=True, eq=False)
class TimedRows:
    """Step and sample of each row of a boundary's tensors, all calls in order.

    ``first`` are the first rows of the calls, and how many rows there are at last. ``static`` is
    true if one call serves all steps.
    """

    step: IntArray
    sample: IntArray
    first: tuple[int, ...]
    static: bool


_Alike: TypeAlias = tuple[ReadTerm, int]
"""A term, and which of several alike it is."""


def readings_of(boundaries: Mapping[str, Boundary], steps: int, batch: int) -> dict[str, Reading]:
    """What each boundary reads over T ``steps`` and B samples, by name; also what it holds.

    Raises WorkloadError if it reads other steps or samples in one place than in another.
    """
    rows = {
        name: rows_of(boundary, boundary.outputs, steps, batch)
        for name, boundary in boundaries.items()
    }
    shapes = {name: _shape(boundary) for name, boundary in boundaries.items()}
    readings = {
        name: _reading(boundary, shapes, rows, rows[name]) for name, boundary in boundaries.items()
    }
    for name, boundary in boundaries.items():
        if (held := boundary.held) is not None:
            readings[held.name] = _reading(held, shapes, rows, rows[name])
    return readings


def rows_of(boundary: Boundary, tensors: Sequence[Tensor], steps: int, batch: int) -> TimedRows:
    """Rows of the inputs or outputs of a boundary; WorkloadError if they fit neither T nor B."""
    import torch

    numbers: list[Tensor] = []
    first = [0]
    for tensor in tensors:
        rank = 3 if tensor.ndim > 3 else 1
        lead = tuple(tensor.shape[:-rank])
        numbers.append(torch.arange(first[-1], first[-1] + prod(lead)).view(*lead, *(1,) * rank))
        first.append(first[-1] + prod(lead))
    table = np.asarray(timed(boundary, numbers, steps, batch), np.int64).reshape(-1, batch)
    step, sample = np.full(first[-1], NO_ROW), np.full(first[-1], NO_ROW)
    step[table], sample[table] = np.indices(table.shape)
    return TimedRows(step, sample, tuple(first), static=len(table) < steps)


def _reading(
    reader: Boundary,
    shapes: Mapping[str, Shape3],
    rows: Mapping[str, TimedRows],
    here: TimedRows,
) -> Reading:
    calls = reader.readings
    pools = list(dict.fromkeys(call.pools for call in calls))
    cuts = [list(accumulate((part.channels for part in call.parts), initial=0)) for call in calls]
    if len(pools) > 1 or len({cut[-1] for cut in cuts}) > 1:
        raise WorkloadError(
            f"{reader.name}: it reads other channels, or pools of them, in one call than in "
            "another; read the same at each step"
        )
    every = sorted({cut for each in cuts for cut in each})
    parts = [_part(reader, rows, here, cut) for cut in pairwise(every)]
    joined = _spread_last(reader, tuple(_joined(parts)), bool(pools[0]))
    joined = tuple(_simple(part, shapes) for part in joined)
    if not pools[0] and reader.kind not in ("conv", "matmul"):
        joined = _unflattened(joined, shapes)
    plain = len(joined) == 1 and _is_sum(joined[0])
    return Reading(joined, pools[0], plain, calls[0].pooled_shape, _dropout(reader))


def _spread_last(
    reader: Boundary, parts: tuple[ReadPart, ...], pooled: bool
) -> tuple[ReadPart, ...]:
    """``parts`` with the zeros that a transposed convolution puts in as windows of their own."""
    convolution = reader.convolution
    if convolution is None or not convolution.spreads:
        return parts
    if pooled:  # to one place: else the zeros between would lie behind the pool
        raise WorkloadError(
            f"{reader.name}: a transposed convolution reads one place, a pool of a sum of spikes; "
            "pool before adding, or put a convolution between"
        )

    def spread_last(factor: ReadFactor) -> ReadFactor:
        *before, window = factor.way
        assert isinstance(window, Window)
        return replace(factor, way=(*before, *convolution.apart(window)))

    return tuple(part.mapped(spread_last) for part in parts)


def _dropout(reader: Boundary) -> float:
    """The share of what a product reads that is dropped."""
    shares = {0.0 if call.dropout is None else call.dropout.dropped for call in reader.readings}
    if len(shares) > 1:
        raise WorkloadError(
            f"{reader.name}: dropouts of other shares, or none, lie before it in one call than in "
            "another; drop the same share at each step"
        )
    share = shares.pop()
    if share and reader.kind not in ("conv", "linear"):
        raise WorkloadError(
            f"{reader.name}: a dropout lies before {reader.kind} and not before a convolution or "
            "linear layer; put it behind the neurons, before the next product"
        )
    return share


def _shape(boundary: Boundary) -> Shape3:
    """(C, H, W) of a boundary's output: of [N, K] and [T, B, K] the last axis alone."""
    pooled = boundary.readings[0].pooled_shape
    if boundary.kind == "neuron" and pooled is not None:
        return pooled
    tensor = boundary.outputs[0]
    channels, height, width = (*tensor.shape[-3 if tensor.ndim > 3 else -1 :], 1, 1)[:3]
    return (int(channels), int(height), int(width))


def _part(
    reader: Boundary, rows: Mapping[str, TimedRows], here: TimedRows, cut: tuple[int, int]
) -> ReadPart:
    """Channels ``cut[0]`` to ``cut[1]``, over all calls."""
    read: dict[_Alike, BoolArray] = {}
    for call, its in zip(reader.readings, map(slice, *_ends(here)), strict=True):
        alike: Counter[ReadTerm] = Counter()
        for row_term in _terms(call, cut):
            named = _named(reader, rows, row_term, here, its)
            alike[named] += 1
            shape = (len(named.factors), len(here.step))
            where = read.setdefault((named, alike[named]), np.zeros(shape, np.bool_))
            where[:, its] = [factor.rows != NO_ROW for factor in row_term.factors]
    terms = [term for term, _ in read if term.factors[0].source != INPUT]
    for (term, _), where in read.items():
        _check_each_step(reader, term, where, here)
    inputs = [term for term, _ in read if term.factors[0].source == INPUT]
    if terms or _is_zero(reader, cut):
        inputs = []
    channels = cut[1] - cut[0]
    return ReadPart(channels, tuple(terms or inputs), len(read) > len(terms) > 0)


def _named(
    reader: Boundary, rows: Mapping[str, TimedRows], term: RowTerm, here: TimedRows, its: slice
) -> ReadTerm:
    """A term of the rows ``its``, without where."""
    factors = [
        ReadFactor(
            factor.source, factor.way, _delay(reader, rows, factor, here, its), factor.inverted
        )
        for factor in term.factors
    ]
    return ReadTerm(tuple(factors))


def _check_each_step(reader: Boundary, term: ReadTerm, where: BoolArray, here: TimedRows) -> None:
    """Refuse a factor that is not read, ``where`` [factors, N], from its delay on."""
    for factor, its in zip(term.factors, where, strict=True):
        if factor.source != INPUT and not np.array_equal(its, here.step >= factor.delay):
            raise WorkloadError(
                f"{reader.name}: it reads {factor.source} in some steps only; read it at each step"
            )


def _is_zero(reader: Boundary, cut: tuple[int, int]) -> bool:
    """Whether channels of what a product reads are zero in all calls."""
    if not reader.inputs or reader.readings[0].pools:
        return False
    axis = -3 if reader.inputs[0].ndim > 3 else -1
    if cut == (0, reader.inputs[0].shape[axis]):
        return False
    channels = (axis, cut[0], cut[1] - cut[0])
    return not any(bool(tensor.narrow(*channels).any()) for tensor in reader.inputs)


def _ends(rows: TimedRows) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return rows.first[:-1], rows.first[1:]


def _terms(call: CallReading, cut: tuple[int, int]) -> Iterator[RowTerm]:
    """Terms of the part that the channels of ``cut`` lie in, narrowed to these."""
    first = 0
    for part in call.parts:
        if first <= cut[0] < first + part.channels:
            yield from (term.narrowed(cut[0] - first, cut[1] - first) for term in part.terms)
        first += part.channels


def _delay(
    reader: Boundary, rows: Mapping[str, TimedRows], factor: RowFactor, here: TimedRows, its: slice
) -> int:
    """How many steps before the rows ``its`` the factor is of."""
    known = factor.rows != NO_ROW
    if factor.source == INPUT or not known.any():
        return 0
    if here.static and not rows[factor.source].static:
        raise WorkloadError(
            f"{reader.name}: called once for all steps although it reads spikes; average over "
            "time after it, not before"
        )
    source, row = rows[factor.source], factor.rows[known]
    if source.static:
        return 0
    delays = np.unique(here.step[its][known] - source.step[row])
    same_sample = np.array_equal(here.sample[its][known], source.sample[row])
    if not same_sample or len(delays) > 1 or delays[0] < 0:
        what = "later steps" if same_sample and delays.max() < 0 else "other samples or steps"
        raise WorkloadError(
            f"{reader.name}: it reads {what} of {factor.source} than its own, which is not "
            "modelled, or the first axis is not time; let each step read itself, or the same "
            "number of steps before, and keep [T, B, ...]"
        )
    return int(delays[0])


def _joined(parts: Iterable[ReadPart]) -> Iterator[ReadPart]:
    """Parts, of which those that go on where the one before ends are one."""
    last: ReadPart | None = None
    for part in parts:
        joined = last and _together(last, part)
        if last is not None and joined is None:
            yield last
        last = joined or part
    if last is not None:
        yield last


def _simple(part: ReadPart, shapes: Mapping[str, Shape3]) -> ReadPart:
    """The part without windows on everything that leave the shape as it is."""

    def simple(factor: ReadFactor) -> ReadFactor:
        if factor.source == INPUT:
            return factor
        return replace(factor, way=tuple(_needed(factor.way, shapes[factor.source])))

    return part.mapped(simple)


def _needed(way: tuple[Step, ...], shape: Shape3) -> Iterator[Step]:
    for step in way:
        if isinstance(step, Window):
            if not (step.is_whole and step.shape == shape):
                yield step
            shape = step.shape_behind
        else:
            yield step
            shape = step.pooled(shape)


def _unflattened(parts: tuple[ReadPart, ...], shapes: Mapping[str, Shape3]) -> tuple[ReadPart, ...]:
    """Parts of flattened planes as parts of the planes, which a linear layer flattens itself."""
    before = [
        _shape_before_flattening(factor, shapes)
        for part in parts
        for factor in part.factors
        if factor.source != INPUT
    ]
    planes = {shape[1:] for shape in before if shape is not None}
    if None in before or len(planes) != 1 or any(part.is_input for part in parts):
        return parts
    area = prod(next(iter(planes)))
    if area == 1 or any(part.channels % area for part in parts):
        return parts
    return tuple(_in_planes(part, shapes, area) for part in parts)


def _shape_before_flattening(factor: ReadFactor, shapes: Mapping[str, Shape3]) -> Shape3 | None:
    """The shape that a factor's last window flattens; None if there is no such window."""
    way = factor.way
    if not way or not isinstance(window := way[-1], Window) or window.shape[1:] != (1, 1):
        return None
    shape = shape_behind(way[:-1], shapes[factor.source])
    starts = window.start % prod(shape[1:]) == 0
    return shape if starts else None


def _in_planes(part: ReadPart, shapes: Mapping[str, Shape3], area: int) -> ReadPart:
    def in_planes(factor: ReadFactor) -> ReadFactor:
        shape, window = shape_behind(factor.way[:-1], shapes[factor.source]), factor.way[-1]
        assert isinstance(window, Window)
        inside = replace(whole(shape), start=window.start // area, stop=window.stop // area)
        return replace(factor, way=(*factor.way[:-1], inside))

    narrowed = replace(part.mapped(in_planes), channels=part.channels // area)
    return _simple(narrowed, shapes)


def _is_sum(part: ReadPart) -> bool:
    """Whether a part is a sum of whole outputs, pooled or not, of the same step."""
    factors = part.factors
    windows = any(isinstance(step, Window) for factor in factors for step in factor.way)
    delays = any(factor.delay for factor in factors)
    single = 0 < len(factors) == len(part.terms)
    return part.is_input or (single and not (windows or delays))


def _together(part: ReadPart, following: ReadPart) -> ReadPart | None:
    """The two as one part, if the windows of the second go on where those of the first end."""
    more = following.channels
    following_on = part.mapped(
        lambda factor: _windowed(factor, lambda at: (at.stop, at.stop + more))
    )
    if replace(following_on, channels=more) != following:
        return None
    wider = part.mapped(lambda factor: _windowed(factor, lambda at: (at.start, at.stop + more)))
    return replace(wider, channels=part.channels + more)


def _windowed(factor: ReadFactor, channels: Callable[[Window], tuple[int, int]]) -> ReadFactor:
    """The factor with other ``channels`` of its last window."""
    if not factor.way or not isinstance(window := factor.way[-1], Window):
        return factor
    start, stop = channels(window)
    return replace(factor, way=(*factor.way[:-1], replace(window, start=start, stop=stop)))

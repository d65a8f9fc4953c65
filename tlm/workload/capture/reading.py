"""All calls of a product -> what it reads of which layers, and how many steps before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from math import prod
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tlm.errors import WorkloadError
from tlm.workload.capture.axes import timed
from tlm.workload.capture.boundary import Boundary
from tlm.workload.capture.call_reading import NO_ROW, CallReading, RowTerm
from tlm.workload.capture.edges import INPUT
from tlm.workload.capture.stages import TopologyStage
from tlm.workload.model import BoolArray, IntArray, Pool
from tlm.workload.operand import Step, Window

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class ReadTerm:
    """A term by the name of its source, as an operand's has its layer's index."""

    source: str
    way: tuple[Step, ...]
    delay: int


@dataclass(frozen=True)
class ReadPart:
    """``channels`` that are the sum of ``terms``; zeros, or what is not known, without.

    ``adds_unknown`` says that something without gradient is added, which must be zero.
    """

    channels: int
    terms: tuple[ReadTerm, ...]
    adds_unknown: bool = False

    @property
    def is_input(self) -> bool:
        """Whether it is the network's input, or a constant: what has no gradient."""
        return [term.source for term in self.terms] == [INPUT]


@dataclass(frozen=True)
class Reading:
    """What a product reads: parts in order of their channels, and a pool of them all."""

    parts: tuple[ReadPart, ...]
    pool: Pool | None

    @property
    def is_input(self) -> bool:
        """Whether it reads the network's input and nothing else."""
        return len(self.parts) == 1 and self.parts[0].is_input


@dataclass(frozen=True, eq=False)
class Rows:
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


def readings_of(stages: Sequence[TopologyStage], steps: int, batch: int) -> tuple[Reading, ...]:
    """What the product of each stage reads, over T ``steps`` and B samples.

    Raises WorkloadError if it reads other steps or samples in one place than in another.
    """
    rows = {
        stage.last.name: rows_of(stage.last, stage.last.outputs, steps, batch) for stage in stages
    }
    return tuple(
        _reading(stage.product, rows, rows_of(stage.product, stage.product.inputs, steps, batch))
        for stage in stages
    )


def rows_of(boundary: Boundary, tensors: Sequence[Tensor], steps: int, batch: int) -> Rows:
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
    return Rows(step, sample, tuple(first), static=len(table) < steps)


def _reading(product: Boundary, rows: Mapping[str, Rows], here: Rows) -> Reading:
    calls = product.readings
    pools = list(dict.fromkeys(call.pool for call in calls))
    cuts = [list(accumulate((part.channels for part in call.parts), initial=0)) for call in calls]
    if len(pools) > 1 or len({cut[-1] for cut in cuts}) > 1:
        raise WorkloadError(
            f"{product.name}: it reads other channels, or pools of them, in one call than in "
            "another; read the same at each step"
        )
    every = sorted({cut for each in cuts for cut in each})
    return Reading(
        tuple(_joined(_part(product, rows, here, cut) for cut in pairwise(every))), pools[0]
    )


def _part(
    product: Boundary, rows: Mapping[str, Rows], here: Rows, cut: tuple[int, int]
) -> ReadPart:
    """Channels ``cut[0]`` to ``cut[1]``, over all calls."""
    read: dict[_Alike, BoolArray] = {}
    for call, its in zip(product.readings, map(slice, *_ends(here)), strict=True):
        alike: Counter[ReadTerm] = Counter()
        for term in _terms(call, cut):
            delay = _delay(product, rows, term, here, its)
            named = ReadTerm(term.source, term.way, delay)
            alike[named] += 1
            where = read.setdefault((named, alike[named]), np.zeros(len(here.step), np.bool_))
            where[its] = term.rows != NO_ROW
    inputs = [where for (term, _), where in read.items() if term.source == INPUT]
    terms = [(term, where) for (term, _), where in read.items() if term.source != INPUT]
    for term, where in terms:
        if not np.array_equal(where, here.step >= term.delay):
            raise WorkloadError(
                f"{product.name}: it reads {term.source} in some steps only; read it at each step"
            )
    unknown = any(where.all() for where in inputs)
    if unknown and not terms:
        terms = [(ReadTerm(INPUT, (), 0), inputs[0])]
    channels = cut[1] - cut[0]
    return ReadPart(channels, tuple(term for term, _ in terms), bool(inputs) and bool(terms))


def _ends(rows: Rows) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return rows.first[:-1], rows.first[1:]


def _terms(call: CallReading, cut: tuple[int, int]) -> Iterator[RowTerm]:
    """Terms of the part that the channels of ``cut`` lie in, narrowed to these."""
    first = 0
    for part in call.parts:
        if first <= cut[0] < first + part.channels:
            yield from (term.narrowed(cut[0] - first, cut[1] - first) for term in part.terms)
        first += part.channels


def _delay(
    product: Boundary, rows: Mapping[str, Rows], term: RowTerm, here: Rows, its: slice
) -> int:
    """How many steps before the rows ``its`` the term is of."""
    known = term.rows != NO_ROW
    if term.source == INPUT or not known.any():
        return 0
    if term.source not in rows:
        raise WorkloadError(
            f"{product.name}: reads {term.source}, which has no neurons behind it; only the "
            "last layer may be without"
        )
    if here.static:
        raise WorkloadError(
            f"{product.name}: called once for all steps although it reads spikes; average over "
            "time after it, not before"
        )
    source, row = rows[term.source], term.rows[known]
    delays = np.unique(here.step[its][known] - source.step[row])
    same_sample = np.array_equal(here.sample[its][known], source.sample[row])
    if not same_sample or len(delays) > 1 or delays[0] < 0:
        what = "later steps" if same_sample and delays.max() < 0 else "other samples or steps"
        raise WorkloadError(
            f"{product.name}: it reads {what} of {term.source} than its own, which is not "
            "modelled; let each step read itself, or the same number of steps before"
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


def _together(part: ReadPart, following: ReadPart) -> ReadPart | None:
    """The two as one part, if the windows of the second go on where those of the first end."""
    if (part.adds_unknown, len(part.terms)) != (following.adds_unknown, len(following.terms)):
        return None
    terms = []
    for term, other in zip(part.terms, following.terms, strict=True):
        wider = term
        if term.way and isinstance(window := term.way[-1], Window):
            reach = window.stop + following.channels
            wider = replace(term, way=(*term.way[:-1], replace(window, stop=reach)))
            window = replace(window, start=window.stop, stop=reach)
            term = replace(term, way=(*term.way[:-1], window))
        if term != other:
            return None
        terms.append(wider)
    return replace(part, channels=part.channels + following.channels, terms=tuple(terms))

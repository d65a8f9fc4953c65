"""The provenance of a call's input -> what the call reads: parts of boundaries' outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from itertools import chain, pairwise, product
from math import prod
from operator import or_
from typing import TYPE_CHECKING, Any

import numpy as np

from tlm.errors import WorkloadError
from tlm.workload.capture.arrangements import Arrangement, Arrangements, Located, OriginRows
from tlm.workload.capture.arranging import ZERO, features_of
from tlm.workload.capture.dropouts import dropout_of
from tlm.workload.capture.edges import INPUT
from tlm.workload.capture.factors import UNKNOWN, ProductMap, Terms
from tlm.workload.capture.pool_nodes import sized
from tlm.workload.capture.provenance import (
    Call,
    ElementOrigin,
    Pooled,
    TensorProvenance,
    provenance_of,
    refusal,
)
from tlm.workload.capture.row_map import Origins, row_map
from tlm.workload.capture.row_terms import (
    NO_ROW,
    CallReading,
    RowFactor,
    RowPart,
    RowTerm,
)
from tlm.workload.capture.windows import NOWHERE, PlaceSpan, spans_of
from tlm.workload.file.schema import MAX_PARTS
from tlm.workload.model import BoolArray, IntArray, Pool
from tlm.workload.operand import whole

if TYPE_CHECKING:
    from torch import Tensor


def call_reading(where: str, tensor: Tensor, rank: int, known: Mapping[Any, Call]) -> CallReading:
    """What a call of ``where`` reads: ``tensor``, whose last ``rank`` axes are features.

    Raises WorkloadError naming what lies between if it is no arrangement, sum, product or pool, or
    if its elements are arranged as no window reads them.
    """
    return reading_of(where, provenance_of(where, tensor, known), rank)


def reading_of(
    where: str, provenance: TensorProvenance, rank: int, last: Arrangements | None = None
) -> CallReading:
    """What is read where the input of ``where`` has this provenance.

    ``last`` are the arrangements of the call before, if there is one.

    Raises WorkloadError if its elements are arranged as no window reads them.
    """
    read = _Reader(where, provenance, last).reading(provenance.terms, rank)
    return replace(read, dropout=dropout_of(where, provenance.terms))


@dataclass(frozen=True, eq=False)
class _Reader:
    """Reads the maps of one provenance."""

    where: str
    provenance: TensorProvenance
    last: Arrangements | None
    _inner: dict[int, CallReading] = field(default_factory=dict)

    @cached_property
    def _numbered(self) -> Origins:
        origins = self.provenance.origins
        sizes = [prod(features_of(origin.shape)) for origin in origins]
        return Origins(
            np.array([origin.first for origin in origins], np.int64), np.array(sizes, np.int64)
        )

    def reading(self, terms: Terms, rank: int) -> CallReading:
        """The parts of the sum of ``terms``, or of what a pool of all made them of."""
        pooled = self._pool_of_all(terms)
        if pooled is not None and not self._is_single(pooled):
            assert isinstance(pooled.of, Pooled)
            read = self.inner(pooled).times(pooled.scale)
            return replace(read, pools=(self.sized(pooled), *read.pools))
        return CallReading(self.parts(terms, rank))

    def _pool_of_all(self, terms: Terms) -> ElementOrigin | None:
        """The pool that made all elements of ``terms``, in order, if one did."""
        single = len(terms) == 1 and len(terms[0]) == 1 and not terms[0][0].inverted
        at = self._whole(terms[0][0].places) if single else None
        pooled = at is not None and isinstance(self.provenance.origins[at].of, Pooled)
        return self.provenance.origins[at] if at is not None and pooled else None

    def _is_single(self, origin: ElementOrigin) -> bool:
        """Whether a pool is one of a single factor."""
        parts = self.inner(origin).parts
        return len(parts) == 1 and [len(term.factors) for term in parts[0].terms] == [1]

    def inner(self, origin: ElementOrigin) -> CallReading:
        """What a pool reads."""
        assert isinstance(origin.of, Pooled)
        if origin.first not in self._inner:
            self._inner[origin.first] = self.reading(origin.of.terms, 3)
        return self._inner[origin.first]

    def sized(self, origin: ElementOrigin) -> Pool:
        """The pool of an origin, with the size of a global one."""
        assert isinstance(origin.of, Pooled)
        channels, height, width = origin.of.terms[0][0].places.shape[-3:]
        return sized(origin.of.pool, (channels, height, width))

    def parts(self, terms: Terms, rank: int) -> tuple[RowPart, ...]:
        """The parts of the sum of ``terms``, whose last ``rank`` axes are features."""
        channels = int(terms[0][0].places.shape[-rank])
        located = [self._located_factors(term, rank) for term in terms]
        ends = [end for term in located for factor in term for start, stop, _ in factor
                for end in (start, stop)]  # fmt: skip
        cuts = sorted({0, channels, *ends})
        if len(cuts) > MAX_PARTS:
            raise self._scattered()
        return tuple(
            RowPart(stop - start, tuple(self._terms(located, terms, start, stop)))
            for start, stop in pairwise(cuts)
        )

    def _terms(
        self, located: Sequence[Sequence[Sequence[Located]]], terms: Terms, start: int, stop: int
    ) -> Iterator[RowTerm]:
        """The terms of channels ``start``..``stop``, each factor multiplied out."""
        for factors, term in zip(located, terms, strict=True):
            read = [
                [
                    replace(each.narrowed(start - first, stop - first), inverted=map_.inverted)
                    for first, last, each in spans
                    if first <= start and stop <= last
                ]
                for spans, map_ in zip(factors, term, strict=True)
            ]
            inverted = [each for each, map_ in zip(read, term, strict=True) if map_.inverted]
            plain = [each for each, map_ in zip(read, term, strict=True) if not map_.inverted]
            scaled = any(factor.scale != 1 for each in inverted for factor in each)
            if scaled or any(len(each) > 1 for each in inverted):
                raise refusal(self.where, "Sub")
            # 1 minus a zero multiplies with 1.
            for chosen in product(*plain, *filter(None, inverted)):
                yield RowTerm(chosen)

    def _located_factors(self, term: ProductMap, rank: int) -> list[list[Located]]:
        """The factors of one term, with their channels."""
        plain = [factor for factor in term if not factor.inverted]
        if not plain:
            raise refusal(self.where, "Sub")
        for factor in term[len(plain) :]:
            moved = factor.places == ZERO
            zero = reduce(or_, (each.places == ZERO for each in plain))
            if bool((moved & ~zero).any()):
                raise WorkloadError(
                    f"{self.where}: to 1 - spikes zeros are added in its input (a pad, a delay); "
                    "pad or delay the spikes, and subtract them from 1 behind that"
                )
        return [self._located(factor.places, rank) for factor in term]

    def _located(self, places: Tensor, rank: int) -> list[Located]:
        """What one map is made of, with its channels."""
        features = (*places.shape[-rank:], 1, 1)[:3]
        if (at := self._whole(places)) is not None:
            return self._of_origin(at, features, places.numel() // prod(features))
        elements = places.reshape(-1, *features).numpy()
        if self.last is None:
            arrangement = self._arranged(elements)
        else:
            arrangement = self.last.of(elements, self.provenance.origins, self._arranged)
        spans = (self._of_span(span, rows) for span, rows in arrangement.spans)
        return [*arrangement.without_gradient, *chain.from_iterable(spans)]

    def _arranged(self, elements: IntArray) -> Arrangement:
        """How ``elements`` [N, C, H, W] lie."""
        by_row = row_map(elements, self._numbered)
        if by_row is None:
            raise self._scattered()
        sources = by_row.source_origins
        shapes, place_of = self._places(np.unique(sources[sources >= 0]))
        place, source_place = (
            np.where(origin >= 0, np.append(place_of, NOWHERE)[origin], NOWHERE)
            for origin in (by_row.origin, sources)
        )
        same = (source_place == place.max((1, 2))) | (sources < 0)
        spans = spans_of(place, by_row.inside, shapes) if same.all() else None
        if spans is None or len(spans) > MAX_PARTS:
            raise self._scattered()
        empty = place < 0
        unknown = _without_gradient((elements == UNKNOWN) & empty) if empty.any() else []
        read = [span for span in spans if span.window is not None]
        channels = [slice(span.start, span.stop) for span in read]
        rows = [self._rows(sources[:, at], by_row.source_rows[:, at]) for at in channels]
        return Arrangement(list(zip(read, rows, strict=True)), unknown)

    def _whole(self, places: Tensor) -> int | None:
        """The number of the origin whose elements these are, all of them in order."""
        elements = places.reshape(-1)
        first = int(elements[0])
        at = int(np.searchsorted(self._numbered.first, first, "right")) - 1
        if at < 0:
            return None
        origin = self.provenance.origins[at]
        if first != origin.first or len(elements) != origin.map.numel():
            return None
        unmoved = elements.data_ptr() == origin.map.data_ptr() and elements.is_contiguous()
        return at if unmoved or bool((np.diff(elements.numpy()) == 1).all()) else None

    def _of_origin(self, at: int, features: tuple[int, ...], rows: int) -> list[Located]:
        """The factors of a map that is all of one origin in order."""
        origin = self.provenance.origins[at]
        channels, height, width = features
        own = (*features_of(origin.shape), 1, 1)[:3]
        shape = own if own[1:] == features[1:] else (channels, height, width)
        if prod(shape) != prod(features) or prod(own) * rows != prod(origin.shape):
            raise self._scattered()
        window = whole((shape[0], shape[1], shape[2]))
        through = np.full(rows, at), np.arange(rows)
        return self._of_span(PlaceSpan(0, channels, 0, window), through)

    def _places(self, present: IntArray) -> tuple[list[tuple[int, ...]], IntArray]:
        """Shapes of the places that the origins ``present`` are, and the place of each origin.

        Outputs of one boundary's calls are one place, and so are pools of the same of them.
        """
        numbers: dict[Any, int] = {}
        shapes: list[tuple[int, ...]] = []
        place_of = np.full(len(self.provenance.origins), -1)
        for at in present:
            origin = self.provenance.origins[at]
            name = origin.of.name if isinstance(origin.of, Call) else None
            key = (name or (self.sized(origin), self.inner(origin).key), origin.scale)
            if key not in numbers:
                numbers[key] = len(shapes)
                shapes.append(features_of(origin.shape))
            place_of[at] = numbers[key]
        return shapes, place_of

    def _rows(self, origins: IntArray, rows: IntArray) -> OriginRows:
        """By row of the map [N, C]: the origin that its elements come from, and the row there."""
        origin, row = origins.max(1), rows.max(1)
        same = (origins == origin[:, None]) & (rows == row[:, None])
        if not same.all():
            raise self._scattered()
        return origin, row

    def _of_span(self, span: PlaceSpan, rows: OriginRows) -> list[Located]:
        """Factors of a span: of a boundary's output, or of what a pool read."""
        assert span.window is not None
        origin_of, row_of = rows
        origins = self.provenance.origins
        origin = origins[int(origin_of.max())]
        if isinstance(origin.of, Call):
            calls = np.array(
                [origin.of.call if isinstance(origin.of, Call) else 0 for origin in origins]
            )
            per_call = prod(origin.shape) // prod(features_of(origin.shape))
            all_rows = np.where(origin_of < 0, NO_ROW, calls[origin_of] * per_call + row_of)
            factor = RowFactor(origin.of.name, (span.window,), all_rows, origin.scale)
            return [(span.start, span.stop, factor)]
        return list(self._of_pool(origin, span, rows))

    def _of_pool(self, origin: ElementOrigin, span: PlaceSpan, rows: OriginRows) -> list[Located]:
        assert span.window is not None
        pool, window = self.sized(origin), span.window
        if self.inner(origin).pools:
            raise self._twice()
        features = features_of(origin.shape)
        areas = prod(features) // features[0], prod(window.shape[1:])
        located: list[Located] = []
        first = 0
        for number, part in enumerate(self.inner(origin).parts):
            channels, rest = divmod(part.channels * areas[0], areas[1])
            if rest:
                raise self._scattered()
            low, high = max(window.start, first), min(window.stop, first + channels)
            if low < high:
                self._check_poolable(part, pool)
                shape = (channels, *window.shape[1:])
                inner = replace(window, shape=shape, start=low - first, stop=high - first)
                start = span.start + low - window.start
                located += [
                    (
                        start,
                        start + high - low,
                        replace(
                            term.factors[0],
                            way=(*term.factors[0].way, pool, inner),
                            rows=self._through(rows, number, at),
                            scale=term.scale * origin.scale,
                        ),
                    )
                    for at, term in enumerate(part.terms)
                ]
            first += channels
        return located

    def _check_poolable(self, part: RowPart, pool: Pool) -> None:
        """Refuse a pool of ``part`` beside other things, if a pool of each term is another."""
        if any(len(term.factors) > 1 or term.factors[0].inverted for term in part.terms):
            raise WorkloadError(
                f"{self.where}: it reads a pool of products of spikes beside other things, or "
                "multiplied again; pool before multiplying, or all of its input at once"
            )
        if len(part.terms) > 1 and pool.kind == "max":
            raise WorkloadError(
                f"{self.where}: it reads the maximum of sums of spikes beside other "
                "things; pool before adding, or all of its input at once"
            )

    def _through(self, rows: OriginRows, part: int, term: int) -> IntArray:
        """OriginRows of a source behind a pool, by rows of the map before it."""
        through = np.full(len(rows[0]), NO_ROW)
        for number in np.unique(rows[0][rows[0] >= 0]):
            read = self.inner(self.provenance.origins[number]).parts[part].terms[term]
            inner = read.factors[0].rows
            here = rows[0] == number
            through[here] = inner[rows[1][here]]
        return through

    def _twice(self) -> WorkloadError:
        return WorkloadError(
            f"{self.where}: beside other things it reads what was put together, pooled, and pooled "
            "again; pool before putting together"
        )

    def _scattered(self) -> WorkloadError:
        return WorkloadError(
            f"{self.where}: the elements of its input are arranged as no window of channels, rows "
            "and columns reads them, or otherwise from step to step; keep [C, H, W] in order, "
            "and cut whole channels, rows and columns"
        )


def _without_gradient(unknown: BoolArray) -> list[Located]:
    """The factors of elements [N, C, H, W] without gradient: one for each run of channels."""
    channels = unknown.any((0, 2, 3)).astype(np.int8)
    ends = np.flatnonzero(np.diff(channels, prepend=0, append=0)).reshape(-1, 2)
    return [
        (
            start,
            stop,
            RowFactor(INPUT, (), np.where(here.any((1, 2, 3)), np.arange(len(here)), NO_ROW)),
        )
        for start, stop in ends.tolist()
        for here in [unknown[:, start:stop]]
    ]

"""Terms of a tensor as products of factors: maps of elements, multiplied, inverted, joined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from tlm.workload.capture.arranging import ZERO

if TYPE_CHECKING:
    from torch import Tensor

UNKNOWN = -2
"""In a map: an element without gradient: the network's input, or a constant."""

ONE = -3
"""In the map of an inverted factor: 1 minus a zero."""


@dataclass(frozen=True, eq=False)
class FactorMap:
    """The element of an origin that stands at each place; 1 minus it if ``inverted``.

    ``multiplier`` is what a dropout multiplies it with.
    """

    places: Tensor
    inverted: bool = False
    multiplier: Tensor | None = None

    def arranged(self, arrange: Callable[[Tensor], Tensor]) -> FactorMap:
        """Its elements put elsewhere."""
        dropped = self.multiplier
        return replace(
            self,
            places=arrange(self.places),
            multiplier=None if dropped is None else arrange(dropped),
        )

    def multiplied(self, multiplier: Tensor) -> FactorMap:
        """The factor behind a dropout, of which it may have passed one already."""
        before = 1.0 if self.multiplier is None else self.multiplier
        return replace(self, multiplier=(before * multiplier).expand(self.places.shape))

    @property
    def is_plain(self) -> bool:
        """Whether it is the element as it is."""
        return not self.inverted and self.multiplier is None

    def settled(self, values: Tensor) -> FactorMap:
        """The factor with what is without gradient known where its ``values`` are 0, as states."""
        unknown, places = self.places == UNKNOWN, self.places
        places = places.masked_fill(unknown & (values == 0), ZERO)
        if self.inverted:
            places = places.masked_fill(unknown & (values == 1), ONE)
        return replace(self, places=places)


ProductMap: TypeAlias = "tuple[FactorMap, ...]"
"""Maps of one shape, multiplied element by element; the inverted ones last."""

Terms: TypeAlias = "list[ProductMap]"


def as_it_is(places: Tensor) -> ProductMap:
    """A term of one factor."""
    return (FactorMap(places),)


def arranged(term: ProductMap, arrange: Callable[[Tensor], Tensor]) -> ProductMap:
    """All factors with their elements put elsewhere, alike."""
    return tuple(factor.arranged(arrange) for factor in term)


def inverted(terms: Terms) -> Terms | None:
    """1 minus the sum of ``terms``; None unless it is a single factor, which no product can say."""
    if len(terms) > 1 or len(terms[0]) > 1 or not terms[0][0].is_plain:
        return None
    places = terms[0][0].places
    return [(FactorMap(places.where(places != ZERO, ONE), inverted=True),)]


def products(left: Terms, right: Terms, shape: tuple[int, ...]) -> Terms:
    """Each of ``left`` times each of ``right``, both spread out to ``shape``."""
    return [
        arranged(_in_order((*one, *other)), lambda places: places.expand(shape))
        for one in left
        for other in right
    ]


def joined(join: Callable[[Sequence[Tensor]], Tensor], pieces: Sequence[Terms]) -> Terms:
    """The terms of what ``join`` makes of ``pieces``; zeros stand where one has fewer.

    Those are joined of which as many factors are inverted, and as many are not.
    """
    result: Terms = []
    for form in dict.fromkeys(_form(term) for terms in pieces for term in terms):
        alike = [[term for term in terms if _form(term) == form] for terms in pieces]
        for at in range(max(map(len, alike))):
            rows = [
                alike[number][at] if at < len(alike[number]) else _zeros(terms, len(form))
                for number, terms in enumerate(pieces)
            ]
            columns = zip(*rows, strict=True)
            result.append(tuple(map(partial(_joined, join), columns, form)))
    return result


def _joined(
    join: Callable[[Sequence[Tensor]], Tensor], factors: Sequence[FactorMap], is_inverted: bool
) -> FactorMap:
    places = join([factor.places for factor in factors])
    if all(factor.multiplier is None for factor in factors):
        return FactorMap(places, is_inverted)
    multipliers = [
        factor.places.float() * 0 + 1 if factor.multiplier is None else factor.multiplier
        for factor in factors
    ]
    return FactorMap(places, is_inverted, join(multipliers))


def _zeros(terms: Terms, factors: int) -> ProductMap:
    """A term of zeros, of the shape of ``terms``."""
    places = terms[0][0].places
    return (FactorMap(places.new_full(places.shape, ZERO)),) * factors


def _form(term: ProductMap) -> tuple[bool, ...]:
    return tuple(factor.inverted for factor in term)


def _in_order(term: ProductMap) -> ProductMap:
    return tuple(sorted(term, key=lambda factor: factor.inverted))

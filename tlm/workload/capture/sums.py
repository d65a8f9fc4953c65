"""Sums of tensors: which layer's current each one is, so that no sum is made twice.

A reader's input is a sum of terms: outputs of boundaries through pools. A sum that holds the
current of a layer (its product, normalised) is that layer's current with shortcuts, if nothing
reads that product alone. Sums of more terms hold those of fewer, as the stream of residual blocks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tlm.workload.capture.edges import Edge
from tlm.workload.model import Pool


@dataclass(frozen=True)
class Sum:
    """What a boundary reads: ``terms`` added up, then passed through ``pools``, nearest first."""

    terms: tuple[Edge, ...]
    pools: tuple[Pool, ...] = ()

    @property
    def edges(self) -> tuple[Edge, ...]:
        """The terms with the pools of the sum in front of their own."""
        return tuple(
            replace(term, pools=self.pools + term.pools) if term.factor is None else term
            for term in self.terms
        )


@dataclass(frozen=True)
class Nested:
    """Sums with each other's values in place of their terms.

    ``read`` is what each boundary reads, ``added`` the shortcuts of boundaries whose output,
    with these added, is a current; both by name.
    """

    read: Mapping[str, Sum]
    added: Mapping[str, tuple[Edge, ...]]


def nested(sums: Mapping[str, Sum], currents: Sequence[str]) -> Nested:
    """Find the sums that are currents; ``currents`` are the products, normalised, in call order."""
    read = dict(sums)
    added: dict[str, tuple[Edge, ...]] = {}
    for terms in _distinct(sums):
        # What smaller sums have become by now.
        now = next(total.terms for name, total in read.items() if _same(sums[name].terms, terms))
        if len(now) == 1:
            continue
        host = _host(now, [total.terms for total in read.values()], currents, added)
        if host is None:
            continue
        added[host] = tuple(term for term in now if term.source != host)
        read = {
            name: Sum(_replaced(total.terms, now, host), total.pools)
            for name, total in read.items()
        }
    return Nested(read, added)


def _distinct(sums: Mapping[str, Sum]) -> Iterator[tuple[Edge, ...]]:
    """Every sum of more than one term once, those of fewer terms first."""
    seen: list[Counter[Edge]] = []
    for total in sorted(sums.values(), key=lambda total: len(total.terms)):
        if len(total.terms) > 1 and Counter(total.terms) not in seen:
            seen.append(Counter(total.terms))
            yield total.terms


def _host(
    terms: tuple[Edge, ...],
    others: Sequence[tuple[Edge, ...]],
    currents: Sequence[str],
    added: Mapping[str, tuple[Edge, ...]],
) -> str | None:
    """The last called of ``terms`` that is read in this sum alone; None if there is none."""
    wanted = Counter(terms)
    for name in reversed(currents):
        if wanted[Edge(name, ())] != 1 or name in added:
            continue
        reading = [Counter(other) for other in others if any(t.source == name for t in other)]
        if sum(term.source == name for term in terms) == 1 and all(
            other >= wanted and sum(n for t, n in other.items() if t.source == name) == 1
            for other in reading
        ):
            return name
    return None


def _replaced(terms: tuple[Edge, ...], part: tuple[Edge, ...], host: str) -> tuple[Edge, ...]:
    """``terms`` with ``host`` alone in place of ``part``, if they hold all of it."""
    every, wanted = Counter(terms), Counter(part)
    if not every >= wanted:
        return terms
    return (Edge(host, ()), *(every - wanted).elements())


def _same(first: Sequence[Edge], second: Sequence[Edge]) -> bool:
    return Counter(first) == Counter(second)

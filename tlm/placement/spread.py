"""Spread: which mappings to simulate, good by estimate and far from each other.

The distance of two mappings is the number of layers that they split into other parts (channels,
samples, rows): mappings that only put the same slices on other cores are near-copies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tlm.config.chip import Objective
from tlm.placement.search import Candidate
from tlm.space.grid import Grid

# Estimates are wrong by about this much, so that they do not tell such mappings apart (assumed).
SLACK = 1.25


def distance(grids: Sequence[Grid], others: Sequence[Grid]) -> int:
    """In how many layers two mappings of a job are split into other parts."""
    return sum(a.split != b.split for a, b in zip(grids, others, strict=True))


def spread(
    ranked: Sequence[Candidate], known: Sequence[Sequence[Grid]], objective: Objective
) -> Iterator[Candidate]:
    """All of ``ranked`` (not empty, best first), in the order in which simulating them says most.

    The best comes first. Then, of those within ``SLACK`` of it, always the farthest from all
    before it and from the ``known`` mappings, the better of equally far ones; then the others.
    """
    limit = SLACK * ranked[0].estimate.score(objective)
    close = [candidate for candidate in ranked if candidate.estimate.score(objective) <= limit]
    layers = len(ranked[0].grids)
    apart = [min([layers, *(distance(c.grids, grids) for grids in known)]) for c in close]
    waiting = list(range(len(close)))
    while waiting:
        first = len(waiting) == len(close)
        at = 0 if first else max(waiting, key=lambda index: (apart[index], -index))
        yield close[at]
        waiting.remove(at)
        for index in waiting:
            apart[index] = min(apart[index], distance(close[index].grids, close[at].grids))
    yield from ranked[len(close) :]

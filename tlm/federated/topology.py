"""Who is linked to whom, and over which nodes a message goes.

- star: every worker has a link to and from its centre, a server, or a switch if a worker
  aggregates;
- ring: every worker has a link to and from its two neighbours;
- tree: every worker but worker 0 has a link to and from its parent, (its number - 1) // 2.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import pairwise

from tlm.federated.plan import Topology

Hop = tuple[int, int]


@dataclass(frozen=True)
class Graph:
    """Directed links between nodes: workers by their number; the centre of a star comes last."""

    workers: int
    edges: tuple[Hop, ...]

    @property
    def centre(self) -> int:
        """The number of the star's centre."""
        return self.workers

    def route(self, source: int, target: int) -> list[Hop]:
        """The links of a shortest way; of several, that over the lowest numbers.

        Raises:
            ValueError: there is none.
        """
        before = {source: source}
        waiting = deque([source])
        while waiting and target not in before:
            node = waiting.popleft()
            for start, end in self.edges:
                if start == node and end not in before:
                    before[end] = node
                    waiting.append(end)
        if target not in before:
            raise ValueError(f"no way from node {source} to node {target}")
        way = [target]
        while way[-1] != source:
            way.append(before[way[-1]])
        way.reverse()
        return list(pairwise(way))


def graph_of(topology: Topology, workers: int) -> Graph:
    """The links of a system, each direction by itself, in order of their nodes."""
    if topology == "star":
        pairs = [(worker, workers) for worker in range(workers)]
    elif topology == "ring":
        pairs = [(worker, (worker + 1) % workers) for worker in range(workers) if workers > 1]
    else:
        pairs = [(worker, parent(worker)) for worker in range(1, workers)]
    both = {*pairs, *((there, here) for here, there in pairs)}
    return Graph(workers, tuple(sorted(both)))


def parent(worker: int) -> int:
    """Whom a worker of a tree sends to; not of worker 0."""
    return (worker - 1) // 2


def children(worker: int, workers: int) -> list[int]:
    """Who sends to a worker of a tree."""
    return [child for child in (2 * worker + 1, 2 * worker + 2) if child < workers]

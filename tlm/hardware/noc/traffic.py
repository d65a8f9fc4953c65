"""Synthetic traffic of meshes: who sends to whom, and when.

Patterns are those of Dally and Towles, "Principles and Practices of Interconnection Networks"
(2004), section 3.2, as BookSim2 understands them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tlm.errors import ConfigError

Targets = Callable[[int, int, int], int]  # (source node, columns, rows) to target node
Nodes = npt.NDArray[np.intp]
_CHUNK = 1024  # cycles drawn at a time


def _transpose(node: int, columns: int, rows: int) -> int:
    return node % columns * columns + node // columns


def _neighbor(node: int, columns: int, rows: int) -> int:
    return _shifted(node, columns, rows, 1, 1)


def _tornado(node: int, columns: int, rows: int) -> int:
    return _shifted(node, columns, rows, (columns + 1) // 2 - 1, (rows + 1) // 2 - 1)


def _shifted(node: int, columns: int, rows: int, by_x: int, by_y: int) -> int:
    return (node // columns + by_y) % rows * columns + (node % columns + by_x) % columns


def _complement(node: int, columns: int, rows: int) -> int:
    return columns * rows - 1 - node


def _bit_reverse(node: int, columns: int, rows: int) -> int:
    bits = (columns * rows).bit_length() - 1
    return int(f"{node:0{bits}b}"[::-1], 2) if bits else 0


def _shuffle(node: int, columns: int, rows: int) -> int:
    bits = (columns * rows).bit_length() - 1
    return (node << 1 | node >> max(bits - 1, 0)) & (columns * rows - 1)


PERMUTATIONS: dict[str, Targets] = {
    "transpose": _transpose,
    "neighbor": _neighbor,
    "tornado": _tornado,
    "bitcomp": _complement,
    "bitrev": _bit_reverse,
    "shuffle": _shuffle,
}
_NEEDS_POWER_OF_TWO = ("bitrev", "shuffle")
TRAFFIC = ("uniform", *PERMUTATIONS, "hotspot1", "hotspot4")


@dataclass(frozen=True, slots=True)
class TrafficPattern:
    """Bernoulli arrivals of packets of ``flits`` at every node of a mesh.

    ``rate`` is in flits per node and cycle. ``uniform`` includes a node sending to itself;
    ``hotspot1`` sends everything to node 0, a corner, ``hotspot4`` to the four corners.

    Raises:
        ConfigError: an unknown pattern, or one that the mesh does not allow.
    """

    pattern: str
    columns: int
    rows: int
    flits: int
    rate: float
    seed: int = 1

    def __post_init__(self) -> None:
        if self.pattern not in TRAFFIC:
            raise ConfigError(
                f"traffic {self.pattern!r} is unknown; there are {', '.join(TRAFFIC)}"
            )
        if self.pattern in _NEEDS_POWER_OF_TWO and self.nodes & (self.nodes - 1):
            raise ConfigError(
                f"traffic {self.pattern}: the number of nodes must be a power of two, "
                f"got {self.nodes}"
            )
        if self.pattern == "transpose" and self.columns != self.rows:
            raise ConfigError(
                f"traffic transpose: the mesh must be square, got {self.columns}x{self.rows}"
            )
        if self.flits < 1 or not 0 < self.rate / self.flits <= 1:
            raise ConfigError(
                f"rate: expected more than 0 and at most 1 packet per node and cycle, got "
                f"{self.rate:g} flits in packets of {self.flits}"
            )

    @property
    def nodes(self) -> int:
        """Nodes of the mesh."""
        return self.columns * self.rows

    def bound(self) -> float:
        """Rate in flits per node and cycle at which a link, or a node, is busy all the time.

        The load of the busiest channel under XY routes (Dally and Towles, section 3.3.1). No more
        can pass, whatever the routers do; half of it is what buffers often leave.
        """
        columns, rows, nodes = self.columns, self.rows, self.nodes
        along_x = np.zeros((rows, columns, columns))  # row; from column, to column
        along_y = np.zeros((columns, rows, rows))  # column; from row, to row
        into = np.zeros(nodes)
        for source in range(nodes):
            for target, share in self._shares(source):
                x, y = target % columns, target // columns
                along_x[source // columns, source % columns, x] += share
                along_y[x, source // columns, y] += share
                into[target] += share
        busiest = max(1.0, into.max(), _busiest_link(along_x), _busiest_link(along_y))
        return min(1.0 / float(busiest), float(self.flits))

    def _shares(self, source: int) -> list[tuple[int, float]]:
        """Where a node's flits go, and what share of them."""
        nodes, columns = self.nodes, self.columns
        if self.pattern == "uniform":
            return [(target, 1 / nodes) for target in range(nodes)]
        if self.pattern == "hotspot1":
            return [(0, 1.0)]
        if self.pattern == "hotspot4":
            corners = (0, columns - 1, nodes - columns, nodes - 1)
            return [(corner, 0.25) for corner in corners]
        return [(PERMUTATIONS[self.pattern](source, columns, self.rows), 1.0)]

    def arrivals(self, last: int) -> Iterator[tuple[int, int, int]]:
        """(cycle, source node, target node) in order of cycles, then of nodes.

        They end after cycle ``last`` with a packet that is to be sent no more, so that a clock
        that follows them runs on where hardly any come.
        """
        for cycles, sources, targets in self.batches(last):
            yield from zip(cycles.tolist(), sources.tolist(), targets.tolist(), strict=True)

    def batches(self, last: int) -> Iterator[tuple[Nodes, Nodes, Nodes]]:
        """The same as arrays, each of some hundred cycles, which may be without packets."""
        random = np.random.default_rng(self.seed)
        start = 0
        while start <= last:
            draws = random.random((_CHUNK, self.nodes)) < self.rate / self.flits
            cycles, sources = np.nonzero(draws)
            targets = self._targets(sources, random)
            yield cycles + start, sources, targets
            start += _CHUNK
        yield np.array([start]), np.zeros(1, np.intp), np.zeros(1, np.intp)

    def _targets(self, sources: Nodes, random: np.random.Generator) -> Nodes:
        nodes, count = self.nodes, len(sources)
        if self.pattern == "uniform":
            return random.integers(0, nodes, count, dtype=np.intp)
        if self.pattern == "hotspot1":
            return np.zeros(count, dtype=np.intp)
        if self.pattern == "hotspot4":
            corners = (0, self.columns - 1, nodes - self.columns, nodes - 1)
            return np.array(corners, dtype=np.intp)[random.integers(0, 4, count)]
        permutation = PERMUTATIONS[self.pattern]
        table = [permutation(node, self.columns, self.rows) for node in range(nodes)]
        return np.array(table, dtype=np.intp)[sources]


def _busiest_link(flows: npt.NDArray[np.float64]) -> float:
    """Largest load of a link between neighbours, from loads of (line; from, to) along a line."""
    length = flows.shape[1]
    up = [flows[:, : i + 1, i + 1 :].sum(axis=(1, 2)).max() for i in range(length - 1)]
    down = [flows[:, i + 1 :, : i + 1].sum(axis=(1, 2)).max() for i in range(length - 1)]
    return float(max([0.0, *up, *down]))

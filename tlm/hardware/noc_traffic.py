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

Targets = Callable[[int, int], int]  # (source node, side of the mesh) to target node
_CHUNK = 1024  # cycles drawn at a time


def _coordinates(node: int, side: int) -> tuple[int, int]:
    return node % side, node // side


def _transpose(node: int, side: int) -> int:
    x, y = _coordinates(node, side)
    return x * side + y


def _shifted(node: int, side: int, by: int) -> int:
    x, y = _coordinates(node, side)
    return (y + by) % side * side + (x + by) % side


def _neighbor(node: int, side: int) -> int:
    return _shifted(node, side, 1)


def _tornado(node: int, side: int) -> int:
    return _shifted(node, side, (side + 1) // 2 - 1)


def _complement(node: int, side: int) -> int:
    return side * side - 1 - node


def _bit_reverse(node: int, side: int) -> int:
    bits = (side * side).bit_length() - 1
    return int(f"{node:0{bits}b}"[::-1], 2) if bits else 0


def _shuffle(node: int, side: int) -> int:
    bits = (side * side).bit_length() - 1
    return (node << 1 | node >> max(bits - 1, 0)) & (side * side - 1)


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
class Traffic:
    """Bernoulli arrivals of packets of ``flits`` at every node of a square mesh.

    ``rate`` is in flits a node and cycle. ``uniform`` includes a node sending to itself;
    ``hotspot1`` sends everything to node 0, a corner, ``hotspot4`` to the four corners.

    Raises:
        ConfigError: an unknown pattern, or one that the mesh does not allow.
    """

    pattern: str
    side: int
    flits: int
    rate: float
    seed: int = 1

    def __post_init__(self) -> None:
        if self.pattern not in TRAFFIC:
            raise ConfigError(
                f"traffic {self.pattern!r} is unknown; there are {', '.join(TRAFFIC)}"
            )
        if self.pattern in _NEEDS_POWER_OF_TWO and self.side & (self.side - 1):
            raise ConfigError(
                f"traffic {self.pattern}: the side of the mesh must be a power of two, "
                f"got {self.side}"
            )
        if self.flits < 1 or not 0 < self.rate / self.flits <= 1:
            raise ConfigError(
                f"rate: expected more than 0 and at most 1 packet a node and cycle, got "
                f"{self.rate:g} flits in packets of {self.flits}"
            )

    def arrivals(self) -> Iterator[tuple[int, int, int]]:
        """(cycle, source node, target node) without end, in order of cycles, then of nodes."""
        random = np.random.default_rng(self.seed)
        nodes = self.side * self.side
        start = 0
        while True:
            draws = random.random((_CHUNK, nodes)) < self.rate / self.flits
            cycles, sources = np.nonzero(draws)
            targets = self._targets(sources, random)
            yield from zip(
                (cycles + start).tolist(), sources.tolist(), targets.tolist(), strict=True
            )
            start += _CHUNK

    def _targets(
        self, sources: npt.NDArray[np.intp], random: np.random.Generator
    ) -> npt.NDArray[np.intp]:
        nodes = self.side * self.side
        if self.pattern == "uniform":
            return random.integers(0, nodes, len(sources), dtype=np.intp)
        if self.pattern == "hotspot1":
            return np.zeros(len(sources), dtype=np.intp)
        if self.pattern == "hotspot4":
            corners = np.array([0, self.side - 1, nodes - self.side, nodes - 1], dtype=np.intp)
            return corners[random.integers(0, 4, len(sources))]
        permutation = PERMUTATIONS[self.pattern]
        table = np.array([permutation(node, self.side) for node in range(nodes)], dtype=np.intp)
        return table[sources]

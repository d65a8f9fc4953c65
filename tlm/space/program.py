"""Programs: the tiles of every engine of every core, and the completions that order them.

The program builders write them, the hardware runs them. Neither imports the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tlm.space.tile import Tile


class Completions:
    """Counted completions: how many arrivals a tile has to wait for before it may go on.

    A completion's id is its position in ``labels``, its name in reports, and in ``counts``, the
    arrivals announced so far.
    """

    def __init__(self) -> None:
        self.labels: list[str] = []
        self.counts: list[int] = []
        self._ids: dict[tuple[object, ...], int] = {}

    def ident(self, *key: object) -> int:
        """The id of a completion, new on first use; the parts of ``key`` are its label."""
        if key not in self._ids:
            self._ids[key] = len(self.labels)
            self.labels.append(" ".join(str(part) for part in key))
            self.counts.append(0)
        return self._ids[key]

    def expect(self, ident: int, arrivals: int = 1) -> int:
        """Announce arrivals; returns ``ident`` so that announcing and referring are one step."""
        self.counts[ident] += arrivals
        return ident

    def expect_all(self, idents: tuple[int, ...], arrivals: int = 1) -> tuple[int, ...]:
        """Announce as many arrivals for each of some completions, as :meth:`expect` does."""
        for ident in idents:
            self.counts[ident] += arrivals
        return idents


@dataclass(slots=True)
class Program:
    """All tiles of a mini-batch: ``tiles[core][engine]`` in execution order.

    ``regions`` are the addresses at which the tensors in DRAM begin: bytes are counted by them.
    """

    tiles: list[dict[str, list[Tile]]]
    completions: Completions
    regions: Sequence[int] = ()

    def all_tiles(self) -> Iterator[Tile]:
        """All tiles, core by core and engine by engine."""
        return (tile for core in self.tiles for tiles in core.values() for tile in tiles)

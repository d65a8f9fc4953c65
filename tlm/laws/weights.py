"""Weights: all that a core uses were fetched since other weights took their place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tlm.laws.check import Check
from tlm.space.phase import ENGINE_OF_PHASE, Phase
from tlm.space.program import Program, WeightsDue
from tlm.space.tile import Extent, Tile

USING = (Phase.FP, Phase.RECOMPUTE, Phase.BP)
ROUNDED_B = 1  # bytes that a run of weights narrower than a byte may lose


@dataclass(slots=True)
class Walks:
    """How often, one after the other, a phase made ``elements`` results of some (sample, step)."""

    elements: int
    found: int = 0
    _done: dict[tuple[Phase, int, int], int] = field(default_factory=dict)

    def add(self, tile: Tile) -> None:
        """Count a tile's results."""
        for pair in tile.pairs():
            key = (tile.phase, *pair)
            self._done[key] = self._done.get(key, 0) + tile.covers
            if self._done[key] >= self.elements:
                self.found += 1
                self._done.clear()
                return


class Visit:
    """What an engine fetches of a layer's weights until another layer's take their place."""

    def __init__(self, due: WeightsDue) -> None:
        self.due = due
        self.runs: list[Extent] = []
        # Results of a pair for which all weights are used, or half as many again as have room.
        shares = {due.nbytes, min(due.nbytes, due.room * 3 // 2)}
        whole = max(1, due.nbytes)  # a slice may have no weight that meets an output
        self.walks = {share: Walks(-(-due.elements * share // whole)) for share in shares}

    def add(self, tile: Tile) -> None:
        """Count a tile's fetches and results."""
        first, nbytes = self.due.at
        self.runs += [run for run in tile.reads if first <= run[0] < first + nbytes]
        if tile.covers and self.due.room < self.due.nbytes:
            for walks in self.walks.values():
                walks.add(tile)

    def fault(self) -> str:
        """What is missing: weights never fetched, or more kept than the core has room for.

        A walk uses ``share`` bytes, of which not more than ``room`` were there from before.
        """
        spare = ROUNDED_B * len(self.runs)
        used, fetched = self.due.nbytes, sum(nbytes for _, nbytes in self.runs)
        if abs(_distinct(self.runs) - used) > spare * self.due.rounded:
            return f"{_distinct(self.runs)} B fetched of {used} B used"
        least = max(walks.found * (share - self.due.room) for share, walks in self.walks.items())
        return f"{fetched} B fetched, at least {least} B used" if fetched + spare < least else ""


def _distinct(runs: list[Extent]) -> int:
    """Bytes that any of the runs covers."""
    total = end = 0
    for start, nbytes in sorted(set(runs)):
        total += max(0, start + nbytes - max(start, end))
        end = max(end, start + nbytes)
    return total


def weights(program: Program) -> Iterator[Check]:
    """Weights in a core are those of the layer it works on, and no more than fit."""
    wrong = [
        f"core{core:02d} {engine} layer {layer}: {fault}"
        for core, engines in enumerate(program.tiles)
        for engine in ("fp", "bp")
        for layer, visit in _visits(program, core, engines[engine])
        if (fault := visit.fault())
    ]
    yield Check("weights fetched before use", not wrong, f"{wrong[:3]}")


def _visits(program: Program, core: int, tiles: list[Tile]) -> Iterator[tuple[int, Visit]]:
    visit, layer = None, -1
    for tile in tiles:
        if tile.phase not in USING or not any(tile.pairs()):
            continue
        if visit is None or tile.layer != layer:
            if visit is not None:
                yield layer, visit
            layer = tile.layer
            visit = Visit(program.expected_weights[core, ENGINE_OF_PHASE[tile.phase], layer])
        visit.add(tile)
    if visit is not None:
        yield layer, visit

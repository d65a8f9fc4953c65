"""Weight fetches: all that a core uses was fetched since other weights took its place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tlm.laws.check import Check
from tlm.laws.due import Due, WeightsDue
from tlm.space.phase import ENGINE_OF_PHASE, Phase
from tlm.space.program import Program
from tlm.space.rounding import ceil_div
from tlm.space.tile import Extent, Tile

USERS = (Phase.FP, Phase.RECOMPUTE, Phase.BP)
ROUNDED_B = 1  # bytes that a run of weights narrower than a byte may lose


class Walks:
    """How often a phase reached ``elements`` results of any (sample, step), one after the other."""

    def __init__(self, elements: int) -> None:
        self.elements = elements
        self.count = 0
        self._results = Counter[tuple[Phase, int, int]]()

    def add(self, tile: Tile) -> None:
        """Count a tile's results."""
        for pair in tile.pairs():
            key = (tile.phase, *pair)
            self._results[key] += tile.covers
            if self._results[key] >= self.elements:
                self.count += 1
                self._results.clear()
                return


class Visit:
    """What an engine fetches of a layer's weights until another layer's take their place.

    Weights that stay for FP have left when ``phase`` makes U again.
    """

    def __init__(self, due: WeightsDue, phase: Phase) -> None:
        self.due, self.phase = due, phase
        self.once = due.once and phase != Phase.RECOMPUTE
        self.tiles: list[Tile] = []
        # Results of a pair for which all weights are used, or half as many again as have room.
        shares = {due.nbytes, min(due.nbytes, due.room * 3 // 2) if due.even else due.nbytes}
        whole = max(1, due.nbytes)  # a slice may have no weight that meets an output
        self.walks = {share: Walks(ceil_div(due.elements * share, whole)) for share in shares}

    def add(self, tile: Tile) -> None:
        """Count a tile's fetches and results."""
        self.tiles.append(tile)
        if tile.covers and self.due.room < self.due.nbytes:
            for walks in self.walks.values():
                walks.add(tile)

    def fault(self) -> str:
        """What is missing: weights never fetched, or more kept than the core has room for.

        A walk uses ``share`` bytes, of which at most ``room`` were there from before.
        """
        runs = self._runs()
        if self.due.stays:
            return f"{len(runs)} fetches of weights that stay" if runs else ""
        spare = ROUNDED_B * len(runs)
        used, fetched = self.due.nbytes, sum(nbytes for _, nbytes in runs)
        distinct = _distinct_bytes(runs)
        if abs(distinct - used) > spare * self.due.rounded:
            return f"{distinct} B fetched of {used} B used"
        if self.once and fetched > used + spare:
            return f"{fetched} B fetched of {used} B that stay"
        least = max(walks.count * (share - self.due.room) for share, walks in self.walks.items())
        short = fetched + spare < least and not self.once
        return f"{fetched} B fetched, at least {least} B used" if short else ""

    def _runs(self) -> list[Extent]:
        """What was fetched of the layer's weights."""
        return [
            run
            for first, nbytes in self.due.at
            for tile in self.tiles
            for run in tile.reads
            if first <= run[0] < first + nbytes
        ]


def _distinct_bytes(runs: list[Extent]) -> int:
    """Bytes that any of the runs covers."""
    total = end = 0
    for start, nbytes in sorted(set(runs)):
        total += max(0, start + nbytes - max(start, end))
        end = max(end, start + nbytes)
    return total


def weight_fetches(program: Program, due: Due) -> Iterator[Check]:
    """Weights in a core are those of the layer it works on, and no more than fit."""
    wrong = [
        f"core{core:02d} {engine} layer {layer}: {fault}"
        for core, engines in enumerate(program.tiles)
        for engine in ("fp", "bp")
        for layer, visit in _visits(due, core, engines[engine])
        if (fault := visit.fault())
    ]
    yield Check("weights fetched before use", not wrong, f"{wrong[:3]}")


def _visits(due: Due, core: int, tiles: list[Tile]) -> Iterator[tuple[int, Visit]]:
    """The visits of an engine, in order, each with the index of its layer."""
    visit, layer = None, -1
    for tile in tiles:
        if tile.phase not in USERS or not any(tile.pairs()):
            continue
        if visit is None or tile.layer != layer or (visit.due.once and tile.phase != visit.phase):
            if visit is not None:
                yield layer, visit
            layer = tile.layer
            visit = Visit(due.weights[core, ENGINE_OF_PHASE[tile.phase], layer], tile.phase)
        visit.add(tile)
    if visit is not None:
        yield layer, visit

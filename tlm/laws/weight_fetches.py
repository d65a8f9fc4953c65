"""Weight fetches: all that a core uses was fetched since other weights took its place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter

import numpy as np

from tlm.laws.check import Check
from tlm.laws.due import Due, WeightsDue
from tlm.laws.runs import Runs
from tlm.laws.tile_table import Places, TileTable
from tlm.space.array_types import Bools
from tlm.space.phase import Phase
from tlm.space.rounding import ceil_div
from tlm.space.tile import Tile

USERS = (Phase.FP, Phase.RECOMPUTE, Phase.BP)
ROUNDED_B = 1  # bytes that a run of weights narrower than a byte may lose
# Blocks of a phase are the same, or share no (sample, step).
BLOCK = attrgetter("sample", "samples", "step", "steps", "skipped")


@dataclass(frozen=True, slots=True)
class Visit:
    """What an engine fetches of a layer's weights until another layer's take their place.

    Weights that stay for FP have left when ``phase`` makes U again. ``tiles`` are those that work
    on any (sample, step), with the phase of each.
    """

    due: WeightsDue
    phases: Sequence[int]
    tiles: Sequence[Tile]
    runs: Runs

    def fault(self) -> str:
        """What is missing: weights never fetched, or more kept than the core has room for.

        A walk uses ``share`` bytes, of which at most ``room`` were there from before.
        """
        due, count = self.due, len(self.runs.first)
        if due.stays:
            return f"{count} fetches of weights that stay" if count else ""
        spare, once = ROUNDED_B * count, due.once and self.phases[0] != Phase.RECOMPUTE
        used, fetched = due.nbytes, int(self.runs.nbytes.sum())
        distinct = self.runs.distinct_nbytes()
        if abs(distinct - used) > spare * due.rounded:
            return f"{distinct} B fetched of {used} B used"
        if once:
            return f"{fetched} B fetched of {used} B that stay" if fetched > used + spare else ""
        least = max((walks * (share - due.room) for share, walks in self._shares()), default=0)
        return f"{fetched} B fetched, at least {least} B used" if fetched + spare < least else ""

    def _shares(self) -> Iterator[tuple[int, int]]:
        """(Bytes used, how often) of all weights, and of half as many again as have room."""
        due = self.due
        if due.room >= due.nbytes:
            return
        numbers: dict[object, int] = {}
        blocks = zip(self.phases, map(BLOCK, self.tiles), strict=True)
        done = [
            (numbers.setdefault(block, len(numbers)), tile.covers)
            for block, tile in zip(blocks, self.tiles, strict=True)
        ]
        for share in {due.nbytes, min(due.nbytes, due.room * 3 // 2) if due.even else due.nbytes}:
            yield share, _walks(done, ceil_div(due.elements * share, due.nbytes))


def _walks(done: Iterable[tuple[int, int]], elements: int) -> int:
    """How often ``elements`` results of any block were reached, one after the other."""
    count, results = 0, Counter[int]()
    for block, covers in done:
        if covers:
            results[block] += covers
            if results[block] >= elements:
                count += 1
                results.clear()
    return count


def weight_fetches(table: TileTable, due: Due) -> Iterator[Check]:
    """Weights in a core are those of the layer it works on, and no more than fit."""
    wrong = [
        f"core{core:02d} {engine} layer {layer}: {fault}"
        for (core, engine, layer), visit in visits(table, due)
        if (fault := visit.fault())
    ]
    yield Check("weights fetched before use", not wrong, f"{wrong[:3]}")


def visits(table: TileTable, due: Due) -> Iterator[tuple[tuple[int, str, int], Visit]]:
    """The visits of all engines in order, each with its core, engine and layer."""
    once = np.zeros((len(table.engines), len(due.job.layers)), np.bool_)
    for (core, name, layer), weights in due.weights.items():
        once[table.engines.index((core, name)), layer] = weights.once
    uses = table.of(USERS, ("fp", "bp")) & table.works & multiplied(table, due)
    rows = np.flatnonzero(uses)
    engine, layers, phase = table["engine"][rows], table["layer"][rows], table["phase"][rows]
    changes = (np.diff(engine, prepend=-1) != 0) | (np.diff(layers, prepend=-1) != 0)
    changes |= once[engine, layers] & (np.diff(phase, prepend=-1) != 0)
    runs = table.reads_of(uses, weight_places(table, due))
    starts = np.flatnonzero(changes)
    first_runs = np.searchsorted(runs.tile, rows[starts])
    for (first, end), (run, last) in zip(
        pairwise([*starts.tolist(), len(rows)]),
        pairwise([*first_runs.tolist(), len(runs.tile)]),
        strict=True,
    ):
        key = *table.engines[engine[first]], int(layers[first])
        if key not in due.weights:  # a matmul's, which take the place of weights
            continue
        tiles = [table.tiles[row] for row in rows[first:end].tolist()]
        yield (
            key,
            Visit(due.weights[key], phase[first:end].tolist(), tiles, runs.take(slice(run, last))),
        )


def multiplied(table: TileTable, due: Due) -> Bools:
    """Which tiles are of layers that have a product."""
    return np.array([facts.layer.multiplies for facts in due.job.layers])[table["layer"]]


def weight_places(table: TileTable, due: Due) -> Places:
    """Where in DRAM the weights lie that an engine uses of a layer."""
    return {
        (table.engines.index((core, name)), layer): weights.at
        for (core, name, layer), weights in due.weights.items()
    }

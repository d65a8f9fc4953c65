"""Placement search: whole mappings compared by estimate, greedily and by local moves.

Starts from every layer's own best grid, from stages on cores of their own, and from each dimension
alone. ``greedy`` takes the best start and improves one layer after the other; ``local`` goes on
with seeded random moves (another grid of a layer, its cores shifted, two of them swapped) and keeps
what lowers the estimate. Bounded by ``mapping.search_steps``; the same inputs give the same choice.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tlm.config.chip import ChipConfig, Objective
from tlm.placement.estimate import MappingEstimate, estimate
from tlm.placement.grid_choice import Option, options
from tlm.placement.profile import Profile
from tlm.placement.stages import best_stages
from tlm.placement.target import Target
from tlm.space.grid import Grid

SEED = 0
SHORTLIST = 6  # grids of a layer that a search may use, the best by themselves


@dataclass(frozen=True, slots=True)
class Candidate:
    """A whole mapping: its grids, where it came from, and what it is estimated to cost."""

    origin: str
    grids: tuple[Grid, ...]
    estimate: MappingEstimate


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a search found: the different mappings, best first, how many it tried, and by what."""

    ranked: tuple[Candidate, ...]
    tried: int
    objective: Objective

    @property
    def best(self) -> Candidate:
        """The mapping to use."""
        return self.ranked[0]


class Search:
    """One search; ``profiles`` are the job's layers in order."""

    def __init__(self, profiles: Sequence[Profile], target: Target) -> None:
        self._profiles, self._target = profiles, target
        self._chip = chip = target.chip
        self._rated: list[tuple[float, int, Candidate]] = []
        self._batch = profiles[0].batch
        self._group = _group(chip, self._batch)
        self._options = [options(profile, target, self._group) for profile in profiles]

    def run(self) -> Chosen:
        """The best mapping by the chip's ``mapping.search`` and objective."""
        mapping = self._chip.mapping
        for origin, layers in self._starts():
            self._rate(origin, layers)
        if mapping.search != "none":
            self._greedy()
        if mapping.search == "local":
            self._local(random.Random(SEED))
        ranked: dict[tuple[Grid, ...], Candidate] = {}
        for *_, candidate in sorted(self._rated, key=lambda rated: rated[:2]):
            ranked.setdefault(candidate.grids, candidate)
        return Chosen(tuple(ranked.values()), len(self._rated), mapping.objective)

    def _starts(self) -> Iterator[tuple[str, list[Grid]]]:
        """Mappings to begin with; without a search only the one that ``mapping.split`` means."""
        searching = self._chip.mapping.search != "none"
        if "placed" not in self._chip.mapping.split:
            yield "each layer's best grid", [choice[0].grid for choice in self._options]
        if searching or "placed" in self._chip.mapping.split:
            yield "stages on cores of their own", self._stages()
        for name in ("k", "batch", "spatial") if searching else ():
            alone = [
                next((o for o in grids if _parts(o, name) == o.grid.split.parts), None)
                for grids in self._options
            ]
            chosen = [option.grid for option in alone if option is not None]
            if len(chosen) == len(alone):
                yield f"{name} alone", chosen

    def _stages(self) -> list[Grid]:
        """Consecutive layers on consecutive cores, along a path that turns at every row's end."""
        alone = self._options
        if self._group != self._batch:
            alone = [options(profile, self._target, self._batch) for profile in self._profiles]
        times = [
            [
                min(o.time_ps for o in grids if o.grid.split.parts <= n)
                for n in range(1, self._chip.cores + 1)
            ]
            for grids in alone
        ]
        path, chosen = snake(self._chip), list[Grid]()
        follow = self._batch  # what follows each other through the stages: samples, or their steps
        if self._chip.mapping.schedule == "wavefront":
            follow *= self._profiles[0].steps
        for stage in best_stages(times, follow):
            first, last = stage.cores
            for index in range(*stage.layers):
                best = next(o for o in alone[index] if o.grid.split.parts <= last - first)
                used = tuple(path[first : first + best.grid.split.parts])
                chosen.append(replace(best.grid, cores=used))
        return chosen

    def _rate(self, origin: str, grids: Sequence[Grid]) -> Candidate:
        cost = estimate(self._profiles, grids, self._target)
        candidate = Candidate(origin, tuple(grids), cost)
        self._rated.append((cost.score(self._chip.mapping.objective), len(self._rated), candidate))
        return candidate

    def _best(self) -> Candidate:
        return min(self._rated, key=lambda rated: rated[:2])[2]

    def _greedy(self) -> None:
        """Give each layer in turn the grid of its shortlist that helps the whole most."""
        for index, choice in enumerate(self._options):
            grids = self._best().grids
            for option in choice[:SHORTLIST]:
                if len(self._rated) >= self._chip.mapping.search_steps:
                    return
                if option.grid != grids[index]:
                    self._rate("greedy", _with(grids, index, option.grid))

    def _local(self, draw: random.Random) -> None:
        while len(self._rated) < self._chip.mapping.search_steps:
            grids = self._best().grids
            index = draw.randrange(len(grids))
            self._rate("local", _with(grids, index, self._move(grids[index], index, draw)))

    def _move(self, grid: Grid, index: int, draw: random.Random) -> Grid:
        """Another grid of the layer, its cores shifted, or two cores swapped."""
        kind = draw.randrange(3)
        if kind == 0:
            return draw.choice(self._options[index][:SHORTLIST]).grid
        if kind == 1:
            shift = draw.randrange(self._chip.cores)
            return replace(grid, cores=tuple((c + shift) % self._chip.cores for c in grid.cores))
        a, b = draw.randrange(self._chip.cores), draw.randrange(self._chip.cores)
        swapped = {a: b, b: a}
        return replace(grid, cores=tuple(swapped.get(core, core) for core in grid.cores))


def _group(chip: ChipConfig, batch: int) -> int:
    """Samples that pass a core's layers together."""
    return min(chip.mapping.group, batch) if chip.mapping.schedule == "pipelined" else batch


def _parts(option: Option, dimension: str) -> int:
    """Parts along one dimension."""
    return int(getattr(option.grid.split, dimension))


def _with(grids: tuple[Grid, ...], index: int, grid: Grid) -> list[Grid]:
    return [*grids[:index], grid, *grids[index + 1 :]]


def snake(chip: ChipConfig) -> list[int]:
    """The cores in an order in which each is next to the one before: rows to and fro."""
    columns = chip.mesh.columns
    return sorted(
        range(chip.cores),
        key=lambda core: (core // columns, core if core // columns % 2 == 0 else -core),
    )

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

from tlm.config.schema import ChipConfig
from tlm.mapping.choose import layer_ps, shortlist
from tlm.mapping.estimate import Estimate, estimate
from tlm.mapping.grid import Grid
from tlm.mapping.load import Load, load_of
from tlm.mapping.nest import Array
from tlm.mapping.profile import Profile
from tlm.mapping.stages import best_stages

SEED = 0

Placed = tuple[Grid, Load]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A whole mapping: its grids, where it came from, and what it is estimated to cost."""

    origin: str
    layers: tuple[Placed, ...]
    estimate: Estimate

    @property
    def grids(self) -> list[Grid]:
        """The grid of every layer."""
        return [grid for grid, _ in self.layers]


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a search found, and what it left: for the mapping file and the command line."""

    best: Candidate
    runner_up: Candidate | None
    tried: int
    objective: str


class Search:
    """One search; ``profiles`` are the job's layers in order."""

    def __init__(self, profiles: Sequence[Profile], chip: ChipConfig, array: Array) -> None:
        self._profiles, self._chip, self._array = profiles, chip, array
        self._rated: list[tuple[float, int, Candidate]] = []
        cores = range(chip.cores)
        self._lists = [shortlist(one, chip, array, cores) for one in profiles]

    def run(self) -> Chosen:
        """The best mapping by the chip's ``mapping.search`` and objective."""
        mapping = self._chip.mapping
        for origin, layers in self._starts():
            self._rate(origin, layers)
        if mapping.search != "none":
            self._greedy()
        if mapping.search == "local":
            self._local(random.Random(SEED))
        ranked = sorted(self._rated, key=lambda one: one[:2])
        best = ranked[0][2]
        others = (one[2] for one in ranked[1:] if one[2].grids != best.grids)
        return Chosen(best, next(others, None), len(self._rated), mapping.objective)

    def _starts(self) -> Iterator[tuple[str, list[Placed]]]:
        """Mappings to begin with; without a search only the one that ``mapping.split`` means."""
        searching = self._chip.mapping.search != "none"
        placed = "placed" in self._chip.mapping.split
        if not placed:
            yield "best grid of each layer", [grids[0] for grids in self._lists]
        if placed or searching:
            yield "stages on cores of their own", self._stages()
        if searching and self._chip.mapping.split == "auto":
            for kind in ("k", "batch", "spatial"):
                mapping = self._chip.mapping.model_copy(update={"split": kind})
                chip = self._chip.model_copy(update={"mapping": mapping})
                cores = range(chip.cores)
                yield (
                    f"{kind} alone",
                    [shortlist(one, chip, self._array, cores)[0] for one in self._profiles],
                )

    def _stages(self) -> list[Placed]:
        """Consecutive layers on consecutive cores, along a path that turns at every row's end."""
        path = snake(self._chip)
        times = [
            [
                layer_ps(load, grid, self._chip)
                for n in range(1, len(path) + 1)
                for grid, load in shortlist(one, self._chip, self._array, path[:n])[:1]
            ]
            for one in self._profiles
        ]
        found: list[Placed] = []
        for stage in best_stages(times, self._profiles[0].batch):
            cores = path[slice(*stage.cores)]
            found += [
                shortlist(one, self._chip, self._array, cores)[0]
                for one in self._profiles[slice(*stage.layers)]
            ]
        return found

    def _rate(self, origin: str, layers: Sequence[Placed]) -> Candidate:
        cost = estimate(self._profiles, layers, self._chip)
        candidate = Candidate(origin, tuple(layers), cost)
        self._rated.append((cost.score(self._chip.mapping.objective), len(self._rated), candidate))
        return candidate

    def _best(self) -> Candidate:
        return min(self._rated, key=lambda one: one[:2])[2]

    def _greedy(self) -> None:
        """Give each layer in turn the grid of its shortlist that helps the whole most."""
        for index, grids in enumerate(self._lists):
            layers = self._best().layers
            for placed in grids:
                if len(self._rated) >= self._chip.mapping.search_steps:
                    return
                if placed[0] != layers[index][0]:
                    self._rate("greedy", _with(layers, index, placed))

    def _local(self, draw: random.Random) -> None:
        while len(self._rated) < self._chip.mapping.search_steps:
            layers = self._best().layers
            index = draw.randrange(len(layers))
            grid = self._move(layers[index][0], index, draw)
            load = load_of(self._profiles[index], grid, self._chip, self._array)
            self._rate("local", _with(layers, index, (grid, load)))

    def _move(self, grid: Grid, index: int, draw: random.Random) -> Grid:
        """Another grid of the layer, its cores shifted, or two cores swapped."""
        kind = draw.randrange(3)
        if kind == 0:
            return draw.choice(self._lists[index])[0]
        if kind == 1:
            shift = draw.randrange(self._chip.cores)
            return replace(grid, cores=tuple((c + shift) % self._chip.cores for c in grid.cores))
        a, b = draw.randrange(self._chip.cores), draw.randrange(self._chip.cores)
        swapped = {a: b, b: a}
        return replace(grid, cores=tuple(swapped.get(core, core) for core in grid.cores))


def _with(layers: tuple[Placed, ...], index: int, placed: Placed) -> list[Placed]:
    return [*layers[:index], placed, *layers[index + 1 :]]


def snake(chip: ChipConfig) -> list[int]:
    """The cores in an order in which each is next to the one before: rows to and fro."""
    columns = chip.mesh.columns
    return sorted(
        range(chip.cores),
        key=lambda core: (core // columns, core if core // columns % 2 == 0 else -core),
    )

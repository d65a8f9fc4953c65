"""Tiles as columns: what several laws look at of every tile, gathered once for all of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, pairwise
from operator import attrgetter

import numpy as np

from tlm.laws.runs import Runs, runs_of
from tlm.space.array_types import Bools, Ints
from tlm.space.phase import ENGINE_OF_PHASE, Phase
from tlm.space.program import Program
from tlm.space.tile import Extent, Message, Tile

Places = Mapping[tuple[int, int], Sequence[Extent]]  # by number of the engine and layer

_SPANS: dict[str, Callable[[Tile], int]] = {
    "first_row": lambda tile: tile.rows[0],
    "end_row": lambda tile: tile.rows[1],
}


class TileTable:
    """All tiles of a program, a row each, core by core and engine by engine.

    ``table["covers"]`` is the column of one of a tile's numbers, gathered when it is first asked
    for; ``engine``, the number of its engine in ``engines`` (core, name), ``first_row`` and
    ``end_row`` are columns as well. Tensors in DRAM begin at ``starts``.
    """

    def __init__(self, program: Program, starts: Sequence[int]) -> None:
        self.program = program
        self.starts = starts
        self.tiles = list(program.all_tiles())
        cores = enumerate(program.tiles)
        self.engines = [(core, name) for core, engines in cores for name in engines]
        counts = [len(tiles) for engines in program.tiles for tiles in engines.values()]
        self.ends: Ints = np.cumsum([0, *counts])  # where an engine ends and the next begins
        self._columns: dict[str, Ints] = {"engine": np.repeat(np.arange(len(counts)), counts)}

    def __getitem__(self, name: str) -> Ints:
        if name not in self._columns:
            numbers = map(_SPANS.get(name) or attrgetter(name), self.tiles)
            self._columns[name] = np.fromiter(numbers, np.int64, len(self.tiles))
        return self._columns[name]

    @cached_property
    def works(self) -> Bools:
        """Which tiles work on any (sample, step)."""
        works = (self["samples"] > 0) & (self["steps"] > 0)
        skips = np.fromiter(map(attrgetter("skipped"), self.tiles), np.bool_, len(self.tiles))
        for row in np.flatnonzero(works & skips).tolist():
            works[row] = any(True for _ in self.tiles[row].pairs())
        return works

    @cached_property
    def reads(self) -> Runs:
        """What the tiles read from DRAM."""
        return runs_of(map(attrgetter("reads"), self.tiles), self.starts)

    @cached_property
    def writes(self) -> Runs:
        """What the tiles write to DRAM."""
        return runs_of(map(attrgetter("writes"), self.tiles), self.starts)

    @property
    def messages(self) -> Iterator[Message]:
        """The messages of all tiles."""
        return chain.from_iterable(map(attrgetter("messages"), self.tiles))

    def of(self, phases: Collection[int], engines: Collection[str] = ()) -> Bools:
        """Which tiles are of some phases, on some kinds of engines or on any."""
        chosen = np.isin(self["phase"], list(phases))
        if engines:
            chosen &= np.array([name in engines for _, name in self.engines])[self["engine"]]
        return chosen

    def span(self, core: int, engine_name: str) -> tuple[int, int]:
        """The row of an engine's first tile, and one past its last."""
        first, end = self.ends[self.engines.index((core, engine_name)) :][:2].tolist()
        return first, end

    def select(self, core: int, phase: Phase, layer: int) -> list[Tile]:
        """The tiles of a phase of a layer on a core, in order."""
        first, end = self.span(core, ENGINE_OF_PHASE[phase])
        chosen = (self["phase"][first:end] == phase) & (self["layer"][first:end] == layer)
        return [self.tiles[first + at] for at in np.flatnonzero(chosen).tolist()]

    def groups(self, chosen: Bools, *names: str) -> dict[tuple[int, ...], Ints]:
        """The rows of the chosen tiles, in order, by what they agree in: values in some columns."""
        rows = np.flatnonzero(chosen)
        columns = [self[name][rows] for name in names]
        changes = np.zeros(len(rows), np.bool_)
        for column in columns:
            changes |= np.diff(column, prepend=-2) != 0
        starts = np.flatnonzero(changes)
        keys = zip(*(column[starts].tolist() for column in columns), strict=True)
        stretches: dict[tuple[int, ...], list[Ints]] = {}
        for key, (first, end) in zip(keys, pairwise([*starts.tolist(), len(rows)]), strict=True):
            stretches.setdefault(key, []).append(rows[first:end])
        return {key: np.concatenate(some) for key, some in stretches.items()}

    def reads_of(self, chosen: Bools, places: Places) -> Runs:
        """What the chosen tiles read of the places, whole tensors, of their engine and layer."""
        layers = 1 + max((layer for _, layer in places), default=0)
        ends = np.zeros((len(self.engines), layers, len(self.starts)), np.int64)
        for (engine, layer), extents in places.items():
            for first, nbytes in extents:
                at = engine, layer, bisect_right(self.starts, first) - 1  # no empty one before it
                ends[at] = max(ends[at], first + nbytes)
        asked = (chosen & (self["layer"] < layers))[self.reads.tile] & (self.reads.tensor >= 0)
        reads = self.reads.take(asked)
        engine_of, layer_of = self["engine"][reads.tile], self["layer"][reads.tile]
        return reads.take(reads.first < ends[engine_of, layer_of, reads.tensor])

    def fetched(self, phase: Phase) -> dict[tuple[int, int, int], int]:
        """Bytes that a phase reads, by number of the engine, layer and number of the tensor."""
        reads = self.reads.take(self.of([phase])[self.reads.tile])
        keys = (self["engine"][reads.tile], self["layer"][reads.tile], reads.tensor)
        distinct, numbers = np.unique(np.stack(keys), axis=1, return_inverse=True)
        nbytes = np.bincount(numbers.ravel(), reads.nbytes, distinct.shape[1]).astype(np.int64)
        return dict(zip(zip(*distinct.tolist(), strict=True), nbytes.tolist(), strict=True))

    def read_nbytes(self, chosen: Bools, places: Places) -> Ints:
        """The bytes of these reads for every tile."""
        reads = self.reads_of(chosen, places)
        return np.bincount(reads.tile, reads.nbytes, len(self.tiles)).astype(np.int64)

    def places(self, by_layer: Sequence[Sequence[Extent]]) -> Places:
        """Places that are the same for all engines."""
        engines = range(len(self.engines))
        return {(number, layer): at for layer, at in enumerate(by_layer) for number in engines}

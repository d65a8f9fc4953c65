"""DRAM contents: all that must be moved is moved, and nothing is read before it is there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tlm.laws.check import Check
from tlm.space.program import Program
from tlm.space.tile import Extent, Tile

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Runs:
    """All runs of one direction: first byte, one past the last, number of the tile."""

    first: Ints
    end: Ints
    tile: Ints

    def of(self, chosen: npt.NDArray[np.bool_] | Ints) -> Runs:
        """Some of them, or all in another order."""
        return Runs(self.first[chosen], self.end[chosen], self.tile[chosen])


def stored(program: Program) -> Iterator[Check]:
    """Every tensor is written and read as much as its layer asks, whole, and in that order."""
    if not program.stored:
        return
    tiles = [tile for core in program.tiles for mine in core.values() for tile in mine]
    reads, writes = _runs([tile.reads for tile in tiles]), _runs([tile.writes for tile in tiles])
    starts = np.array([one.at[0] for one in program.stored], np.int64)
    wrong = [*_moved(program, starts, reads, writes)]
    yield Check("tensors moved whole", not wrong, f"{wrong[:3]}")
    made = np.array([not one.given for one in program.stored])
    reads, writes = (one.of(made[_tensor(starts, one)]) for one in (reads, writes))
    bounds = np.cumsum([0, *(len(mine) for core in program.tiles for mine in core.values())])
    early = _too_early(tiles, bounds, reads, writes.of(np.argsort(writes.first, kind="stable")))
    names = [program.stored[index].name for index in np.unique(_tensor(starts, reads.of(early)))]
    yield Check("read after it was written", not names, f"{names[:3]}")


def _runs(by_tile: list[tuple[Extent, ...]]) -> Runs:
    flat = [number for runs in by_tile for run in runs for number in run]
    pairs = np.array(flat, np.int64).reshape(-1, 2)
    tile = np.repeat(np.arange(len(by_tile)), [len(runs) for runs in by_tile])
    return Runs(pairs[:, 0], pairs.sum(axis=1), tile)


def _tensor(starts: Ints, runs: Runs) -> Ints:
    """The index of the tensor that each run lies in."""
    return np.searchsorted(starts, runs.first, side="right") - 1


def _moved(program: Program, starts: Ints, reads: Runs, writes: Runs) -> Iterator[str]:
    ends = np.array([sum(one.at) for one in program.stored], np.int64)
    totals = []
    for runs in (reads, writes):
        at = _tensor(starts, runs)
        if (runs.end > ends[at]).any() or (at < 0).any():
            yield "a run leaves its tensor"
        totals.append(np.bincount(at, runs.end - runs.first, minlength=len(starts)))
    for one, read, written in zip(program.stored, *totals, strict=True):
        wrong = read < one.read or written < one.written
        if wrong or (one.once and written > one.written) or (one.through and read != written):
            due = f"due {one.written} B and {one.read} B"
            yield f"{one.name}: written {written:.0f} B, read {read:.0f} B, {due}"


def _too_early(tiles: list[Tile], bounds: Ints, reads: Runs, writes: Runs) -> Ints:
    """Reads of what nobody has written, or whose tile does not wait for who has.

    Of several writes by the reader's own engine, the last one before it counts.
    """
    reach = np.maximum.accumulate(writes.end) if len(writes.end) else writes.end
    low = np.searchsorted(reach, reads.first, side="right")
    high = np.searchsorted(writes.first, reads.end, side="left")
    counts = np.maximum(0, high - low)
    reader = np.repeat(np.arange(len(counts)), counts)
    writer = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts - low, counts)
    meets = writes.end[writer] > reads.first[reader]
    reader, writer = reader[meets], writer[meets]
    shared = np.minimum(writes.end[writer], reads.end[reader])
    shared -= np.maximum(writes.first[writer], reads.first[reader])
    covered = np.bincount(reader, shared, minlength=len(counts))
    readers, writers = reads.tile[reader], writes.tile[writer]
    own = np.searchsorted(bounds, readers, "right") == np.searchsorted(bounds, writers, "right")
    last = np.full(len(counts), -1)
    np.maximum.at(last, reader[own & (writers < readers)], writers[own & (writers < readers)])
    counts_for = ~own | (writers == last[reader])
    heard = _heard(tiles, readers, writers)
    late = np.bincount(reader[counts_for & ~heard], minlength=len(counts)) > 0
    return np.flatnonzero((covered < reads.end - reads.first) | late)


def _heard(tiles: list[Tile], readers: Ints, writers: Ints) -> npt.NDArray[np.bool_]:
    """For pairs of tiles, whether the reader waits for a completion that the writer saves."""
    if not len(readers):
        return np.zeros(0, np.bool_)
    needs, need_of = _numbered([tile.read_needs for tile in tiles])
    saves, save_of = _numbered([tile.saves for tile in tiles])
    code = need_of[readers] * len(saves) + save_of[writers]
    kinds, of = np.unique(code, return_inverse=True)
    waits = [not needs[one // len(saves)].isdisjoint(saves[one % len(saves)]) for one in kinds]
    return np.array(waits)[of]


def _numbered(idents: list[tuple[int, ...]]) -> tuple[list[frozenset[int]], Ints]:
    """The different tuples as sets, and which of them each one is."""
    numbers: dict[tuple[int, ...], int] = {}
    of = [numbers.setdefault(one, len(numbers)) for one in idents]
    return [frozenset(one) for one in numbers], np.array(of, np.int64)

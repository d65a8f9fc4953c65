"""DRAM contents: all that must be moved is moved, and nothing is read before it is there.

All runs of all tiles are looked at together, as arrays: a program has millions of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tlm.laws.check import Check
from tlm.laws.due import Due
from tlm.laws.runs import Runs
from tlm.laws.tile_table import TileTable
from tlm.space.array_types import Bools, Ints
from tlm.space.tile import Tile


def dram_contents(table: TileTable, due: Due) -> Iterator[Check]:
    """Every tensor is written and read as much as its layer asks, whole, and in that order."""
    reads, writes = table.reads, table.writes
    wrong = [*_amounts(due, reads, writes)]
    yield Check("tensors moved whole", not wrong, f"{wrong[:3]}")
    # What is there from the start may be read at any time.
    written = np.array([not tensor.initial for tensor in due.tensors])
    reads, writes = (runs.take(written[runs.tensor]) for runs in (reads, writes))
    writes = writes.take(np.argsort(writes.first, kind="stable"))
    early = _too_early(table, reads, writes)
    indices = set(reads.tensor[early].tolist())
    names = [due.tensors[index].name for index in sorted(indices)]
    yield Check("read after it was written", not names, f"{names[:3]}")


def _amounts(due: Due, reads: Runs, writes: Runs) -> Iterator[str]:
    """What is wrong with the bytes read and written of each tensor."""
    ends = np.array([sum(tensor.at) for tensor in due.tensors], np.int64)
    totals = []
    for runs in (reads, writes):
        at = runs.tensor
        if (runs.end > ends[at]).any() or (at < 0).any():
            yield "a run leaves its tensor"
        totals.append(np.bincount(at, runs.nbytes, len(ends)))
    for number, (tensor, read, written) in enumerate(zip(due.tensors, *totals, strict=True)):
        if tensor.apart and tensor.read:
            read = reads.take(reads.tensor == number).distinct_nbytes()
        short = read < tensor.read or written < tensor.written
        excess = tensor.exact_writes and written > tensor.written
        excess |= tensor.exact_reads and read > tensor.read
        if short or excess or (tensor.balanced and read != written):
            least = f"due {tensor.written} B and {tensor.read} B"
            yield f"{tensor.name}: written {written:.0f} B, read {read:.0f} B, {least}"


def _too_early(table: TileTable, reads: Runs, writes: Runs) -> Ints:
    """Reads of bytes that no tile writes, or whose tile does not wait for the tile that writes.

    ``writes`` are in the order of their first bytes. Of several writes by the reader's engine, the
    last one before the read counts.
    """
    reader, writer = _meetings(reads, writes)
    shared = np.minimum(writes.end[writer], reads.end[reader])
    shared -= np.maximum(writes.first[writer], reads.first[reader])
    covered = np.bincount(reader, shared, minlength=len(reads.first))
    readers, writers = reads.tile[reader], writes.tile[writer]
    same = table["engine"][readers] == table["engine"][writers]
    before = same & (writers < readers)
    last = np.full(len(reads.first), -1)
    np.maximum.at(last, reader[before], writers[before])
    counts = ~same | (writers == last[reader])
    ignored = counts & ~_waits(table.tiles, readers, writers)
    late = np.bincount(reader[ignored], minlength=len(reads.first)) > 0
    return np.flatnonzero((covered < reads.nbytes) | late)


def _meetings(reads: Runs, writes: Runs) -> tuple[Ints, Ints]:
    """Indices of all pairs of a read and a write that share a byte."""
    reach = np.maximum.accumulate(writes.end) if len(writes.end) else writes.end
    low = np.searchsorted(reach, reads.first, side="right")
    high = np.searchsorted(writes.first, reads.end, side="left")
    counts = np.maximum(0, high - low)
    reader = np.repeat(np.arange(len(counts)), counts)
    writer = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts - low, counts)
    meets = writes.end[writer] > reads.first[reader]
    return reader[meets], writer[meets]


def _waits(tiles: list[Tile], readers: Ints, writers: Ints) -> Bools:
    """For pairs of tiles, whether the reader waits for a completion that the writer saves."""
    if not len(readers):
        return np.zeros(0, np.bool_)
    needs, need_of = _numbered(tiles, readers, "read_needs")
    saves, save_of = _numbered(tiles, writers, "saves")
    code = need_of[readers] * len(saves) + save_of[writers]
    order = np.argsort(code, kind="stable")
    fresh = np.diff(code[order], prepend=-1) > 0
    pairs = (divmod(kind, len(saves)) for kind in code[order[fresh]].tolist())
    waits = np.array([not needs[need].isdisjoint(saves[save]) for need, save in pairs])
    waiting = np.empty(len(code), np.bool_)
    waiting[order] = waits[fresh.cumsum() - 1]
    return waiting


def _numbered(tiles: list[Tile], rows: Ints, name: str) -> tuple[list[frozenset[int]], Ints]:
    """Completions of some tiles as sets, each once, and by row the number of a tile's set."""
    looked_at = np.zeros(len(tiles), np.bool_)
    looked_at[rows] = True
    tuples = [getattr(tiles[row], name) for row in np.flatnonzero(looked_at).tolist()]
    numbers = {idents: number for number, idents in enumerate(dict.fromkeys(tuples))}
    number_of = np.zeros(len(tiles), np.int64)
    number_of[looked_at] = [numbers[idents] for idents in tuples]
    return [frozenset(idents) for idents in numbers], number_of

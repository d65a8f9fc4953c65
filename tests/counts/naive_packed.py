"""One multiply-accumulate at a time past tiles of stored weights: the oracle of a packed walk.

Tables are as large as those that the encoders of :mod:`tlm.synapses` really pack; cycles of a load
are written down anew from the rules.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from tests.counts.naive_array import chunks
from tlm.synapses.matrix import SynapseMatrix
from tlm.synapses.organisation import named

WIDTH = 16


def up(count, size):
    """A quotient, rounded up."""
    return -(-count // size)


def index_words(organisation, tile, engine):
    """Words beside the weights of a tile [input, output] that an engine reads."""
    encoded = named(organisation).encode(SynapseMatrix(tile.astype(np.int64), WIDTH))
    bits = {table.name: table.bits for table in encoded.tables}
    reverse = {name: size for name, size in bits.items() if name.startswith("reverse")}
    if engine == "bp" and reverse:
        return up(sum(reverse.values()), WIDTH)
    stored = places(organisation, tile).sum() * WIDTH
    return up(sum(bits.values()) - sum(reverse.values()) - int(stored), WIDTH)


def places(organisation, tile):
    """Stored weights of a tile [input, output]: in N:M also zeros that fill a group."""
    taken = tile.copy()
    if ":" not in organisation:
        return taken
    kept, group = map(int, organisation.split(":"))
    for first in range(0, len(tile), group):
        for column in range(tile.shape[1]):
            for row in range(first, min(first + group, len(tile))):
                if taken[first : first + group, column].sum() < kept:
                    taken[row, column] = True
    return taken


def load_cycles(organisation, tile, engine, port):
    """Cycles of a tile [input, output] on its way into an array, ``port`` words of table a cycle.

    One weight that is looked up by itself takes one.
    """
    inputs, outputs = tile.shape
    table = up(index_words(organisation, tile, engine), port)
    if ":" in organisation:
        kept, group = map(int, organisation.split(":"))
        return table + (outputs if engine == "bp" else kept * up(inputs, group))
    if organisation == "pb-bmp" and engine != "bp":
        return table + sum(bool(row.any()) for row in tile)
    return table + int(tile.sum())


def walk(problem, chip, organisation, weights):
    """What a packed walk counts; ``weights`` [output, input of its group, tap] are not zero."""
    total = Counter()
    for seconds in chunks(problem.seconds, chip["cols"]):
        reached = set()
        for firsts in chunks(problem.firsts, chip["rows"]):
            for tap in problem.taps:
                place = (firsts, seconds, tap)
                _tile(problem, chip, (organisation, weights), place, total, reached)
    return total


def _tile(problem, chip, weights, place, total, reached):
    """Add what a tile comes to; ``reached`` are positions that have a sum of its outputs."""
    organisation, nonzero = weights
    firsts, seconds, tap = place
    scanned, engine = len(problem.positions), problem.engine
    total["slots"] += scanned + problem.dead
    total["dense"] += (scanned + problem.dead) * len(firsts) * len(seconds)
    outputs, inputs = (firsts, seconds) if engine == "bp" else (seconds, firsts)
    depth = nonzero.shape[1]
    tile = np.array([[nonzero[k, c % depth, tap] for k in outputs] for c in inputs])
    stored = places(organisation, tile)
    if not stored.any() or not scanned:
        return
    cells = stored.T if engine == "bp" else stored  # [first, second]
    executed = 0
    for p in problem.positions:
        rows = [problem.seen[0](p, f, tap) for f in firsts]
        columns = [problem.seen[1](p, s) for s in seconds]
        met = any(row and cells[i].any() for i, row in enumerate(rows)) and any(
            column and cells[:, j].any() for j, column in enumerate(columns)
        )
        if met or chip["mode"] == "dense":
            executed += 1
            if p not in reached and engine != "wg":  # the first sum of a position is not read
                total["fresh"] += len(seconds)
                total["weightless"] += sum(not column.any() for column in cells.T)
                total["sum_reads"] -= len(seconds)
            reached.add(p)
        total["useful"] += sum(
            bool(cells[i, j]) and problem.real[0](p, f, tap) and problem.real[1](p, s)
            for i, f in enumerate(firsts)
            for j, s in enumerate(seconds)
        )
    words, n = index_words(organisation, tile, engine), int(stored.sum())
    total["cycles"] += load_cycles(organisation, tile if ":" in organisation else stored, engine,
                                   chip["cols"])  # fmt: skip
    fewest = up(scanned, chip["scan"]) if chip["mode"] == "vector" else 0
    total["cycles"] += max(executed * chip["slot_cycles"], fewest)
    total["scanned"] += scanned
    total["executed"] += executed
    total["macs"] += executed * n
    total["row_words"] += executed * len(firsts)
    streamed = executed * len(seconds)
    total["other_words"] += streamed if engine == "wg" else n + words
    total["sum_reads"] += n + words if engine == "wg" else streamed
    total["sum_writes"] += n if engine == "wg" else streamed

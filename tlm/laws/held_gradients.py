"""Held gradients: dM, that of what a matmul has in the place of weights, is made pair by pair.

Its sums stay in the accumulators over all rows of a (sample, step) pair, as many as fit there, and
leave with the last; gradient units read all of it that returns to their outputs.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter

import numpy as np

from tlm.laws.check import Check
from tlm.laws.due import Due
from tlm.laws.due.facts import Facts, LayerFacts, TensorPlace
from tlm.laws.due.operands import held_matrix
from tlm.laws.due.rows import owned
from tlm.laws.tile_table import TileTable
from tlm.space.phase import Phase
from tlm.space.region import length

BYTE = 8


def held_gradients(table: TileTable, due: Due) -> Iterator[Check]:
    """Of a job that trains a matmul; of others nothing is looked at."""
    job = due.job
    if job.learns and any(facts.layer.held is not None for facts in job.layers):
        wrong = [*_too_many(table, job), *_left_early(table, job), *_unread(table, job)]
        yield Check("gradients of held operands", not wrong, f"{wrong[:3]}")


def _too_many(table: TileTable, job: Facts) -> Iterator[str]:
    """Sums of dM that do not fit: of a tile, or of all outputs of a pass over several rows."""
    room = job.chip.core.memory.accumulators
    for facts in job.layers:
        for part in facts.slices if facts.layer.held is not None else ():
            tiles, every = table.select(part.core, Phase.WG, facts.index), facts.product_rows(part)
            for (rows, *_), block in groupby(tiles, attrgetter("rows", "step", "sample")):
                plane = length(rows) * facts.layer.product_shape[2]
                sums = [tile.covers // plane for tile in block]
                count = max(sums) if range(*rows) == every else sum(sums)
                if (bits := count * job.chip.precision.partial_sum) > room:
                    yield f"core{part.core:02d} sums {bits} bit of {room} bit in rows {rows}"


def _left_early(table: TileTable, job: Facts) -> Iterator[str]:
    """Tiles of WG that write dM before the last rows of their pair are in it."""
    for facts, place in _gradients(job):
        first, end = place.at[0], sum(place.at)
        for part in facts.slices:
            rows = facts.product_rows(part)
            for tile in table.select(part.core, Phase.WG, facts.index):
                left = any(first <= at < end for at, _ in tile.writes)
                if left and tile.rows[1] != rows.stop:
                    yield f"{place.name} leaves core{part.core:02d} with rows {tile.rows}"


def _gradients(job: Facts) -> Iterator[tuple[LayerFacts, TensorPlace]]:
    """Every dM of every matmul: one a row cut."""
    for facts in job.layers:
        yield from ((facts, place) for place in facts.tensors if place.key.startswith("dM"))


def _unread(table: TileTable, job: Facts) -> Iterator[str]:
    """Cores that do not read all dM that matmuls return to their outputs."""
    fetched = table.fetched(Phase.GRAD)
    for reader, place in _gradients(job):
        for producer in job.among(reader.producers):
            for part in producer.slices:
                own = owned(producer.layer, part)
                returned = held_matrix(reader.layer, job.workload.layers, producer.index, own)
                live = np.count_nonzero(reader.live[:, slice(*part.neurons.samples)])
                number = table.engines.index((part.core, "bp"))
                tensor = bisect_right(table.starts, place.at[0]) - 1
                nbytes = fetched.get((number, producer.index, tensor), 0)
                if BYTE * nbytes < int(returned.sum()) * live * place.bits:
                    name = f"{producer.layer.name} on core{part.core:02d}"
                    yield f"{name}: {nbytes} B of {place.name}"

"""Input windows: rows that FP keeps from one tile to the next fit the room they have.

That is half of the spike memory, or what a pool lends FP of the layer. A block whose inputs do not
fit there has kept nothing: every panel of its outputs fetches them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from tlm.laws.check import Check
from tlm.laws.due import Due
from tlm.laws.due.facts import Facts, LayerFacts
from tlm.laws.due.rows import kernel_rows
from tlm.laws.tallies import layer_name
from tlm.laws.tile_table import TileTable
from tlm.space.phase import Phase
from tlm.space.tile import Extent, Tile

HALVES = 2
NETWORK_INPUT = "X"
KEY = ("engine", "phase", "layer")


def input_windows(table: TileTable, due: Due) -> Iterator[Check]:
    """What is fetched is at least what does not fit, once for every panel."""
    job, least = due.job, Counter[tuple[int, ...]]()
    arrived = np.array([facts.inputs_sent for facts in job.layers])[table["layer"]]
    fetches = table.of([Phase.FP, Phase.RECOMPUTE], ["fp"])
    fetches &= ~(arrived & table.of([Phase.FP]))
    fetched = table.read_nbytes(fetches, table.places([_sources(job, f) for f in job.layers]))
    panels = fetches & (table["covers"] > 0)
    for key, rows in table.groups(panels, *KEY, "first_row", "end_row", "samples", "steps").items():
        tile = table.tiles[rows[0]]  # which stands for all that are alike
        least[key[: len(KEY)]] += len(rows) * _unkept_bits(job, job.layers[tile.layer], tile)
    wrong = []
    for key, rows in table.groups(fetches, *KEY).items():
        nbytes = int(fetched[rows].sum())
        if 8 * nbytes < least[key]:
            tile, (core, _) = table.tiles[rows[0]], table.engines[key[0]]
            name = layer_name(tile.phase, tile.layer)
            wrong.append(f"{name} on core{core:02d}: {nbytes} B fetched")
    yield Check("rows of inputs in their memory", not wrong, f"{wrong[:3]}")


def _sources(job: Facts, facts: LayerFacts) -> list[Extent]:
    """Where in DRAM the inputs of a layer lie."""
    if not facts.producers:
        return [place.at for place in job.tensors if place.name == NETWORK_INPUT]
    return [
        place.at
        for producer in job.among(facts.producers)
        for place in producer.tensors
        if place.key == "spikes"
    ]


def _unkept_bits(job: Facts, facts: LayerFacts, tile: Tile) -> int:
    """The least bits of a panel's inputs in DRAM, if what its block reads does not fit."""
    rows, layer = kernel_rows(facts.layer, range(*tile.rows)), facts.layer
    between = max(rows) - min(rows) + 1 if rows else 0
    steps = min(tile.steps, job.input_steps(facts))
    elements = layer.in_shape[0] * between * layer.in_shape[2] * tile.samples * steps
    held = elements * facts.input_bits
    memory = job.chip.core.memory
    lent = memory.sharing == "pool" and tile.phase == Phase.FP
    room = facts.input_room if lent else memory.spikes // HALVES
    return elements if held > room else 0

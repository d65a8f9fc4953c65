"""Alternation: dY of no more samples than there is room for is in a core at a time.

The gradient unit puts dY of a sample where BP and WG read it; it waits until WG has let go of what
lay there before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tlm.laws.check import Check
from tlm.laws.due import Due
from tlm.laws.due.facts import Facts, LayerFacts
from tlm.laws.due.rows import kernel_rows
from tlm.laws.tile_table import TileTable
from tlm.space.phase import BATCH
from tlm.space.region import Slice
from tlm.space.tile import Tile

HALVES = 2  # of a memory that is filled and read in turn
RELEASE = "dY used"
LayerSample = tuple[int, int]  # layer, sample


def dY_of_sample(job: Facts, facts: LayerFacts, part: Slice) -> int:
    """Bits of dY of a sample in the core of a slice.

    It has dY of its own rows, and of those whose windows reach its rows of the input.
    """
    layer = facts.layer
    rows, inputs = set(facts.product_rows(part)), set(range(*part.input_rows))
    if facts.producers and inputs:
        height = layer.product_shape[1]
        rows |= {y for y in range(height) if not inputs.isdisjoint(kernel_rows(layer, [y]))}
    values = len(range(*part.neurons.channels)) * len(rows) * layer.product_shape[2]
    return values * job.workload.steps * job.chip.precision.gradient


def dY_room(job: Facts, facts: LayerFacts) -> int:
    """Bits of a core that dY of a layer may take: its memory, or in a pool two of any samples."""
    memory = job.chip.core.memory
    largest = max(dY_of_sample(job, facts, part) for part in facts.slices)
    exceeds = memory.sharing == "pool" and largest > memory.gradients
    return HALVES * largest if exceeds else memory.gradients


def alternation(table: TileTable, due: Due) -> Iterator[Check]:
    """All dY of samples that a core has begun and WG has not let go of, together."""
    job, labels, wrong = due.job, table.program.completions.labels, list[str]()
    rooms = {facts.index: dY_room(job, facts) for facts in job.layers if facts.dY_sent}
    makes = np.array([facts.dY_phase for facts in job.layers])[table["layer"]] == table["phase"]
    makes &= table["sample"] != BATCH
    for core, engines in enumerate(table.program.tiles):
        sizes = {
            facts.index: dY_of_sample(job, facts, part)
            for facts in job.layers
            for part in facts.slices
            if part.core == core and facts.dY_sent
        }
        released = _released(labels, [tile for tile in engines["wg"] if tile.layer in sizes])
        first, end = table.span(core, "bp")
        makers = [table.tiles[first + at] for at in np.flatnonzero(makes[first:end]).tolist()]
        makers = [tile for tile in makers if tile.layer in sizes]
        for layer, bits, room in _present(makers, released, sizes, rooms):
            if bits > room:
                wrong.append(f"core{core:02d} layer {layer}: {bits} bit in room of {room} bit")
    yield Check("dY of samples finds room", not wrong, f"{wrong[:3]}")


def _released(labels: Sequence[str], tiles: Sequence[Tile]) -> dict[int, LayerSample]:
    """The last sample that WG has let go of, by the completion that says so."""
    return {
        ident: (tile.layer, tile.sample + tile.samples - 1)
        for tile in tiles
        for ident in tile.signals
        if labels[ident].startswith(RELEASE)
    }


def _present(
    makers: Sequence[Tile],
    released: dict[int, LayerSample],
    sizes: dict[int, int],
    rooms: dict[int, int],
) -> Iterator[tuple[int, int, int]]:
    """(Layer, bits of dY that are there with it, room for them) for each tile that makes dY."""
    present: dict[LayerSample, int] = {}
    for tile in makers:
        for last in (released[ident] for ident in tile.needs if ident in released):
            while last in present:
                present.pop(next(iter(present)))
        for sample in range(tile.sample, tile.sample + tile.samples):
            present.setdefault((tile.layer, sample), sizes[tile.layer])
        yield tile.layer, sum(present.values()), max(rooms[layer] for layer, _ in present)

"""Input windows: rows that FP keeps from one tile to the next fit the room they have.

That is half of the spike memory, or what a pool lends FP of the layer. A block whose inputs do not
fit there has kept nothing: every panel of its outputs fetches them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tlm.laws.check import Check
from tlm.laws.due import Due
from tlm.laws.due.facts import Facts, LayerFacts
from tlm.laws.due.rows import kernel_rows
from tlm.laws.tallies import layer_name
from tlm.space.phase import Phase
from tlm.space.program import Program
from tlm.space.tile import Extent, Tile

HALVES = 2
NETWORK_INPUT = "X"


def input_windows(program: Program, due: Due) -> Iterator[Check]:
    """What is fetched is at least what does not fit, once for every panel."""
    job, least, fetched = due.job, Counter[tuple[int, Phase, int]](), Counter[object]()
    places = [_sources(job, facts) for facts in job.layers]
    for core, engines in enumerate(program.tiles):
        for tile in engines["fp"]:
            facts = job.layers[tile.layer]
            arrived = tile.phase == Phase.FP and facts.inputs_sent
            if arrived or tile.phase not in (Phase.FP, Phase.RECOMPUTE):
                continue
            key = core, tile.phase, tile.layer
            fetched[key] += sum(
                nbytes
                for start, nbytes in tile.reads
                if any(a <= start < a + size for a, size in places[tile.layer])
            )
            if tile.covers:
                least[key] += _unkept_bits(job, facts, tile)
    wrong = [
        f"{layer_name(phase, layer)} on core{core:02d}: {fetched[core, phase, layer]} B fetched"
        for (core, phase, layer), bits in least.items()
        if 8 * fetched[core, phase, layer] < bits
    ]
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

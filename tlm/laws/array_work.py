"""Array work: slots, cycles and words of some tiles follow from the masks, position by position.

Of every phase of every layer two blocks of one slice are counted anew: the one with most slots left
after skipping, and the last. Weights have to be held in the array; of other dataflows a tile's
cycles are held against its slots.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tlm.laws.check import Check
from tlm.laws.due import Due
from tlm.laws.due.facts import Facts
from tlm.laws.due.nest_charges import nest_charges
from tlm.laws.due.nest_counts import nest_count, panels
from tlm.laws.due.nests import Nest
from tlm.laws.due.stored import INDEX
from tlm.laws.samples import FORWARD, Sample
from tlm.laws.tallies import layer_name
from tlm.space.phase import Phase
from tlm.space.region import length
from tlm.space.rounding import ceil_div
from tlm.space.tile import Tile
from tlm.workload.glm.neuron import GLMNeuron

BYTE = 8


def array_work(blocks: Sequence[Sample], due: Due) -> Iterator[Check]:
    """Tiles of a block together do what its nest asks for, in the cycles that this takes."""
    wrong = list[str]()
    for nest, tiles in (each for each in blocks if each[0].facts.layer.multiplies):
        name = layer_name(nest.phase, nest.facts.index)
        wrong += [f"{name}: {fault}" for fault in _faults(due.job, nest, tiles)]
    yield Check("array work by position", not wrong, f"{len(blocks)} blocks looked at; {wrong[:3]}")


def _faults(job: Facts, nest: Nest, tiles: list[Tile]) -> Iterator[str]:
    """What differs between some tiles and their nest."""
    done = {"cycles": sum(tile.cycles for tile in tiles)}
    for name in ("slots", "executed", "dense", "useful"):
        done[name] = sum(getattr(tile.work, name) for tile in tiles)
    yield from _too_fast(job, nest, tiles)
    if nest.engine(job).dataflow != "weight":
        return
    count = nest_count(job, nest)
    due = {"slots": count.slots, "executed": count.executed, "dense": count.dense}
    due |= {"useful": count.useful}
    due["cycles"] = count.cycles + _unit_cycles(job, nest, tiles, count.positions > 0)
    if nest.phase == Phase.WG and count.scanned:
        yield from _index_fault(job, nest, tiles)
    charges = nest_charges(job, nest, count, nest.facts.input_bits)
    if nest.phase in FORWARD:
        charges["fp.partial_read"] += _products(nest)
    for action in charges:
        done[action] = sum(tile.work.energy.get(action, 0) for tile in tiles)
    for name, number in (due | charges).items():
        if done[name] != number:
            yield f"{done[name]} {name}, {number} due"


def _index_fault(job: Facts, nest: Nest, tiles: list[Tile]) -> Iterator[str]:
    """WG reads what says which dW there are, once a block, unless it stays in the core."""
    facts, bits = nest.facts, job.chip.precision.weight
    if facts.stored is None or bits % BYTE:
        return
    [(first, nbytes)] = [place.at for place in facts.weights if place.key == f"W.{INDEX}"]
    runs = (run for tile in tiles for run in tile.reads if first <= run[0] < first + nbytes)
    words = facts.stored.beside(INDEX, nest.part.neurons.channels) * (not facts.W_stays)
    read = sum(size for _, size in runs)
    if read != words * bits // BYTE:
        yield f"{read} B of the index read, {words * bits // BYTE} B due"


def _too_fast(job: Facts, nest: Nest, tiles: list[Tile]) -> Iterator[str]:
    """Tiles whose slots and drains take more cycles than they have; any dataflow."""
    core, mode = job.chip.core, nest.engine(job).mode
    for tile in tiles:
        least = tile.work.executed if mode != "element" else 0
        if tile.covers and (nest.phase in FORWARD or tile.work.executed):
            least += core.pipeline_depth
        if tile.covers and nest.phase in FORWARD:
            least += ceil_div(tile.covers * tile.samples * tile.steps, core.unit_lanes)
        if tile.cycles < least:
            yield f"{tile.cycles} cycles, at least {least} due"


def _unit_cycles(job: Facts, nest: Nest, tiles: list[Tile], scanned: bool) -> int:
    """Every panel drains through the pipeline; in FP its sums then pass the lanes of the soma.

    So do panels without a stored weight. In WG a panel is a tile, also where the inputs are cut.
    """
    core = job.chip.core
    sizes = panels(job, nest) if nest.phase in FORWARD or scanned else []
    drains = len(tiles) if sizes and nest.phase == Phase.WG else len(sizes)
    cycles = drains * core.pipeline_depth
    if nest.phase in FORWARD:
        each, glm = _positions(nest), nest.facts.layer.neuron
        if isinstance(glm, GLMNeuron):  # the last sums go to the filters of all neurons
            neurons, sizes = nest.facts.layer.out_shape[0], sizes[:-1]
            taps = neurons * glm.functions * glm.taps
            cycles += each * (ceil_div(taps, core.unit_lanes) + neurons + 1)
        cycles += sum(ceil_div(each * channels, core.unit_lanes) for channels in sizes)
    return cycles


def _positions(nest: Nest) -> int:
    block = nest.block
    return length(block.samples) * length(block.steps) * length(block.rows) * nest.width


def _products(nest: Nest) -> int:
    """Sums of a block of FP that leave their buffer."""
    return _positions(nest) * length(nest.part.neurons.channels)

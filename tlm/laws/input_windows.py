"""Input windows: rows that FP keeps from one tile to the next fit the room they have.

That is half of the spike memory, or what a pool lends FP of the layer. A block whose inputs do not
fit there has kept nothing: every panel of its outputs fetches them. Whatever fits, FP and WG of a
core read all that it needs of every source at least once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from itertools import product

import numpy as np

from tlm.laws.check import Check
from tlm.laws.due import Due
from tlm.laws.due.facts import Facts, LayerFacts, TensorPlace
from tlm.laws.due.operands import flagged_rows
from tlm.laws.due.rows import kernel_rows, read_rows, returned_rows, windows_rows
from tlm.laws.tallies import layer_name
from tlm.laws.tile_table import TileTable
from tlm.laws.weight_fetches import multiplied
from tlm.space.array_types import Bools
from tlm.space.phase import Phase
from tlm.space.region import Slice
from tlm.space.tile import Extent, Tile
from tlm.workload.model import NETWORK_INPUT

HALVES = 2
KEY = ("engine", "phase", "layer")


def input_windows(table: TileTable, due: Due) -> Iterator[Check]:
    """What is fetched is at least what does not fit, once for every panel."""
    job, least = due.job, Counter[tuple[int, ...]]()
    arrived = np.array([facts.inputs_sent for facts in job.layers])[table["layer"]]
    fetches = table.of([Phase.FP, Phase.RECOMPUTE], ["fp"]) & multiplied(table, due)
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
    wrong += _unread(table, job)
    yield Check("rows of inputs in their memory", not wrong, f"{wrong[:3]}")


def _unread(table: TileTable, job: Facts) -> Iterator[str]:
    """FP, WG or BP of cores that do not read what they need of a source where it lies in DRAM.

    BP needs what is multiplied with others.
    """
    phases = ((Phase.FP, "fp"), (Phase.WG, "wg"), (Phase.BP, "bp"))
    for phase, engine in phases if job.learns else phases[:1]:
        fetched = table.fetched(phase)
        for facts in job.layers:
            read = [b.source for b in job.branches(facts) if b.gated or phase != Phase.BP]
            if phase == Phase.FP and facts.inputs_sent:  # by layers, not by the host
                read = [source for source in read if source == NETWORK_INPUT]
            for source, part in product(dict.fromkeys(read), facts.slices):
                (place,) = _places(job, source)
                number = table.engines.index((part.core, engine))
                tensor = bisect_right(table.starts, place.at[0]) - 1
                nbytes = fetched.get((number, facts.index, tensor), 0)
                if 8 * nbytes < _least_bits(job, facts, part, source, phase):
                    name = f"{layer_name(phase, facts.index)} on core{part.core:02d}"
                    yield f"{name}: {nbytes} B of {place.name}"


def _least_bits(job: Facts, facts: LayerFacts, part: Slice, source: int, phase: Phase) -> int:
    """Bits of a source that a phase of a slice needs: in WG and BP of pairs with any dY."""
    pairs = (job.running if phase == Phase.FP else facts.live)[:, slice(*part.neurons.samples)]
    shared = source == NETWORK_INPUT and job.workload.encoding == "direct"
    count = pairs.any(axis=0).sum() if shared else pairs.sum()
    (place,) = _places(job, source)
    read, height = job.branches(facts, source), job.operand_shape(facts)[1]
    rows = read_rows(facts, part, height)
    if phase == Phase.BP:
        read, rows = [b for b in read if b.gated], returned_rows(facts, part, height)
    needed = [b.needs(flagged_rows(b.behind, rows)) for b in read]
    return int(count) * int(np.logical_or.reduce(needed).sum()) * place.bits


def _distinct(job: Facts, facts: LayerFacts, rows: set[int]) -> int:
    """Elements of the sources that some rows of the input are made of, each once."""
    rows = windows_rows(facts.layer.input_pool, rows, job.operand_shape(facts)[1])
    if facts.layer.kind == "linear" or facts.layer.turned:
        rows = set(range(job.operand_shape(facts)[1]))
    needed: dict[int, list[Bools]] = {source: [] for source in facts.layer.sources}
    for branch in job.branches(facts):
        needed[branch.source].append(branch.needs(flagged_rows(branch.behind, rows)))
    return sum(int(np.logical_or.reduce(some).sum()) for some in needed.values())


def _sources(job: Facts, facts: LayerFacts) -> list[Extent]:
    """Where in DRAM the inputs of a layer lie."""
    return [place.at for source in facts.layer.sources for place in _places(job, source)]


def _places(job: Facts, source: int) -> list[TensorPlace]:
    """Where in DRAM what a source leaves lies: nowhere, if all who read it are sent it."""
    if source == NETWORK_INPUT:
        return [place for place in job.tensors if place.name == "X"]
    return [place for place in job.layers[source].tensors if place.key == "spikes"]


def _unkept_bits(job: Facts, facts: LayerFacts, tile: Tile) -> int:
    """The least bits of a panel's inputs in DRAM, if what its block reads does not fit."""
    layer = facts.layer
    rows = kernel_rows(layer, range(layer.in_shape[1]) if layer.turned else range(*tile.rows))
    between = max(rows) - min(rows) + 1 if rows else 0
    steps = min(tile.steps, job.input_steps(facts))
    elements = layer.in_shape[0] * between * layer.in_shape[2] * tile.samples * steps
    held = elements * facts.input_bits
    if layer.operand is not None:
        elements = tile.samples * steps * _distinct(job, facts, rows)
    memory = job.chip.core.memory
    lent = memory.sharing == "pool" and tile.phase == Phase.FP
    room = facts.input_room if lent else memory.spikes // HALVES
    return elements if held > room else 0

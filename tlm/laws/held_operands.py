"""Held operands: what a matmul has in the place of weights comes from DRAM for every block.

A block of FP or BP is of one sample and step. Its tiles read each element that they multiply with,
and put it into the weight buffer as a word of its own; BP of a pair that is skipped reads nothing.
What blocks of several steps read are as many elements.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

from tlm.config.core import EngineConfig
from tlm.laws.check import Check
from tlm.laws.due import Due
from tlm.laws.due.facts import Facts, LayerFacts
from tlm.laws.due.operands import branches, operand_shape
from tlm.laws.samples import PLACE
from tlm.laws.tallies import layer_name
from tlm.laws.tile_table import TileTable
from tlm.laws.weight_buffers import buffer_copies
from tlm.laws.weight_fetches import USERS
from tlm.space.array_types import Bools
from tlm.space.phase import ENGINE_OF_PHASE, Phase
from tlm.space.region import Slice, length
from tlm.space.tile import Extent, Tile

BYTE = 8
Needed = list[tuple[Extent, int]]  # where what a layer left lies, and the bits needed of it


def held_operands(table: TileTable, due: Due) -> Iterator[Check]:
    """Every block has all of its own sample's; without a matmul nothing is looked at."""
    job, wrong, blocks = due.job, list[str](), 0
    matmuls = [facts for facts in job.layers if facts.layer.held is not None]
    for facts, phase in product(matmuls, USERS if job.learns else USERS[:1]):
        for part in facts.slices:
            needed, words = _needed(job, facts, part), _words(facts, part)
            name = f"{layer_name(phase, facts.index)} on core{part.core:02d}"
            groups: dict[object, list[Tile]] = {}
            for tile in table.select(part.core, phase, facts.index):
                groups.setdefault(PLACE(tile), []).append(tile)
            blocks += len(groups)
            of_samples: dict[int, list[Tile]] = {}
            for tiles in groups.values():
                sample = tiles[0].sample
                own = [(_of_sample(job, at, sample), bits) for at, bits in needed]
                skipped = phase == Phase.BP and not facts.live[tiles[0].step, sample]
                if not skipped:
                    of_samples.setdefault(sample, []).extend(tiles)
                if fault := _fault(due, tiles, [] if skipped else own, 0 if skipped else words):
                    wrong.append(f"{name}: {fault}")
            for sample, tiles in of_samples.items():
                steps = len({tile.step for tile in tiles})
                own = [(_of_sample(job, at, sample), bits * steps) for at, bits in needed]
                wrong += [f"{name}: {fault} in {steps} steps" for fault in _unread_of(tiles, own)]
    if matmuls:
        yield Check("held operands in their buffers", not wrong, f"{blocks} blocks; {wrong[:3]}")


def _of_sample(job: Facts, at: Extent, sample: int) -> Extent:
    """A sample's part of a tensor: they lie one behind the other."""
    first, nbytes = at
    each = nbytes // job.workload.batch
    return (first + sample * each, each)


def _fault(due: Due, tiles: list[Tile], needed: Needed, words: int) -> str:
    """What is missing, or too much."""
    name = ENGINE_OF_PHASE[tiles[0].phase]
    if {(tile.samples, tile.steps) for tile in tiles} != {(1, 1)}:
        return "a block of several samples or steps"
    written = sum(tile.work.energy.get(f"{name}.weight_write", 0) for tile in tiles)
    words *= buffer_copies(due, name)
    engine: EngineConfig = getattr(due.job.chip.core.engines, name)
    again = engine.dataflow != "weight" and words > 0  # the array lets go of some before
    if written != words and not (again and written > words):
        return f"{written} words written, {words} due"
    return next(_unread_of(tiles, needed), "")


def _unread_of(tiles: Sequence[Tile], needed: Needed) -> Iterator[str]:
    """Where tiles together read fewer bytes than are needed, each byte once."""
    runs = sorted({run for tile in tiles for run in tile.reads})
    for (first, size), bits in needed:
        read, end = 0, first
        for at, nbytes in runs:
            if first <= at < first + size:
                read += max(0, at + nbytes - max(at, end))
                end = max(end, at + nbytes)
        if BYTE * read < bits:
            yield f"{read} B read of {bits} bit"


def _words(facts: LayerFacts, part: Slice) -> int:
    """Elements that a slice multiplies with: all inputs of a group for each of its outputs."""
    layer = facts.layer
    return length(part.neurons.channels) * layer.in_shape[0] // layer.groups


def _needed(job: Facts, facts: LayerFacts, part: Slice) -> Needed:
    """Bits that a block of a slice needs of every layer that its second operand is read of."""
    held = facts.layer.held
    assert held is not None
    flags = _flags(job, facts, part)
    read = branches(held, job.workload.layers)
    needed: Needed = []
    for source in dict.fromkeys(held.sources):
        some = [
            branch.needs(flags[branch.first : branch.end])
            for branch in read
            if branch.source == source
        ]
        [place] = [place for place in job.layers[source].tensors if place.key == "spikes"]
        needed.append((place.at, int(np.logical_or.reduce(some).sum()) * place.bits))
    return needed


def _flags(job: Facts, facts: LayerFacts, part: Slice) -> Bools:
    """Which elements of what is read, [C, H, W], stand for a slice's outputs."""
    layer, held = facts.layer, facts.layer.held
    assert held is not None
    shape = operand_shape(held, job.workload.layers)
    outputs = np.zeros(layer.product_channels, np.bool_)
    outputs[slice(*part.neurons.channels)] = True
    by_group = outputs.reshape(layer.groups, -1)
    matrix = np.zeros(
        (layer.groups, by_group.shape[1], layer.in_shape[0] // layer.groups), np.bool_
    )
    matrix[by_group] = True
    return (matrix.swapaxes(1, 2) if held.transposed else matrix).reshape(shape)

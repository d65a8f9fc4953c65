"""The blocks of array work that the laws look at one by one: of each phase of each layer two."""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter

from tlm.laws.due.facts import Facts, LayerFacts
from tlm.laws.due.nests import Nest
from tlm.laws.tile_table import TileTable
from tlm.space.phase import Phase
from tlm.space.region import Block, Slice, length
from tlm.space.tile import Tile

Sample = tuple[Nest, list[Tile]]  # a block, and its tiles in order

FORWARD = (Phase.FP, Phase.RECOMPUTE)
WALKING = (*FORWARD, Phase.BP, Phase.WG)
PLACE = attrgetter("sample", "samples", "rows", "step", "steps")


def samples(table: TileTable, job: Facts) -> Iterator[Sample]:
    """The block with most slots left after skipping and the last one, of one slice of each layer.

    Blocks whose tiles do not cover all channels of the slice are left out.
    """
    for facts in job.layers:
        index = facts.index
        part = facts.slices[index % len(facts.slices)]
        for phase in WALKING:
            tiles = table.select(part.core, phase, index)
            whole = _whole(facts, phase, part, tiles)
            busiest = sorted(whole, key=_executed)[-1:]
            yield from busiest + [last for last in whole[-1:] if last not in busiest]


def _executed(sample: Sample) -> int:
    return sum(tile.work.executed for tile in sample[1])


def _whole(facts: LayerFacts, phase: Phase, part: Slice, tiles: list[Tile]) -> list[Sample]:
    """The blocks of some tiles that they cover in full."""
    groups: dict[object, list[Tile]] = {}
    for place, tile in zip(map(PLACE, tiles), tiles, strict=True):
        groups.setdefault(place, []).append(tile)
    return [
        (nest, group)
        for group in groups.values()
        for nest in [Nest(facts, phase, part, _block(group[0]))]
        if sum(tile.covers for tile in group) == _results(nest)
    ]


def _block(tile: Tile) -> Block:
    samples = tile.sample, tile.sample + tile.samples
    return Block(samples, tile.rows, (tile.step, tile.step + tile.steps))


def _results(nest: Nest) -> int:
    """Results of a (sample, step) pair of a nest, each of every partner channel in BP and WG."""
    outputs = sum(
        length(columns) * (1 if nest.phase in FORWARD else length(rows))
        for rows, columns in nest.channels
    )
    return outputs * length(nest.block.rows) * nest.width

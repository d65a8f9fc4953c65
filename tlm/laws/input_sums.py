"""Input sums: FP and WG add up what they have fetched, and no more.

Where a layer reads a plain sum of layers, whose outputs come from DRAM, each element that is
fetched of any of them is added once. (That all which is needed is added is held in ``units.py``.)
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from tlm.laws.check import Check
from tlm.laws.due import Due
from tlm.laws.due.facts import Facts, LayerFacts
from tlm.laws.tallies import layer_name
from tlm.laws.tile_table import TileTable
from tlm.space.phase import Phase

BYTE = 8


def input_sums(table: TileTable, due: Due) -> Iterator[Check]:
    """Of layers that sum several outputs; without any nothing is looked at."""
    job, wrong = due.job, list[str]()
    summing = [facts for facts in job.layers if _sums(facts)]
    engines = ((Phase.FP, "fp"), (Phase.WG, "wg")) if job.learns else ((Phase.FP, "fp"),)
    for phase, engine in engines:
        fetched = table.fetched(phase)
        for facts in summing:
            if phase == Phase.FP and facts.inputs_sent:
                continue
            for part in facts.slices:
                tiles = table.select(part.core, phase, facts.index)
                adds = sum(tile.work.energy.get(f"{engine}.input_add", 0) for tile in tiles)
                number = table.engines.index((part.core, engine))
                most = min(
                    BYTE * fetched.get((number, facts.index, tensor), 0) // bits
                    for tensor, bits in _outputs(table, job, facts)
                )
                if adds > most * (len(facts.layer.sources) - 1):
                    name = f"{layer_name(phase, facts.index)} on core{part.core:02d}"
                    wrong.append(f"{name}: {adds} additions, {most} elements fetched")
    if summing:
        yield Check("sums of what is fetched", not wrong, f"{wrong[:3]}")


def _sums(facts: LayerFacts) -> bool:
    layer = facts.layer
    return layer.multiplies and layer.operand is None and len(layer.sources) > 1


def _outputs(table: TileTable, job: Facts, facts: LayerFacts) -> Iterator[tuple[int, int]]:
    """Number of the tensor of every source, and bits of an element."""
    for source in facts.producers:
        for place in job.layers[source].tensors:
            if place.key == "spikes":
                yield bisect_right(table.starts, place.at[0]) - 1, place.bits

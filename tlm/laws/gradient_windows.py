"""Gradient windows: rows of dY from DRAM that BP keeps between tiles fit the room they have.

That is the memory of gradients but for WG's share, or what a pool lends BP of the layer. A block
whose dY does not fit there has kept nothing: every panel of its outputs fetches it. Of the dX of an
operand, or of a matmul, that comes from DRAM the gradient unit reads all that returns to its
outputs.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

import numpy as np

from tlm.laws.check import Check
from tlm.laws.due import Due
from tlm.laws.due.facts import Facts, LayerFacts
from tlm.laws.due.rows import returned_to
from tlm.laws.tallies import layer_name
from tlm.laws.tile_table import TileTable
from tlm.space.phase import Phase
from tlm.space.region import Slice, length
from tlm.space.tile import Extent, Tile

WG_EIGHTH = 8  # of the memory of gradients is WG's where dY comes from DRAM, the rest BP's


def gradient_windows(table: TileTable, due: Due) -> Iterator[Check]:
    """What BP fetches of dY is at least what does not fit, once for every panel."""
    job, wrong = due.job, list[str]()
    through_dram = [facts.index for facts in job.layers if job.learns and not facts.dY_sent]
    fetches = table.of([Phase.BP], ["bp"]) & np.isin(table["layer"], through_dram)
    places = [_dY_places(facts) for facts in job.layers]
    fetched = table.read_nbytes(fetches, table.places(places))
    for (number, layer), rows in table.groups(fetches, "engine", "layer").items():
        (core, _), facts = table.engines[number], job.layers[layer]
        part = next(part for part in facts.slices if part.core == core)
        panels = [table.tiles[row] for row in rows.tolist() if table["covers"][row]]
        nbytes = int(fetched[rows].sum())
        if 8 * nbytes < sum(_unkept_bits(job, facts, part, tile) for tile in panels):
            wrong.append(f"{layer_name(Phase.BP, layer)} on core{core:02d}: {nbytes} B fetched")
    wrong += _unread(table, job)
    yield Check("rows of dY in their memory", not wrong, f"{wrong[:3]}")


def _unread(table: TileTable, job: Facts) -> Iterator[str]:
    """Cores that do not read all dX that an operand returns to their outputs through DRAM."""
    fetched = table.fetched(Phase.GRAD) if job.learns else {}
    for facts in job.layers if job.learns else ():
        for reader in [] if facts.dS_sent else job.among(facts.consumers):
            dX = [place for place in reader.tensors if place.key.startswith("dX")]
            apart = reader.layer.operand is not None or reader.layer.held is not None
            for part in facts.slices if apart else ():
                returned = returned_to(reader.layer, job.workload.layers, facts.layer, part)
                live = np.count_nonzero(reader.live[:, slice(*part.neurons.samples)])
                number = table.engines.index((part.core, "bp"))
                for place in dX:
                    tensor = bisect_right(table.starts, place.at[0]) - 1
                    nbytes = fetched.get((number, facts.index, tensor), 0)
                    if 8 * nbytes < int(returned.sum()) * live * place.bits:
                        name = f"{facts.layer.name} on core{part.core:02d}"
                        yield f"{name}: {nbytes} B of {place.name}"


def _dY_places(facts: LayerFacts) -> list[Extent]:
    """Where in DRAM dY of a layer lies."""
    return [place.at for place in facts.tensors if place.key == "dY"]


def dY_rows_room(job: Facts, facts: LayerFacts) -> int:
    """Bits that rows of dY have in a core."""
    memory = job.chip.core.memory
    if memory.sharing == "pool":
        return facts.dY_rows_room
    return memory.gradients - memory.gradients // WG_EIGHTH


def _unkept_bits(job: Facts, facts: LayerFacts, part: Slice, tile: Tile) -> int:
    """The least bits of a panel's dY, if what its block reads does not fit."""
    layer = facts.layer
    stride, pad = layer.stride[0], layer.padding[0]
    farthest = layer.dilation[0] * (layer.kernel[0] - 1)
    first, last = tile.rows[0] + pad - farthest, tile.rows[1] - 1 + pad
    rows = range(max(0, -(-first // stride)), min(layer.product_shape[1], last // stride + 1))
    row = length(part.neurons.channels) * layer.product_shape[2] * job.chip.precision.gradient
    held = row * len(rows) * tile.samples * tile.steps
    live = row * len(rows) * sum(1 for _ in tile.pairs())
    return live if held > dY_rows_room(job, facts) else 0

"""Unit cycles: tiles of the units beside the arrays take as long as their lanes need."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tlm.laws.check import Check
from tlm.laws.due import Due
from tlm.laws.due.facts import Facts
from tlm.laws.due.units import LOSS_PASSES
from tlm.laws.tallies import layer_name
from tlm.laws.tile_table import TileTable
from tlm.laws.weight_fetches import multiplied
from tlm.space.phase import BATCH, Phase
from tlm.space.rounding import ceil_div
from tlm.space.tile import Tile

ADDS = {
    Phase.GRAD: "bp.reduce_add",
    Phase.REDUCE: "wg.reduce_add",
    Phase.UPDATE: "wg.reduce_add",
    Phase.NORM: "fp.norm_add",
    Phase.NORM_GRAD: "bp.norm_add",
}
CHANNELS = {Phase.NORM: "fp.norm_channel", Phase.NORM_GRAD: "bp.norm_channel"}
UNITS = (Phase.LOSS, *ADDS)
ADDING = (Phase.FP, Phase.RECOMPUTE)  # of layers without a product


def unit_cycles(table: TileTable, due: Due) -> Iterator[Check]:
    """All results of a tile pass the lanes, then what it adds up; what only sends takes no time."""
    rows = np.flatnonzero(table.of(UNITS) | (table.of(ADDING) & ~multiplied(table, due)))
    wrong = [
        f"{layer_name(tile.phase, tile.layer)}: {tile.cycles} cycles, {cycles} due"
        for tile in map(table.tiles.__getitem__, rows.tolist())
        if tile.cycles != (cycles := _cycles(due.job, tile))
    ]
    yield Check("cycles of the units", not wrong, f"{wrong[:3]}")


def _cycles(job: Facts, tile: Tile) -> int:
    lanes, depth, energy = job.chip.core.unit_lanes, job.chip.core.pipeline_depth, tile.work.energy
    if tile.phase == Phase.REDUCE and ADDS[tile.phase] not in energy:
        return 0
    if tile.phase == Phase.LOSS:  # classes pass once a step, then for soft-max
        return (tile.steps + len(LOSS_PASSES)) * ceil_div(tile.covers, lanes) + depth
    adds = ceil_div(energy.get(ADDS.get(tile.phase, ""), 0), lanes)
    results = tile.covers * tile.samples * tile.steps
    if tile.phase in CHANNELS and tile.sample == BATCH:  # statistics of a channel, or their sending
        results = energy.get(CHANNELS[tile.phase], 0)
        return adds + ceil_div(results, lanes) + depth if results else 0
    again = 0
    if tile.phase == Phase.NORM_GRAD and job.layers[tile.layer].dI_again:
        again = ceil_div(results, lanes) + ceil_div(energy.get(ADDS[Phase.GRAD], 0), lanes)
    return ceil_div(results, lanes) + adds + again + depth

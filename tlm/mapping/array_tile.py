"""From walks to tiles: cycles, work and energy of what an array does between two fetches."""

from __future__ import annotations

from tlm.mapping.accesses import walk_energy
from tlm.mapping.builder import Builder, merge
from tlm.mapping.walk import Nest, Walked
from tlm.task import Tile


def charge(
    builder: Builder, tile: Tile, engine: str, nest: Nest, walked: list[Walked], operand_bits: int
) -> None:
    """Add what an engine walked to a tile."""
    adds = builder.plan.chip.core.zero_operand_adds
    work = tile.work
    for one in walked:
        tile.cycles += one.cycles
        work.slots += one.slots
        work.executed += one.executed
        work.dense += one.dense
        work.useful += one.useful
        merge(work.energy, walk_energy(engine, nest, one, operand_bits, adds))


def loaded_weights(builder: Builder, tile: Tile, nest: Nest) -> int:
    """Weights written to the buffer: what the tile reads from DRAM, once for every lane.

    Lanes that hold positions of their own (mode ``element``) read weights of their own each cycle,
    so each has a copy of them.
    """
    copies = nest.lanes if nest.mode == "element" and nest.dataflow != "weight" else 1
    return sum(nbytes for _, nbytes in tile.reads) * 8 // builder.array.weight_bits * copies

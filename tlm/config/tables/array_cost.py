"""An array of synapse cells: one row is read or written at once.

Area: the cells, and a periphery that grows with the edges, so with the square root of the bits.
Energy of a row: its width times that of a bit, in the cell and its sense amplifier and over a wire
as long as a side of the array. Leakage: cells by their number, periphery by its area. Constants:
``tlm/config/synapse_array``; how far that agrees with NVSim: :mod:`tlm.synapses.nvsim`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from tlm.config.tables.array_core import ArrayCoreTable
from tlm.config.tables.synapse_array import SynapseArrayTable
from tlm.errors import ConfigError


@dataclass(frozen=True)
class ArrayCost:
    """Area and leakage of an array; energy and time of a row."""

    area_mm2: float
    read_pj: float
    write_pj: float
    leakage_w: float
    read_ps: float
    write_ps: float


def array_cost(rows: int, width: int, technology: str, table: SynapseArrayTable) -> ArrayCost:
    """What an array of so many rows of ``width`` bits takes in a technology of the table."""
    cell = table.technologies[technology]
    bits = rows * width
    cells_mm2 = bits * cell.cell_f2.value * table.feature_nm**2 * 1e-12
    periphery_mm2 = cell.periphery.value * sqrt(bits) * 1e-6
    area = cells_mm2 + periphery_mm2
    wire = table.wire.value * sqrt(area)
    leakage = bits * cell.cell_leakage.value + periphery_mm2 * table.periphery_leakage.value
    return ArrayCost(
        area_mm2=area,
        read_pj=width * (cell.read_bit.value + wire),
        write_pj=width * (cell.write_bit.value + wire),
        leakage_w=leakage,
        read_ps=cell.read_time.value,
        write_ps=cell.write_time.value,
    )


def core_array(core: ArrayCoreTable, table: SynapseArrayTable) -> ArrayCost:
    """The array of a core: a row for each input, ``devices`` bits for each weight of it.

    Raises:
        ConfigError: the table has no such technology.
    """
    if core.technology not in table.technologies:
        raise ConfigError(
            f"inference core {core.name}: technology: table {table.name} has no "
            f'"{core.technology}"; it has {", ".join(table.technologies)}'
        )
    network = core.network
    width = network.outputs.value * network.basis.value * network.devices.value
    return array_cost(network.inputs.value, width, core.technology, table)

"""Tables of synapse arrays: cells of several technologies, and what an array of them takes.

What is computed of such arrays is in :mod:`tlm.config.tables.array_cost`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from tlm.config.problems import validated
from tlm.config.quantities import (
    Picojoules,
    Picoseconds,
    PositiveNumber,
    Section,
    SquareMicrometres,
    Watts,
)
from tlm.config.tables.spread import Spread
from tlm.config.tables.table_file import read_table, table_names

ARRAY_FOLDER = Path(__file__).parent.parent / "synapse_array"


class CellTechnology(Section):
    """One kind of cell: its area in F2, energies of a bit, times, leakage.

    ``periphery`` is the area beside the cells, for each square root of the bits: decoders and
    sense amplifiers stand along the edges. ``endurance`` counts the writes that a cell survives.
    """

    cell_f2: Spread[PositiveNumber]
    periphery: Spread[SquareMicrometres]
    read_bit: Spread[Picojoules]
    write_bit: Spread[Picojoules]
    read_time: Spread[Picoseconds]
    write_time: Spread[Picoseconds]
    cell_leakage: Spread[Watts]
    endurance: Spread[PositiveNumber] | None = None


class SynapseArrayTable(Section):
    """Technologies at one feature size.

    ``wire`` is the energy of a bit over a millimetre, ``periphery_leakage`` the static power of
    a square millimetre of periphery.
    """

    schema_version: Literal[1]
    name: str
    feature_nm: PositiveNumber
    wire: Spread[Picojoules]
    periphery_leakage: Spread[Watts]
    technologies: Annotated[dict[str, CellTechnology], Field(min_length=1)]


def synapse_array_tables() -> list[str]:
    """Names of the tables that ship, sorted."""
    return table_names(ARRAY_FOLDER)


def load_synapse_array(
    name_or_path: str | Path = "nvsim32", asked_by: str = "synapse array"
) -> SynapseArrayTable:
    """Read a table: one that ships, by its name, or a file.

    Raises:
        ConfigError: there is none, or a key is missing, unknown or of a wrong form.
    """
    table = read_table(ARRAY_FOLDER, name_or_path, "table of synapse arrays", asked_by)
    return validated(SynapseArrayTable, table.data, table.where, extends="TABLE")

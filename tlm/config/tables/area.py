"""Area tables: what one unit of logic takes, with the source of every number."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from tlm.config.problems import did_you_mean, validated
from tlm.config.quantities import Section, SquareMicrometres
from tlm.config.tables.table_file import Confidence, read_table, table_names
from tlm.errors import ConfigError

AREA_FOLDER = Path(__file__).parent.parent / "area"

REQUIRED_UNITS = (
    *("fp16_add", "fp16_multiply", "fp16_root", "fp32_add", "compare", "mux"),
    *("register_bit", "scan_slot", "queue_bit", "core_control"),
    *("crossbar_bit", "router_control", "dram_channel"),
)


@dataclass(frozen=True, slots=True)
class AreaUnit:
    """Area of one unit in um2."""

    area_um2: float
    source: str
    confidence: Confidence


@dataclass(frozen=True, slots=True)
class AreaTable:
    """A complete table: every unit the model places has an area.

    ``density`` is the share of the floor that cells of logic cover; memories bring their own.
    """

    name: str
    node: str
    path: Path
    density: float
    units: dict[str, AreaUnit]


class _UnitEntry(Section):
    area: SquareMicrometres
    source: str
    confidence: Confidence


class _Density(Section):
    share: Annotated[float, Field(gt=0, le=1)]
    source: str
    confidence: Confidence


class _AreaFile(Section):
    schema_version: Literal[1]
    name: str
    node: str
    density: _Density
    units: dict[str, _UnitEntry]


def area_tables() -> list[str]:
    """Names of the tables that ship, sorted."""
    return table_names(AREA_FOLDER)


def load_area(name_or_path: str | Path, asked_by: str = "area") -> AreaTable:
    """Read an area table: one that ships, by its name, or a file.

    ``asked_by`` names the key or option that asks for it in the error text.

    Raises:
        ConfigError: no such table, an unknown or missing unit, or a value without its unit.
    """
    table = read_table(AREA_FOLDER, name_or_path, "area table", asked_by)
    file = validated(_AreaFile, table.data, table.where, extends="TABLE")
    problems = _coverage(file, table.where)
    if problems:
        raise ConfigError("\n".join(problems))
    units = {
        name: AreaUnit(entry.area, entry.source, entry.confidence)
        for name, entry in file.units.items()
    }
    return AreaTable(file.name, file.node, table.path, file.density.share, units)


def _coverage(file: _AreaFile, where: str) -> list[str]:
    """One line for every unit that is missing or that the model does not place."""
    return [
        *(
            f"{where}: units.{name}: unknown unit{did_you_mean(name, REQUIRED_UNITS)}"
            for name in file.units
            if name not in REQUIRED_UNITS
        ),
        *(
            f"missing area of unit {name} in {where}; add it with its area, source and confidence"
            for name in REQUIRED_UNITS
            if name not in file.units
        ),
    ]

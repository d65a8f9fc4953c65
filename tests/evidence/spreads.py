"""Parameters with a range, by dotted name, in tables of any depth; tables with another value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from tlm.config.quantities import Section
from tlm.config.tables.spread import Spread

Table = TypeVar("Table", bound=Section)


def spreads(table: object, within: str = "") -> dict[str, Spread[float]]:
    """Every parameter of a table that has a range, in the order of the file."""
    if isinstance(table, Spread):
        return {within: table}
    if isinstance(table, Section):
        table = dict(table)
    named: dict[str, Spread[float]] = {}
    if isinstance(table, Mapping):
        for key, value in table.items():
            named |= spreads(value, f"{within}.{key}" if within else key)
    return named


def with_value(table: Table, name: str, value: float) -> Table:
    """The table with another value of the parameter ``name``; its range stays."""
    key, _, rest = name.partition(".")
    return table.model_copy(update={key: _changed(getattr(table, key), rest, value)})


def _changed(part: object, name: str, value: float) -> object:
    if isinstance(part, Spread):
        return part.model_copy(update={"value": value})
    if isinstance(part, Mapping):
        key, _, rest = name.partition(".")
        return {**part, key: _changed(part[key], rest, value)}
    assert isinstance(part, Section)
    return with_value(part, name, value)

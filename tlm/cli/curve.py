"""The rows of a measured curve: CSV line by line, a table on a terminal, or JSON."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence

import typer


class CurveRows:
    """Rows as they are measured; ``close`` prints what is not printed line by line.

    A figure that was not measured (None, or no finite number) is an empty cell, and null in JSON.
    """

    def __init__(self, columns: Sequence[str], as_json: bool) -> None:
        self._columns = tuple(columns)
        self._rows: list[tuple[object, ...]] = []
        self._is_table = not as_json and sys.stdout.isatty()
        self._as_json = as_json
        self.lines: list[str] = []
        self._line(self._columns)

    def add(self, values: Sequence[object]) -> None:
        """Take the next row, its values in the order of the columns."""
        row = tuple(_measured(value) for value in values)
        self._rows.append(row)
        self._line([_cell(value) for value in row])

    def close(self) -> None:
        """Print what is printed as a whole."""
        if self._as_json:
            rows = [dict(zip(self._columns, row, strict=True)) for row in self._rows]
            typer.echo(json.dumps(rows, indent=1, allow_nan=False))
        elif self._is_table:
            from tlm.cli.tables import ScreenTable, console

            table = ScreenTable("", *self._columns)
            for row in self._rows:
                table.add_row(*map(_cell, row))
            console().print(table)

    def _line(self, cells: Sequence[str]) -> None:
        self.lines.append(",".join(cells))
        if not (self._as_json or self._is_table):
            typer.echo(self.lines[-1])


def _measured(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)

"""Tables for a screen of any width: no figure is ever cut and no row folds.

A table wider than the screen becomes blocks of columns, one below the other, each with the first
columns in front; tables that do not fit beside each other stand below each other.
"""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterator, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

WIDTH = 118  # columns where nothing says how wide the screen is
LEAST_WIDTH = 40
LEAST_PROSE = 24  # columns that sentences are narrowed to before they go into another block
GAP = 3


def console() -> Console:
    """Standard output, as wide as the screen; without colour where it is no terminal.

    Texts are shown as they are: what looks like markup or an emoji is somebody's name.
    """
    return Console(width=screen_width(), highlight=False, markup=False, emoji=False)


def screen_width() -> int:
    """Columns of the screen: those of COLUMNS, of the terminal, or ``WIDTH`` where there is none.

    Output that is piped is looked at on the terminal of standard error, if there is one.
    """
    words = os.environ.get("COLUMNS", "")
    if words.isdecimal() and int(words):
        return max(LEAST_WIDTH, int(words))
    for stream in (sys.__stdout__, sys.__stderr__):
        try:
            columns = os.get_terminal_size(stream.fileno()).columns if stream else 0
        except (OSError, ValueError):
            continue
        if columns:
            return max(LEAST_WIDTH, columns)
    return WIDTH


class ScreenTable:
    """A table without frame: its first columns to the left, figures to the right.

    ``keys`` columns name a row and stand in front of every block. Columns of ``left`` stand to
    the left; those of ``prose`` too, and may continue on further lines between words.
    """

    def __init__(
        self,
        title: str,
        *columns: str,
        keys: int = 1,
        left: Sequence[str] = (),
        prose: Sequence[str] = (),
    ) -> None:
        self._title = title
        self._columns = columns
        self._keys = keys
        self._left = {*columns[:keys], *left, *prose}
        self._prose = {*prose}
        self._rows: list[tuple[str, ...]] = []

    def add_row(self, *cells: str) -> None:
        """Add a row; a cell is shown as it is, whatever it holds."""
        self._rows.append(cells)

    @property
    def width(self) -> int:
        """Columns that the whole table takes in one block."""
        widths = [self._width(index) for index in range(len(self._columns))]
        return max(cell_len(self._title), sum(widths) + GAP * (len(widths) - 1))

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(min(self.width, options.max_width), min(self.width, options.max_width))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self._title:
            yield Text(self._title, style="bold")
        for number, block in enumerate(self._blocks(options.max_width)):
            if number:
                yield Text()
            yield self._block(block, options.max_width)

    def _width(self, index: int) -> int:
        return max(cell_len(cells[index]) for cells in (self._columns, *self._rows))

    def _least(self, index: int) -> int:
        """Columns below which a column is not narrowed: a sentence not below its longest word."""
        width = self._width(index)
        if self._columns[index] not in self._prose:
            return width
        words = " ".join(row[index] for row in self._rows).split()
        return min(width, max([LEAST_PROSE, *map(cell_len, words)]))

    def _blocks(self, width: int) -> list[list[int]]:
        """The columns of each block, keys first: as few blocks as fit, of about equal widths."""
        blocks = self._filled(width)
        while width > LEAST_WIDTH // 2 and len(more := self._filled(width - 1)) == len(blocks):
            blocks, width = more, width - 1
        return blocks

    def _filled(self, width: int) -> list[list[int]]:
        """Blocks of columns, each filled from left to right."""
        keys = list(range(self._keys))
        keys_width = min(sum(GAP + self._width(index) for index in keys) - GAP, 2 * width // 3)
        blocks, used = [list(keys)], keys_width
        for index in range(self._keys, len(self._columns)):
            least = self._least(index)
            if len(blocks[-1]) > len(keys) and used + GAP + least > width:
                blocks.append(list(keys))
                used = keys_width
            blocks[-1].append(index)
            used += GAP + least
        return blocks

    def _block(self, block: Sequence[int], width: int) -> Table:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
        fits = sum(GAP + self._least(index) for index in block) - GAP <= width
        for index in block:
            name = self._columns[index]
            is_word = name not in self._prose and (fits or index >= self._keys)
            table.add_column(
                Text(name),
                justify="left" if name in self._left else "right",
                no_wrap=is_word,
                overflow="fold",
            )
        for row in self._rows:
            table.add_row(*(Text(row[index]) for index in block))
        return table


class Beside:
    """Tables from left to right, as many in a row as the screen holds, a blank line below each."""

    def __init__(self, *tables: ScreenTable) -> None:
        self._tables = tables

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for row in self._rows(options.max_width):
            grid = Table.grid(padding=(0, GAP))
            for _ in row:
                grid.add_column()
            grid.add_row(*row)
            yield grid
            yield Text()

    def _rows(self, width: int) -> Iterator[list[ScreenTable]]:
        row: list[ScreenTable] = []
        used = 0
        for table in self._tables:
            if row and used + GAP + table.width > width:
                yield row
                row, used = [], 0
            used += table.width + (GAP if row else 0)
            row.append(table)
        yield row


class Hanging:
    """A paragraph whose lines after the first are indented."""

    def __init__(self, text: str, indent: int = 4) -> None:
        self._text = text
        self._indent = indent

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = textwrap.wrap(
            self._text,
            options.max_width,
            subsequent_indent=" " * self._indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        yield Text("\n".join(lines), overflow="fold")

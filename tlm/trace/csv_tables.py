"""The tables of a trace as CSV, names instead of numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tlm.space.trace_rows import PHASE_NONE
from tlm.trace.reader import Trace
from tlm.trace.schema import COMMAND_NAMES, PHASE_NAMES, STATE_NAMES, TABLES

_BLOCK_ROWS = 1 << 16  # rows turned into Python values at once

Names = Sequence[str] | dict[int, str]


def csv_lines(trace: Trace, table: str) -> Iterator[str]:
    """A table of the trace as CSV lines, header first; times in ps, sizes in bytes.

    Units, commands, phases and states are named; a phase that is none is left empty.
    """
    columns = TABLES[table].names
    assert columns is not None
    paths = [unit.path for unit in trace.units]
    names: dict[str, Names] = {
        "command": COMMAND_NAMES,
        "phase": dict(enumerate(PHASE_NAMES)) | {PHASE_NONE: ""},
        "what": STATE_NAMES,
        "unit": paths,
        "initiator": paths,
        "target": paths,
    }
    yield ",".join(columns) + "\n"
    rows = trace.transactions if table == "transactions" else trace.activity
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = rows[start : start + _BLOCK_ROWS]
        texts = [_texts(block[column].tolist(), names.get(column)) for column in columns]
        for row in zip(*texts, strict=True):
            yield ",".join(row) + "\n"


def _texts(values: list[int], names: Names | None) -> list[str]:
    return [str(value) if names is None else names[value] for value in values]

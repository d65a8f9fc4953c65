"""The trace schema: table columns, enum names, attributes, version (see docs/trace-format.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, get_type_hints
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from tlm.space.phase import Command, Phase
from tlm.space.trace_rows import ActivityRow, EngineState, TransactionRow

SCHEMA = "tlm-trace"
SCHEMA_VERSION = 3
TIME_UNIT = "ps"
FILE_NAME = "trace.h5"

CHUNK_ROWS = 16_384  # rows of a chunk: 0.98 MB of transactions, 0.53 MB of activity
GZIP_LEVEL = 1  # with shuffle: half the time of gzip-4 and a quarter of the plain size

LEVELS = ("off", "phase", "transaction")
UNIT_KINDS = ("fp", "bp", "wg", "dram", "link")
SYSTEM_KINDS = ("worker", "server", "switch")  # of a federated run, whose units are whole chips

RUN_ATTRIBUTES = ("tlm_version", "workload_sha256")  # given by the run, all text
DIGESTS = {"config": "config_sha256", "units": "units_sha256"}  # attribute that seals a dataset
WINDOW = "window_ps"  # attribute of a trace that holds only a window of the run


def committed_values(rows: Sequence[int], complete: bool) -> NDArray[np.int64]:
    """``/committed``: the rows of each table that count, 1 if complete, and their CRC-32."""
    counts = np.array([*rows, int(complete)], dtype="<i8")
    return np.append(counts, np.int64(crc32(counts.tobytes())))


COMMAND_NAMES = tuple(command.name.lower() for command in Command)
PHASE_NAMES = tuple(phase.name.lower() for phase in Phase)
STATE_NAMES = tuple(state.name.lower().replace("_", "-") for state in EngineState)


class Unit(NamedTuple):
    """One stream of the trace: a unit of the chip; its id is its place in the list of units."""

    path: str
    kind: str


UNIT_DTYPE = np.dtype([("id", "<i4"), ("path", "S48"), ("kind", "S16")])


def _dtype(row: type[TransactionRow | ActivityRow]) -> np.dtype[np.void]:
    """The compound type of a table: a field for each field of its rows, of the annotated type."""
    hints = get_type_hints(row, include_extras=True)
    return np.dtype([(name, hint.__metadata__[0]) for name, hint in hints.items()])


TRANSACTION_DTYPE = _dtype(TransactionRow)
ACTIVITY_DTYPE = _dtype(ActivityRow)
TABLES = {"transactions": TRANSACTION_DTYPE, "activity": ACTIVITY_DTYPE}  # order of /committed
# Columns of a row's first and last time.
SPANS = {"transactions": ("begin_req", "end_resp"), "activity": ("begin", "end")}
COMMITTED = len(TABLES) + 2  # rows of each table, complete, CRC-32 of the numbers before it
ENUM_ATTRIBUTES = {
    "transactions": {"command_names": COMMAND_NAMES, "phase_names": PHASE_NAMES},
    "activity": {"what_names": STATE_NAMES, "phase_names": PHASE_NAMES},
}

"""The trace schema: table columns, enum names, attributes, version (see docs/trace-format.md)."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

SCHEMA = "tlm-trace"
SCHEMA_VERSION = 1
TIME_UNIT = "ps"
FILE_NAME = "trace.h5"

CHUNK_ROWS = 16_384  # rows of a chunk: 0.98 MB of transactions, 0.53 MB of activity
GZIP_LEVEL = 1  # with shuffle: half the time of gzip-4 and a quarter of the plain size

LEVELS = ("off", "phase", "transaction")
UNIT_KINDS = ("fp", "bp", "wg", "dram", "link")

RUN_ATTRIBUTES = ("tlm_version", "config_sha256", "workload_sha256")  # given by the run, all text

NONE = -1  # layer, sample, step or task of a record that has none
PHASE_NONE = 255


class What(IntEnum):
    """What an engine does in an interval of ``/activity``."""

    COMPUTE = 0
    STALL_DEPENDENCY = 1
    STALL_DRAM = 2
    STALL_NOC = 3
    STALL_WRITEBACK = 4
    IDLE = 5


COMMAND_NAMES = ("read", "write", "spike", "gradient", "weight_gradient")
PHASE_NAMES = (
    *("fp", "loss", "grad", "bp", "wg", "reduce", "update"),
    *("norm", "norm_grad", "recompute"),
)
WHAT_NAMES = tuple(what.name.lower().replace("_", "-") for what in What)


class Unit(NamedTuple):
    """One stream of the trace: a unit of the chip; its id is its place in the list of units."""

    path: str
    kind: str


UNIT_DTYPE = np.dtype([("id", "<i4"), ("path", "S48"), ("kind", "S16")])

TRANSACTION_DTYPE = np.dtype(
    [
        ("id", "<u4"),
        ("begin_req", "<i8"),
        ("end_req", "<i8"),
        ("begin_resp", "<i8"),
        ("end_resp", "<i8"),
        ("initiator", "<i2"),
        ("target", "<i2"),
        ("command", "u1"),
        ("phase", "u1"),
        ("layer", "<i2"),
        ("sample", "<i2"),
        ("step", "<i2"),
        ("nbytes", "<u4"),
        ("address", "<i8"),
    ]
)

ACTIVITY_DTYPE = np.dtype(
    [
        ("unit", "<i2"),
        ("begin", "<i8"),
        ("end", "<i8"),
        ("what", "u1"),
        ("phase", "u1"),
        ("layer", "<i2"),
        ("sample", "<i2"),
        ("samples", "<i2"),
        ("step", "<i2"),
        ("steps", "<i2"),
        ("task", "<i4"),
    ]
)

TABLES = {"transactions": TRANSACTION_DTYPE, "activity": ACTIVITY_DTYPE}  # order of /committed
ENUM_ATTRIBUTES = {
    "transactions": {"command_names": COMMAND_NAMES, "phase_names": PHASE_NAMES},
    "activity": {"what_names": WHAT_NAMES, "phase_names": PHASE_NAMES},
}

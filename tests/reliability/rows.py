"""Holds the committed rows of a trace that ended early against those of an undisturbed run."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import tlm.trace
from tlm.errors import TraceError
from tlm.trace.schema import FILE_NAME, TABLES


def committed_faults(out: Path, whole: Path) -> list[str]:
    """What is wrong with the trace in ``out``: rows that differ from those of ``whole``."""
    if not (out / FILE_NAME).exists():
        return []
    found = []
    try:
        with tlm.trace.open(out) as trace, tlm.trace.open(whole) as expected:
            for table in TABLES:
                rows, right = getattr(trace, table), getattr(expected, table)
                if not np.array_equal(rows, right[: len(rows)]):
                    found.append(f"committed rows of {table} differ")
    except TraceError as error:
        found.append(f"trace: {error}")
    return found

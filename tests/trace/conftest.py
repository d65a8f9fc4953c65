from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tlm.trace import TraceWriter

ATTRS = {"tlm_version": "0.1.0", "workload_sha256": "d" * 64}
UNITS = [("chip.core00.fp", "fp"), ("chip.dram0", "dram")]


def transaction(i: int) -> tuple[int, ...]:
    return (
        i,
        9 * i,
        9 * i + 1,
        9 * i + 5,
        9 * i + 8,
        0,
        1,
        i % 5,
        3,
        2,
        i % 16,
        i % 4,
        256,
        i << 8,
    )


def interval(i: int) -> tuple[int, ...]:
    return (0, 10 * i, 10 * i + 10, i % 6, 0, 1, i % 16, 1, 0, 4, i)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., TraceWriter]:
    """Write a trace of ``rows`` rows in each table as a run does, in small steps."""

    def _write(
        rows: int, *, level: str = "transaction", name: str = "trace.h5", complete: bool = True
    ) -> TraceWriter:
        writer = TraceWriter(tmp_path / name, level, ATTRS, "name: chip\n", UNITS)
        for i in range(rows):
            writer.transactions.append(transaction(i))
            writer.activity.append(interval(i))
            if i % 500 == 0:
                writer.flush_if_due()
        writer.close(complete)
        return writer

    return _write

from __future__ import annotations

import struct
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tlm.trace
from tlm.errors import TraceError
from tlm.trace import TraceWriter, schema
from tlm.trace.limits import MIN_BUDGET_BYTES, TraceLimits, parse_limits

Write = Callable[..., TraceWriter]
ATTRIBUTES = dict.fromkeys(schema.RUN_ATTRIBUTES, "x")
ROWS = 40_000  # two whole chunks and a partial one


def test_every_row_comes_back(write: Write, tmp_path: Path) -> None:
    """What the model appended is what the reader returns, in order, over chunk borders."""
    write(ROWS)
    with tlm.trace.open(tmp_path) as trace:
        assert trace.complete
        assert trace.transactions["id"].tolist() == list(range(ROWS))
        assert trace.transactions["address"].tolist() == [i << 8 for i in range(ROWS)]
        assert trace.activity["end"].tolist() == [10 * i + 10 for i in range(ROWS)]
        assert trace.activity["task"].tolist() == list(range(ROWS))


def test_what_a_run_says_about_itself_comes_back(write: Write, tmp_path: Path) -> None:
    """Configuration, attributes and units are readable without knowing HDF5."""
    write(3)
    with tlm.trace.open(tmp_path / "trace.h5") as trace:
        assert trace.config_text == "name: chip\n"
        assert trace.attrs["config_sha256"] == sha256(b"name: chip\n").hexdigest()
        assert trace.attrs["level"] == "transaction"
        assert trace.units[1] == ("chip.dram0", "dram")
        assert trace.unit_ids("dram").tolist() == [1]


def test_the_format_is_one_that_older_libraries_read(write: Write, tmp_path: Path) -> None:
    """Types are written as HDF5 1.10 does (version 3): 1.14 reads none of those of 2.0 (5)."""
    write(3)
    data = (tmp_path / "trace.h5").read_bytes()
    end = struct.pack("<H", schema.TRANSACTION_DTYPE.itemsize)  # of a compound type: its size
    columns = len(schema.TRANSACTION_DTYPE)
    versions = {
        version
        for version in range(1, 6)
        if bytes([version << 4 | 6]) + struct.pack("<H", columns) + b"\0" + end in data
    }
    assert versions == {3}


LARGEST = {"initiator": 0, "target": 0, "command": 4, "phase": 6}
SMALLEST = {"initiator": 0, "target": 0}


def any_value(name: str) -> st.SearchStrategy[int]:
    """Every value of a column that means something; times come in pairs of begin and end."""
    limits = np.iinfo(schema.TRANSACTION_DTYPE[name])
    low, high = int(limits.min), int(limits.max)
    if name in ("begin_req", "end_resp"):
        return st.just(0) if name == "begin_req" else st.integers(0, high)
    return st.integers(SMALLEST.get(name, low), LARGEST.get(name, high))


COLUMNS = list(schema.TRANSACTION_DTYPE.names or ())


@given(st.lists(st.tuples(*map(any_value, COLUMNS)), max_size=5))
@settings(max_examples=25, deadline=None)
def test_any_row_that_fits_its_columns_is_kept(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, ...]]
) -> None:
    """Extreme values of every column survive the round trip."""
    folder = tmp_path_factory.mktemp("run")
    writer = TraceWriter(folder / "trace.h5", "transaction", ATTRIBUTES, "", [("chip.x", "fp")])
    writer.transactions.extend(rows)
    writer.close(True)
    with tlm.trace.open(folder) as trace:
        assert trace.transactions.tolist() == rows


def test_level_phase_keeps_activity_only(write: Write, tmp_path: Path) -> None:
    """Level ``phase`` drops transactions and keeps every interval."""
    write(20_000, level="phase")
    with tlm.trace.open(tmp_path) as trace:
        assert len(trace.transactions) == 0
        assert len(trace.activity) == 20_000


def test_level_off_leaves_no_file_and_no_rows(write: Write, tmp_path: Path) -> None:
    """Level ``off`` costs neither disk nor memory."""
    writer = write(20_000, level="off")
    assert not list(tmp_path.iterdir())
    assert not writer.transactions
    assert not writer.activity


def test_equal_runs_leave_equal_bytes(write: Write, tmp_path: Path) -> None:
    """The file holds no date, host or path: two runs differ in nothing."""
    write(ROWS, name="first.h5")
    write(ROWS, name="second.h5")
    assert (tmp_path / "first.h5").read_bytes() == (tmp_path / "second.h5").read_bytes()


def test_a_value_over_its_column_is_refused_by_name(tmp_path: Path) -> None:
    """A layer number no int16 holds is an error that names the column, not a wrapped number."""
    writer = TraceWriter(tmp_path / "t.h5", "transaction", ATTRIBUTES, "", [("chip.x", "fp")])
    writer.transactions.append((0, 0, 0, 0, 0, 0, 0, 0, 0, 40_000, 0, 0, 64, 0))
    with pytest.raises(TraceError, match="layer = 40000 does not fit"):
        writer.close(True)


@pytest.mark.parametrize(
    ("level", "units", "text"),
    [
        ("all", [("chip.x", "fp")], "expected one of off, phase, transaction"),
        ("phase", [("c" * 49, "fp")], "expected 1 to 48 ASCII characters"),
    ],
)
def test_bad_arguments_are_refused(
    tmp_path: Path, level: str, units: list[tuple[str, str]], text: str
) -> None:
    """A wrong level and a name too long for its column are named before the run starts."""
    with pytest.raises(TraceError, match=text):
        TraceWriter(tmp_path / "t.h5", level, ATTRIBUTES, "", units)


def test_an_existing_trace_is_never_overwritten(write: Write) -> None:
    """A second run into the same folder is refused with a remedy."""
    write(1)
    with pytest.raises(TraceError, match="give a new, writable run folder"):
        write(1)


def test_a_live_trace_can_be_read(tmp_path: Path) -> None:
    """A reader beside a running writer sees whole chunks, and that the run is not complete."""
    writer = TraceWriter(tmp_path / "t.h5", "phase", ATTRIBUTES, "", [("chip.x", "fp")])
    rows = [(0, i, i + 1, 0, 0, 0, 0, 0, 0, 0, i) for i in range(schema.CHUNK_ROWS + 5)]
    writer.activity.extend(rows)
    writer.flush_if_due()
    with tlm.trace.open(tmp_path / "t.h5") as trace:
        assert not trace.complete
        assert trace.activity.tolist() == rows[: schema.CHUNK_ROWS]
    writer.close(True)


def test_rows_outlive_the_file(write: Write, tmp_path: Path) -> None:
    """Arrays read inside the context stay usable after it."""
    write(10)
    with tlm.trace.open(tmp_path) as trace:
        rows = trace.activity
    assert rows["begin"].sum() == 450


def test_a_window_keeps_what_overlaps_it(tmp_path: Path) -> None:
    """Of intervals of 10 ps, those with any part in 100..200 ps; the trace says it is a window."""
    limits = TraceLimits(window_ps=(105, 200))
    path = tmp_path / "t.h5"
    writer = TraceWriter(path, "phase", ATTRIBUTES, "", [("chip.x", "fp")], limits)
    for i in range(40_000):
        writer.activity.append((0, 10 * i, 10 * i + 10, 0, 0, 0, 0, 0, 0, 0, i))
        writer.flush_if_due()
    assert len(writer.activity) < schema.CHUNK_ROWS
    writer.close(True)
    with tlm.trace.open(path) as trace:
        assert trace.window_ps == (105, 200)
        assert not trace.complete
        assert trace.activity["begin"].tolist() == list(range(100, 200, 10))


def test_a_budget_ends_the_trace_before_the_file_outgrows_it(tmp_path: Path) -> None:
    """Random rows that hardly compress: the file stays below its budget, whole chunks are kept."""
    limits = TraceLimits(budget_bytes=MIN_BUDGET_BYTES)
    path = tmp_path / "t.h5"
    writer = TraceWriter(path, "transaction", ATTRIBUTES, "", [("chip.x", "fp")], limits)
    draw = np.random.default_rng(0)
    for i in range(200_000):
        at = int(draw.integers(1 << 40))
        writer.transactions.append((i, 0, at, at, at, 0, 0, 0, 0, 0, 0, 0, 64, at))
        writer.flush_if_due()
    writer.close(True)
    assert writer.truncated == "budget"
    assert path.stat().st_size <= MIN_BUDGET_BYTES
    with tlm.trace.open(path) as trace:
        assert not trace.complete
        assert trace.transactions["id"].tolist() == list(range(len(trace.transactions)))
        assert len(trace.transactions) >= 3 * schema.CHUNK_ROWS


@pytest.mark.parametrize(
    ("budget", "window", "text"),
    [
        ("500", None, "--trace-budget: .* with its unit"),
        ("1 kB", None, "--trace-budget: expected at least 4 MiB"),
        (None, "10 us", "expected BEGIN:END"),
        (None, "10:20", "--trace-window: .* with its unit"),
        (None, "20us:10us", "ends before it begins"),
    ],
)
def test_limits_that_mean_nothing_are_refused(
    budget: str | None, window: str | None, text: str
) -> None:
    """The option is named, and what was expected."""
    with pytest.raises(TraceError, match=text):
        parse_limits(budget, window)


def test_limits_are_written_with_units() -> None:
    """As on the command line."""
    assert parse_limits("500MB", "10us:20us") == TraceLimits(500_000_000, (10_000_000, 20_000_000))
    assert parse_limits(None, None) == TraceLimits()

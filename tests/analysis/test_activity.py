from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tlm_analysis.findings.activity import Untiled, covered_time, untiled, utilisation
from tlm_analysis.reading.coverage import makespan_ps
from tlm_analysis.reading.windows import window_edges

import tlm.trace
from tlm.trace import EngineState, TraceWriter, schema

ATTRS = dict.fromkeys(schema.RUN_ATTRIBUTES, "x")
Interval = tuple[int, int, EngineState]


def activity_trace(folder: Path, *engines: list[Interval]) -> tlm.trace.Trace:
    """A trace of FP engines with these (begin, end, what) intervals."""
    units = [(f"chip.core{i:02d}.fp", "fp") for i in range(len(engines))]
    writer = TraceWriter(folder / "trace.h5", "phase", ATTRS, "", units)
    for unit, intervals in enumerate(engines):
        for begin, end, what in intervals:
            writer.activity.append((unit, begin, end, what, 0, 0, 0, 1, 0, 1, 0))
    writer.close(True)
    return tlm.trace.open(folder)


def test_time_by_state_in_windows_by_hand(tmp_path: Path) -> None:
    """Two engines, windows of 10 ps: shares are those counted by hand, across window borders."""
    first = [(0, 5, EngineState.STALL_DRAM), (5, 20, EngineState.COMPUTE)]
    second = [(0, 15, EngineState.COMPUTE), (15, 20, EngineState.IDLE)]
    with activity_trace(tmp_path, first, second) as trace:
        use = utilisation(trace, "fp", np.array([0, 10, 20]))
    assert use.engines == 2
    assert use.shares[EngineState.COMPUTE].tolist() == [0.75, 0.75]
    assert use.shares[EngineState.STALL_DRAM].tolist() == [0.25, 0.0]
    assert use.shares[EngineState.IDLE].tolist() == [0.0, 0.25]
    assert use.other_shares.tolist() == [0.0, 0.0]


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 30)), max_size=12),
    st.lists(st.integers(0, 100), min_size=2, max_size=8),
)
def test_covered_time_equals_counting_every_picosecond(
    spans: list[tuple[int, int]], edges: list[int]
) -> None:
    """Cumulative sums give what a loop over picoseconds gives, overlaps counted twice."""
    begin = np.array([b for b, _ in spans], dtype=np.int64)
    end = np.array([b + length for b, length in spans], dtype=np.int64)
    cuts = np.sort(np.array(edges, dtype=np.int64))
    counted = [
        sum(b <= t < e for t in range(low, high) for b, e in zip(begin, end, strict=True))
        for low, high in pairwise(cuts)
    ]
    assert covered_time(begin, end, cuts).tolist() == counted


def test_covered_time_is_exact_in_a_long_trace() -> None:
    """A million intervals at the end of an hour: sums wrap around int64, differences do not."""
    begin = 3_600 * 10**12 + 10 * np.arange(1_000_000, dtype=np.int64)
    edges = np.array([begin[0], begin[500_000], begin[-1] + 10])
    assert covered_time(begin, begin + 7, edges).tolist() == [3_500_000, 3_500_000]


def test_intervals_that_tile_have_no_fault(tmp_path: Path) -> None:
    """Intervals that meet end to begin cover the time, in any order; empty ones do not count."""
    rows = [
        (5, 9, EngineState.COMPUTE),
        (0, 5, EngineState.IDLE),
        (9, 12, EngineState.IDLE),
        (7, 7, EngineState.IDLE),
    ]
    with activity_trace(tmp_path, rows) as trace:
        assert untiled(trace, makespan_ps(trace)) == ()


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ([(0, 5), (6, 12)], ("gap", 5, 6)),
        ([(0, 5), (4, 12)], ("overlap", 4, 5)),
        ([(0, 11)], ("gap", 11, 12)),
        ([(2, 12)], ("gap", 0, 2)),
        ([(0, 14)], ("overlap", 12, 14)),
        ([], ("gap", 0, 12)),
        ([(0, 12), (3, 4)], ("overlap", 3, 4)),
    ],
)
def test_each_fault_of_tiling_is_located(
    tmp_path: Path, rows: list[tuple[int, int]], fault: tuple[str, int, int]
) -> None:
    """A gap or an overlap is named with the engine and its place."""
    intervals = [(begin, end, EngineState.COMPUTE) for begin, end in rows]
    with activity_trace(tmp_path, intervals) as trace:
        first = untiled(trace, 12)[0]
    assert first == Untiled("chip.core00.fp", *fault)


def test_the_synthetic_run_tiles(run_dir: Path) -> None:
    """The run used by the other tests is sound itself."""
    with tlm.trace.open(run_dir) as trace:
        assert untiled(trace, makespan_ps(trace)) == ()


@given(st.integers(1, 10**13), st.integers(1, 300))
def test_windows_cover_the_run(end_ps: int, windows: int) -> None:
    """Edges run from 0 to the end without an empty window, their widths differing by 1 ps."""
    edges = window_edges(end_ps, windows)
    widths = np.diff(edges)
    assert (edges[0], edges[-1]) == (0, end_ps)
    assert widths.min() >= 1
    assert widths.max() - widths.min() <= 1

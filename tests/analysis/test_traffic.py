from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tlm_analysis.findings.traffic import dram_traffic, latencies
from tlm_analysis.reading.coverage import makespan_ps
from tlm_analysis.reading.windows import window_edges

import tlm.trace
from tlm.trace import TraceWriter, schema
from tlm.trace.dram_bytes import moved_nbytes

READ, WRITE, SPIKE = 0, 1, 2
UNITS = [("chip.core00.fp", "fp"), ("chip.core01.fp", "fp"), ("chip.dram0", "dram")]


def traffic_trace(folder: Path, rows: list[tuple[int, int, int, int, int]]) -> tlm.trace.Trace:
    """A trace of (begin_req, begin_resp, target, command, nbytes); answers take 10 ps back."""
    attrs = dict.fromkeys(schema.RUN_ATTRIBUTES, "x")
    writer = TraceWriter(folder / "trace.h5", "transaction", attrs, "", UNITS)
    for ident, (begin, answer, target, command, nbytes) in enumerate(rows):
        times = (begin, begin, answer, answer + 10)
        writer.transactions.append((ident, *times, 0, target, command, 0, 0, 0, 0, nbytes, 0))
    writer.close(True)
    return tlm.trace.open(folder)


def test_dram_bytes_by_window_by_hand(tmp_path: Path) -> None:
    """Reads count where DRAM answers; spikes to another core are not DRAM traffic."""
    rows = [
        (0, 50, 2, READ, 256),
        (0, 99, 2, WRITE, 64),
        (0, 100, 2, READ, 128),
        (0, 200, 2, READ, 32),  # at the very end: in the last window
        (0, 150, 1, SPIKE, 999),
    ]
    with traffic_trace(tmp_path, rows) as trace:
        traffic = dram_traffic(trace, np.array([0, 100, 200]), peak_gb_s=1e6)
    assert traffic.read_nbytes.tolist() == [256, 160]
    assert traffic.write_nbytes.tolist() == [64, 0]
    assert traffic.read_gb_s.tolist() == [2560.0, 1600.0]  # 2.56 bytes/ps = 2560 GB/s


def test_no_byte_is_lost_in_windows(run_dir: Path) -> None:
    """The windows' bytes add up to those of all transactions with DRAM."""
    with tlm.trace.open(run_dir) as trace:
        traffic = dram_traffic(trace, window_edges(makespan_ps(trace), 97), peak_gb_s=1e6)
        total = int(trace.transactions["nbytes"].sum(dtype=np.int64))
    assert traffic.read_nbytes.sum() + traffic.write_nbytes.sum() == total


@given(
    moves=st.lists(st.tuples(st.integers(0, 999), st.sampled_from([READ, WRITE])), max_size=40),
    windows=st.integers(1, 20),
)
def test_no_channel_moves_more_than_its_bus(moves: list[tuple[int, int]], windows: int) -> None:
    """However many writes are accepted at once, they move at the peak at most, and none before."""
    rows = np.zeros(len(moves), dtype=schema.TRANSACTION_DTYPE)
    rows["begin_resp"] = [time for time, _ in moves]
    rows["command"] = [command for _, command in moves]
    rows["nbytes"] = 64
    edges = np.linspace(0, 1000, windows + 1)
    read, written = moved_nbytes(rows, edges, bytes_per_ps=0.5)
    assert np.all(read + written <= 0.5 * np.diff(edges) + 1e-6)
    accepted = [64 * sum(c == WRITE and t < edge for t, c in moves) for edge in edges[1:]]
    assert np.all(np.cumsum(written) <= np.array(accepted) + 64 * (edges[1:] == 1000) + 1e-6)


def test_writes_wait_for_the_bus(tmp_path: Path) -> None:
    """Ten writes accepted at once take ten bursts' time to move; a read keeps its own time."""
    rows = [(0, 5, 2, WRITE, 64)] * 10 + [(0, 250, 2, READ, 64)]
    with traffic_trace(tmp_path, rows) as trace:
        traffic = dram_traffic(trace, np.arange(0, 1300, 100), peak_gb_s=640.0)  # 64 B a window
    assert traffic.read_nbytes.tolist() == [0, 0, 64] + [0] * 9
    assert traffic.write_nbytes.tolist() == [64, 64, 0] + [64] * 8 + [0]
    assert (traffic.read_gb_s + traffic.write_gb_s).max() == 640.0


def test_latency_distribution_by_command(tmp_path: Path) -> None:
    """Latency runs from begin_req to end_resp; commands that do not occur are left out."""
    rows = [(0, 100 * i, 2, READ, 64) for i in range(1, 102)] + [(5, 25, 2, WRITE, 64)]
    with traffic_trace(tmp_path, rows) as trace:
        read, write = latencies(trace)
    assert (read.command, read.count) == ("read", 101)
    assert (read.median_ps, read.max_ps) == (5110.0, 10110)
    assert read.mean_ps == pytest.approx(5110.0)
    assert read.p99_ps == pytest.approx(10010.0)
    assert (write.command, write.max_ps) == ("write", 30)

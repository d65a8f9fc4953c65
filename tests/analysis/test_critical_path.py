"""The critical path covers the run once, and follows waits to what ended them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tlm_analysis.findings.critical_path import RESOURCES, CriticalPath, critical_path

import tlm.trace
from tlm.running.runner import RunResult, run_job
from tlm.trace import EngineState, TraceWriter, schema
from tlm.workload.bundled import bundled_names

ATTRS = dict.fromkeys(schema.RUN_ATTRIBUTES, "synthetic")
UNITS = [("chip.core00.fp", "fp"), ("chip.core00.bp", "bp"), ("chip.core01.fp", "fp"),
         ("chip.dram0", "dram")]  # fmt: skip
FP0, BP0, FP1, DRAM = range(4)
Activity = tuple[int, int, int, EngineState]  # unit, begin, end, what
Move = tuple[int, int, int, int, int, int, int]  # four times, initiator, target, command


def path_of(folder: Path, activity: list[Activity], moves: list[Move]) -> CriticalPath:
    writer = TraceWriter(folder / "trace.h5", "transaction", ATTRS, "", UNITS)
    for unit, begin, end, what in activity:
        writer.activity.append((unit, begin, end, what, 0, 1, 0, 1, 0, 1, 0))
    for ident, (*times, initiator, target, command) in enumerate(moves):
        row = (ident, *times, initiator, target, command, 0, 1, 0, 0, 64, 0)
        writer.transactions.append(row)
    writer.close(complete=True)
    with tlm.trace.open(folder) as trace:
        return critical_path(trace)


def steps(path: CriticalPath) -> list[tuple[str, int, int]]:
    """(resource, begin, end) in order of time."""
    rows = zip(path.resource, path.begin_ps, path.end_ps, strict=True)
    return [(RESOURCES[resource], int(begin), int(end)) for resource, begin, end in rows][::-1]


def test_a_read_divides_into_network_and_memory(tmp_path: Path) -> None:
    """Compute behind a read: request, channel, response, then the engine itself."""
    activity = [(FP0, 0, 90, EngineState.STALL_DRAM), (FP0, 90, 100, EngineState.COMPUTE)]
    path = path_of(tmp_path, activity, [(0, 20, 70, 90, FP0, DRAM, 0)])
    assert steps(path) == [("noc", 0, 20), ("dram", 20, 70), ("noc", 70, 90), ("fp", 90, 100)]


def test_a_request_slower_than_its_equals_has_queued(tmp_path: Path) -> None:
    """Beyond the least time of the same route, the way to a channel is queueing."""
    activity = [(FP0, 0, 200, EngineState.STALL_DRAM), (FP0, 200, 210, EngineState.COMPUTE)]
    moves = [(0, 20, 60, 80, FP0, DRAM, 0), (0, 100, 150, 200, FP0, DRAM, 0)]
    found = steps(path_of(tmp_path, activity, moves))
    assert found[:3] == [("noc", 0, 20), ("queue", 20, 100), ("dram", 100, 150)]


def test_a_full_window_is_followed_to_the_transaction_that_held_it(tmp_path: Path) -> None:
    """A read issued when another came back continues with that one."""
    activity = [(FP0, 0, 100, EngineState.STALL_DRAM), (FP0, 100, 110, EngineState.COMPUTE)]
    moves = [(0, 10, 40, 50, FP0, DRAM, 0), (50, 60, 90, 100, FP0, DRAM, 0)]
    found = steps(path_of(tmp_path, activity, moves))
    assert [step[0] for step in found] == ["noc", "dram", "noc", "noc", "dram", "noc", "fp"]


def test_a_read_that_waited_for_its_data_is_followed_to_who_wrote_them(tmp_path: Path) -> None:
    """An engine that has not begun fetches ahead as soon as another core's write has ended."""
    activity = [
        (FP1, 0, 30, EngineState.COMPUTE),
        (BP0, 0, 100, EngineState.NOT_BEGUN),
        (BP0, 100, 150, EngineState.STALL_DRAM),
        (BP0, 150, 160, EngineState.COMPUTE),
    ]
    moves = [(30, 40, 50, 60, FP1, DRAM, 1), (60, 70, 140, 150, BP0, DRAM, 0)]
    path = path_of(tmp_path, activity, moves)
    assert steps(path)[0] == ("fp", 0, 30)
    assert path.shares["dependency"] == 0.0


def test_a_message_leads_to_its_sender(tmp_path: Path) -> None:
    """A wait for the NoC goes back to the core that sent, and its computing."""
    activity = [
        (FP1, 0, 60, EngineState.COMPUTE),
        (FP0, 0, 60, EngineState.STALL_DEPENDENCY),
        (FP0, 60, 80, EngineState.STALL_NOC),
        (FP0, 80, 100, EngineState.COMPUTE),
    ]
    path = path_of(tmp_path, activity, [(60, 80, 80, 80, FP1, FP0, 2)])
    assert steps(path) == [("fp", 0, 60), ("noc", 60, 80), ("fp", 80, 100)]


def test_other_work_is_that_of_the_same_core_first(tmp_path: Path) -> None:
    """Two engines end as a wait for other work does: the one beside it is the cause."""
    activity = [
        (FP1, 0, 50, EngineState.COMPUTE),
        (FP0, 20, 50, EngineState.COMPUTE),
        (FP0, 0, 20, EngineState.STALL_WRITEBACK),
        (BP0, 0, 50, EngineState.STALL_DEPENDENCY),
        (BP0, 50, 70, EngineState.COMPUTE),
    ]
    assert steps(path_of(tmp_path, activity, [])) == [
        ("writeback", 0, 20), ("fp", 20, 50), ("bp", 50, 70)
    ]  # fmt: skip


@pytest.mark.parametrize(
    "job",
    [
        pytest.param(name, marks=() if name == "mnist-csnn" else pytest.mark.slow)
        for name in bundled_names("training")
    ],
)
def test_no_wait_of_a_bundled_job_is_left_untraced(job: str, tmp_path: Path) -> None:
    """All of the run is computing, memory and network."""
    with tlm.trace.open(run_job(job, out=tmp_path / "run").folder) as trace:
        shares = critical_path(trace).shares
    assert shares["writeback"] == shares["dependency"] == shares["idle"] == 0.0


def test_a_real_path_covers_the_run_and_leaves_nothing_untraced(digits_run: RunResult) -> None:
    """Stretches follow each other from 0 to the makespan; every wait had a recorded cause."""
    with tlm.trace.open(digits_run.folder) as trace:
        path = critical_path(trace)
    assert path.end_ps[0] == digits_run.summary.time.makespan_ps
    assert path.begin_ps[-1] == 0
    assert np.array_equal(path.begin_ps[:-1], path.end_ps[1:])
    assert sum(path.shares.values()) == pytest.approx(1.0)
    assert path.shares["writeback"] + path.shares["dependency"] + path.shares["idle"] == 0.0
    for phase, row in path.shares_by_phase.items():
        assert phase in schema.PHASE_NAMES and min(row.values()) > 0

"""What a process is measured by, in which order processes run, and what a failure looks like."""

from __future__ import annotations

import sys

import pytest

from benchmarks.measuring import Program, in_turn, measure

BUSY = """
import json, time
block = bytearray(64 << 20)
while time.process_time() < 0.3: pass
print("a word before")
print(json.dumps({"amount": 7, "cpu_s": 0.25}))
"""


QUICK = 'print(\'{"amount": %d, "cpu_s": 1}\')'


def program(name: str, code: str, agrees: bool = False) -> Program:
    return Program("test", name, (sys.executable, "-c", code), agrees=agrees)


def test_a_process_is_measured_from_outside() -> None:
    """CPU time and peak memory are the parent's account, the work's figures the child's word."""
    row = measure(program("busy", BUSY))
    assert 0.3 <= row.cpu_s < 3
    assert 64 < row.peak_mib
    assert (row.amount, row.work_cpu_s) == (7, 0.25)


def test_a_peak_is_the_child_s_own() -> None:
    """However large the process that asked for it."""
    ballast = b"\1" * (256 << 20)
    assert measure(program("small", QUICK % len(ballast))).peak_mib < 64


def test_programs_take_turns() -> None:
    """A B A B."""
    rows = list(in_turn([program("a", QUICK % 1), program("b", QUICK % 2)], 2))
    assert [(row.program, row.repeat) for row in rows] == [("a", 0), ("b", 0), ("a", 1), ("b", 1)]


@pytest.mark.parametrize("code", ["raise SystemExit(3)", "pass"])
def test_a_failure_is_no_figure(code: str) -> None:
    """Neither an exit code nor a missing line is passed over."""
    with pytest.raises(RuntimeError, match="exit"):
        measure(program("broken", code))


def test_equal_work_is_counted_equally() -> None:
    """Programs that should agree and do not are no comparison."""
    rows = in_turn([program("a", QUICK % 1, agrees=True), program("b", QUICK % 2, agrees=True)], 1)
    with pytest.raises(RuntimeError, match="test: b counts 2, a 1"):
        list(rows)

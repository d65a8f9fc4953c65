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


def program(name: str, code: str) -> Program:
    return Program("test", name, (sys.executable, "-c", code))


def test_a_process_is_measured_from_outside() -> None:
    """CPU time and peak memory are the parent's account, the work's figures the child's word."""
    row = measure(program("busy", BUSY))
    assert 0.3 <= row.cpu_s < 3
    assert 64 < row.peak_mib < 200
    assert (row.amount, row.work_cpu_s) == (7, 0.25)


def test_programs_take_turns() -> None:
    """A B A B."""
    quick = 'print(\'{"amount": 1, "cpu_s": 1}\')'
    rows = list(in_turn([program("a", quick), program("b", quick)], 2))
    assert [(row.program, row.repeat) for row in rows] == [("a", 0), ("b", 0), ("a", 1), ("b", 1)]


@pytest.mark.parametrize("code", ["raise SystemExit(3)", "pass"])
def test_a_failure_is_no_figure(code: str) -> None:
    """Neither an exit code nor a missing line is passed over."""
    with pytest.raises(RuntimeError, match="exit"):
        measure(program("broken", code))

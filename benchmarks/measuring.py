"""Runs programs in turn, each in a process of its own, and takes what each costs."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_SEARCHED = os.pathsep.join((str(ROOT), str(ROOT / "analysis")))
# Everything on one core: linear algebra in threads would add CPU time that no wall clock shows.
ENVIRONMENT = {"PYTHONPATH": _SEARCHED, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Program:
    """One way to do a piece of work.

    ``command`` ends its output with a line of JSON: ``amount``, in the units of the work, and
    ``cpu_s`` of the work alone.
    """

    work: str
    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Measurement:
    """What a process took, by its parent's account of it: CPU of all its threads, user and system.

    ``work_cpu_s`` and ``amount`` are the program's own words about the work alone.
    """

    work: str
    program: str
    repeat: int
    cpu_s: float
    wall_s: float
    peak_mib: float
    work_cpu_s: float
    amount: float


def measure(program: Program, repeat: int = 0) -> Measurement:
    """Run a program once.

    Raises:
        RuntimeError: it fails.
    """
    environment = {**os.environ, **ENVIRONMENT, **program.environment}
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as output:
        began = time.perf_counter()
        process = subprocess.Popen(program.command, cwd=folder, env=environment, stdout=output)
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        lines = output.read().splitlines()
    if process.returncode or not lines:
        raise RuntimeError(f"{' '.join(program.command)}: exit {process.returncode}: {lines[-5:]}")
    figures = json.loads(lines[-1])
    return Measurement(
        work=program.work,
        program=program.name,
        repeat=repeat,
        cpu_s=usage.ru_utime + usage.ru_stime,
        wall_s=wall_s,
        peak_mib=usage.ru_maxrss / 1024,
        work_cpu_s=figures["cpu_s"],
        amount=figures["amount"],
    )


def in_turn(programs: Sequence[Program], repeats: int) -> Iterator[Measurement]:
    """Measure all programs, then all again (A B A B), so that a slow spell meets all of them."""
    for repeat in range(repeats):
        for program in programs:
            yield measure(program, repeat)

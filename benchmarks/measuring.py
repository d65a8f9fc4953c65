"""Runs programs in turn, each in a process of its own, and takes what each costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LAUNCHER = ROOT / "benchmarks" / "launcher.py"
_SEARCHED = os.pathsep.join((str(ROOT), str(ROOT / "analysis")))
# Everything on one core: linear algebra in threads would add CPU time that no wall clock shows.
# Bytecode is kept, as that of an installed package is.
ENVIRONMENT = {
    "PYTHONPATH": _SEARCHED,
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "",
}


@dataclass(frozen=True)
class Program:
    """One way to do a piece of work.

    ``command`` ends its output with a line of JSON: ``amount``, in the units of the work, and
    ``cpu_s`` of the work alone; ``built_cpu_s``, if it says so, with loading and building before
    it. ``agrees``: its amount must be that of the other programs of the work that agree.
    """

    work: str
    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    agrees: bool = False


@dataclass(frozen=True)
class Measurement:
    """What a process took, by its launcher's account: CPU of all its threads, user and system.

    ``work_cpu_s``, ``built_cpu_s`` and ``amount`` are the program's own words: CPU-seconds of the
    work alone, those with loading and building (None if it does not say), and how much was done.
    """

    work: str
    program: str
    repeat: int
    cpu_s: float
    wall_s: float
    peak_mib: float
    work_cpu_s: float
    built_cpu_s: float | None
    amount: float


def measure(program: Program, repeat: int = 0) -> Measurement:
    """Run a program once.

    Raises:
        RuntimeError: it fails.
    """
    environment = {**os.environ, **ENVIRONMENT, **program.environment}
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as reports:
        report = Path(reports) / "report.json"
        launch = [sys.executable, "-I", "-S", str(LAUNCHER), str(report), *program.command]
        process = subprocess.run(
            launch, cwd=folder, env=environment, capture_output=True, text=True
        )
        lines = process.stdout.splitlines()
        if process.returncode or not lines:
            command, last = " ".join(program.command), process.stderr.splitlines()[-1:]
            raise RuntimeError(f"{command}: exit {process.returncode}: {lines[-5:] + last}")
        taken = json.loads(report.read_text(encoding="ascii"))
    told = json.loads(lines[-1])
    return Measurement(
        work=program.work,
        program=program.name,
        repeat=repeat,
        cpu_s=taken["cpu_s"],
        wall_s=taken["wall_s"],
        peak_mib=taken["peak_mib"],
        work_cpu_s=told["cpu_s"],
        built_cpu_s=told.get("built_cpu_s"),
        amount=told["amount"],
    )


def in_turn(programs: Sequence[Program], repeats: int) -> Iterator[Measurement]:
    """Measure all programs, then all again (A B A B), so that a slow spell meets all of them.

    Raises:
        RuntimeError: one fails, or counts another amount than those that it should agree with.
    """
    agreed: dict[str, Measurement] = {}
    for repeat in range(repeats):
        for program in programs:
            row = measure(program, repeat)
            if program.agrees:
                first = agreed.setdefault(row.work, row)
                if row.amount != first.amount:
                    raise RuntimeError(
                        f"{row.work}: {row.program} counts {row.amount:,}, "
                        f"{first.program} {first.amount:,}"
                    )
            yield row

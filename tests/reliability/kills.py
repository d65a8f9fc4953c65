"""Runs ended by signals: ``python -m tests.reliability.kills --n 200`` sends that many.

A run is started as a user starts it, and at a random moment gets SIGKILL, SIGTERM or Ctrl-C. Then
its folder must tell the truth: the manifest's status and the exit code fit the signal, every
committed row of the trace is the one an undisturbed run writes, partial results are there after a
signal heard in or after the simulation, no temporary file is left, and nothing claims to be a
summary that is not one.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import tlm
import tlm.trace
from tests.reliability.rows import committed_faults
from tlm.running.manifest import read_manifest
from tlm.running.results import PARTIAL_NAME

JOB = ("mnist-fc",)
SIGNALS = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}
NOT_SIMULATED = "the building of the chip"  # ends the reason of a run that has no partial results
HEARD = {signal.SIGTERM: "interrupted", signal.SIGINT: "interrupted", signal.SIGKILL: "killed"}


def environment() -> dict[str, str]:
    """The environment of a process that runs this program, analysis included."""
    root = Path(tlm.__file__).parents[1]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root / "analysis")])}


def start(out: Path) -> subprocess.Popen[bytes]:
    """Start a run in a process of its own."""
    command = [sys.executable, "-m", "tlm", "run", *JOB, "--out", str(out)]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, env=environment(), stdout=quiet, stderr=quiet)


def faults_after(number: signal.Signals, code: int, out: Path, whole: Path) -> list[str]:
    """What is wrong with the folder of a run that got a signal; ``whole`` is an undisturbed run."""
    early = -number  # before the program looks after signals, the system does
    if not (out / "manifest.json").exists():  # before it began: nothing but a lock may be there
        rest = [path.name for path in out.iterdir()] if out.exists() else []
        found = [f"left {name}" for name in rest if not name.startswith(".")]
        return found + [f"code {code}"] * (code not in (early, SIGNALS[number]))
    manifest = read_manifest(out)
    status = manifest["status"]
    found = []
    if status == "ok" and number != signal.SIGKILL:
        expected = {0, early, SIGNALS[number]}  # over before it heard, or while it printed
    else:
        expected = {SIGNALS[number]}
        if status != HEARD[number] and not (status == "ok" and number == signal.SIGKILL):
            found.append(f"status {status} after {number.name}")
    if code not in expected:
        found.append(f"exit code {code}, status {status}, after {number.name}")
    has_partial = status == "interrupted" and not manifest["reason"].endswith(NOT_SIMULATED)
    return [*found, *_file_faults(status, has_partial, out), *committed_faults(out, whole)]


def _file_faults(status: str, has_partial: bool, out: Path) -> list[str]:
    """Files that should not be there, or should, for a status and for partial results or none."""
    names = {path.name for path in out.iterdir()}
    found = []
    if status != "killed" and any(name.startswith(".") for name in names):
        found.append(f"left {sorted(names)}")
    if has_partial != (PARTIAL_NAME in names):
        found.append(f"partial results: {PARTIAL_NAME in names}, status {status}")
    if status == "interrupted" and "summary.json" in names:
        found.append("a summary of an interrupted run")
    for name in names & {"summary.json", PARTIAL_NAME}:
        json.loads((out / name).read_text())
    return found


def run(count: int, seed: int = 0, show: Callable[[str], object] = print) -> Counter[str]:
    """Interrupt ``count`` runs; returns how often each status was left, and ``fault``."""
    draw, found = random.Random(seed), Counter[str]()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        began = time.perf_counter()
        assert start(folder / "whole").wait() == 0
        longest = 1.1 * (time.perf_counter() - began)
        for index in range(count):
            number = draw.choice(list(SIGNALS))
            out = folder / f"{index}"
            process = start(out)
            delay = draw.uniform(0.5 * longest if index % 4 else 0.0, longest)
            try:
                code = process.wait(timeout=delay)
            except subprocess.TimeoutExpired:
                process.send_signal(number)
                code = process.wait(timeout=60)
            wrong = [] if code == 0 else faults_after(number, code, out, folder / "whole")
            left = (out / "manifest.json").exists()
            word = f"{number.name} {read_manifest(out)['status'] if left else 'before it began'}"
            found["fault" if wrong else word] += 1
            for text in wrong:
                show(f"{index}: {number.name} after {delay:.3f} s: {text}")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=200, help="how many signals")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    result = run(options.n, options.seed)
    print(f"{result.total()} runs: " + ", ".join(f"{n} {word}" for word, n in result.items()))
    sys.exit(bool(result["fault"]))

"""Same inputs, same bytes: jobs run again under other hash seeds, folders, levels and Pythons.

``python -m tests.reliability.matrix JOB ... --python /path/to/python3.12 ...`` prints a row for
each job: which repetitions agree to the byte with the first. Each is a process of its own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.running.test_determinism import datasets
from tlm.workload.bundled import bundled_names

FILES = ("summary.json", "energy.csv", "stats.csv", "mapping.yaml")
ROOT = Path(__file__).resolve().parents[2]


def tlm(python: str, seed: str, folder: Path, *words: str) -> bool:
    """Run the command line in ``folder``; whether it ended well."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [python, "-m", "tlm", *words], cwd=folder, env=environment, capture_output=True, check=False
    )
    return done.returncode == 0


def agree(one: Path, two: Path) -> bool:
    """Whether two run folders hold the same figures and, if both have one, the same trace."""
    if any((one / name).read_bytes() != (two / name).read_bytes() for name in FILES):
        return False
    return datasets(one / "trace.h5") == datasets(two / "trace.h5")


def row(job: str, pythons: list[str], folder: Path) -> dict[str, bool]:
    """How a job's repetitions compare with its first run."""
    first = folder / "a" / "first"
    if not tlm(sys.executable, "1", first.parent, "run", job, "--out", "first"):
        return {"first run": False}
    found = {
        "rerun, other seed and folder": tlm(
            sys.executable, "4711", folder / "b with spaces", "rerun", str(first)
        )
    }
    for level in ("off", "phase"):
        again = folder / level / "run"
        words = ("run", job, "--out", str(again), "--trace", level)
        found[f"trace {level}"] = tlm(sys.executable, "2", again.parent, *words) and all(
            (again / name).read_bytes() == (first / name).read_bytes() for name in FILES
        )
    for python in pythons:
        version = subprocess.run([python, "-V"], capture_output=True, text=True, check=True).stdout
        again = folder / version.split()[1] / "run"
        found[version.strip()] = tlm(
            python, "3", again.parent, "run", job, "--out", str(again)
        ) and agree(first, again)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", nargs="*", default=[], help="other interpreters")
    parser.add_argument("jobs", nargs="*", default=bundled_names("training"))
    asked = parser.parse_args()
    good = True
    for name in asked.jobs:
        with tempfile.TemporaryDirectory() as temporary:
            outcome = row(name, asked.python, Path(temporary))
        good &= all(outcome.values())
        cells = [f"{what} {'same' if same else 'DIFFERS'}" for what, same in outcome.items()]
        print(f"| {name} | {', '.join(cells)} |", flush=True)
    sys.exit(not good)

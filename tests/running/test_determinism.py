"""Same inputs, same bytes out: whatever the hash seed, the folder or the trace level."""

import os
import subprocess
import sys
from pathlib import Path

import h5py
import pytest

from tlm.running.runner import run_job

JOB = "mnist-fc"
CHIP_OPTIONS = ("--set", "noc.payload=1 KiB")  # fewer, larger transactions: a shorter test


def run_in(folder: Path, seed: str) -> Path:
    """Run the job from ``folder`` in a process with its own hash seed; returns the run folder."""
    folder.mkdir()
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    command = [sys.executable, "-m", "tlm", "run", JOB, "--out", "result", *CHIP_OPTIONS]
    root = str(Path(__file__).resolve().parents[2])
    environment["PYTHONPATH"] = root
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    return folder / "result"


def datasets(path: Path) -> dict[str, bytes]:
    """The bytes of every dataset and attribute of a trace."""
    with h5py.File(path, "r", swmr=True) as file:
        found = {name: file[name][()].tobytes() for name in file}
        found |= {f"@{key}": str(value).encode() for key, value in file.attrs.items()}
    return found


def test_two_processes_in_two_folders_agree_to_the_byte(tmp_path: Path) -> None:
    """Summary, energy, mapping and trace data do not depend on hash seed or folder."""
    one = run_in(tmp_path / "one", "1")
    two = run_in(tmp_path / "another, with a longer name", "4711")
    for name in ("summary.json", "energy.csv", "stats.csv", "mapping.yaml"):
        assert (one / name).read_bytes() == (two / name).read_bytes(), name
    assert datasets(one / "trace.h5") == datasets(two / "trace.h5")


@pytest.mark.parametrize("level", ["off", "phase"])
def test_the_trace_level_changes_nothing_but_the_trace(tmp_path: Path, level: str) -> None:
    """A run without a full trace gives the same summary."""
    options = [CHIP_OPTIONS[1]]
    full = run_job(JOB, out=tmp_path / "full", overrides=options)
    less = run_job(JOB, out=tmp_path / level, overrides=options, trace=level)
    assert less.summary == full.summary
    assert (less.folder / "trace.h5").exists() == (level != "off")

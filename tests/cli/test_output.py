"""Standard output that takes nothing: a full device, and a pipe that nobody reads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.reliability.kills import environment
from tlm.running.manifest import read_manifest

VERBS = {
    "typer": ("presets",),
    "rich": ("area",),
    "csv": ("dram", "--pattern", "rand_rd", "--count", "10"),
    "help": ("--help",),
    "a run": ("run", "digits", "--trace", "off"),
}

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


def words_of(name: str, tmp_path: Path) -> list[str]:
    """A command line; that of a run with its folder."""
    out = ["--out", str(tmp_path / "run")] if name == "a run" else []
    return [sys.executable, "-m", "tlm", *VERBS[name], *out]


@pytest.mark.parametrize("name", VERBS)
def test_a_full_device_is_a_full_disk(tmp_path: Path, name: str) -> None:
    """Exit code 6 and one line that says what is lost; the files of a run are whole."""
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            words_of(name, tmp_path),
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    (line,) = ended.stderr.splitlines()
    assert ended.returncode == 6
    assert line.startswith("tlm: standard output: what is printed is lost, files are whole")
    if name == "a run":
        assert read_manifest(tmp_path / "run")["status"] == "ok"


@pytest.mark.parametrize("name", VERBS)
def test_a_pipe_that_nobody_reads_ends_it_in_silence(tmp_path: Path, name: str) -> None:
    """As SIGPIPE ends other programs: 128 + 13."""
    with subprocess.Popen(
        words_of(name, tmp_path),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


def test_neither_stream_may_take_anything() -> None:
    """The exit code is all that is left to tell."""
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "tlm", "presets"]
        ended = subprocess.run(command, env=environment(), stdout=full, stderr=full, check=False)
    assert ended.returncode == 6

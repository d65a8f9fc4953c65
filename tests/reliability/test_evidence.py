"""The evidence scripts in reduced form; marked slow, in full."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.reliability import corrupt, disks, kills, soak
from tests.reliability.mutants import ROOT, mutants

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs fork, signals and limits")


def test_corrupted_inputs_are_refused_or_harmless() -> None:
    """Of 140 damaged files of fourteen kinds none shows a traceback, hangs, or passes changed."""
    faults: list[str] = []
    found = corrupt.run(140, faults.append)
    assert not any(found[word] for word in corrupt.FAULTS), faults
    assert found[corrupt.REFUSED] > 70


@pytest.mark.slow
def test_ten_thousand_corrupted_inputs() -> None:
    """The full form."""
    faults: list[str] = []
    found = corrupt.run(10_000, faults.append)
    assert not any(found[word] for word in corrupt.FAULTS), faults


def test_a_harmful_reader_would_be_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The harness tells a traceback, a hang, a crash and a silent acceptance from a refusal."""
    monkeypatch.setattr(corrupt, "SECONDS", 1)
    intact = tmp_path / "a.h5"
    intact.write_bytes(bytes(range(256)))
    harms: dict[str, Callable[[], object]] = {
        "traceback": lambda: 1 // 0,
        "hang": lambda: time.sleep(9),
        "crash": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "changed": lambda: None,
    }
    for word, harm in harms.items():

        def read(path: Path, harm: Callable[[], object] = harm) -> str:
            if path != intact:
                harm()
            return path.read_bytes().hex()

        kind = corrupt.Kind(word, (intact,), corrupt.spoil_bytes, read, True)
        found = [text.split(":")[0] for _, text in corrupt.outcomes(kind, range(3), tmp_path)]
        assert word in found  # two equal bytes exchanged are no damage
        assert set(found) <= {word, corrupt.SAME}


def test_signals_at_random_moments() -> None:
    """Three runs interrupted by SIGKILL, SIGTERM and Ctrl-C leave folders that tell the truth."""
    faults: list[str] = []
    assert not kills.run(3, seed=5, show=faults.append)["fault"], faults


@pytest.mark.slow
def test_two_hundred_signals() -> None:
    """The full form."""
    faults: list[str] = []
    assert not kills.run(200, show=faults.append)["fault"], faults


def test_full_disks() -> None:
    """A disk too small, one that fills up, and a file size limit."""
    faults: list[str] = []
    assert not disks.run(3, seed=1, show=faults.append)["fault"], faults


@pytest.mark.slow
def test_fifty_full_disks() -> None:
    """The full form."""
    faults: list[str] = []
    assert not disks.run(50, show=faults.append)["fault"], faults


def test_random_jobs_end_ok_in_one_process() -> None:
    """Three seconds of the soak; whether memory grows only shows in its longer forms."""
    assert len(list(soak.resident(3.0, seed=2))) >= 2


@pytest.mark.slow
def test_memory_does_not_grow_in_five_minutes() -> None:
    """The middle form of ``python -m tests.reliability.soak --minutes 30``."""
    assert soak.run(5.0) < soak.GROWTH_BYTES


def test_every_mutant_finds_its_line() -> None:
    """The text that a mutant replaces stands exactly once in its file."""
    lost = [
        mutant.name
        for mutant in mutants()
        if (ROOT / mutant.path).read_text().count(mutant.old) != 1
    ]
    assert lost == []

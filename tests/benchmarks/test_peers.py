"""Peers get the work that our runs do, and a peer that is missing is told in one line."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from benchmarks.children import macs, recorded
from benchmarks.peers import environment

JOBS = ("digits", "nmnist-cnn")


def peer_program(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A program that runs in a peer's environment, with nothing behind the peer's names."""
    for module in ("sanafe", "scalesim", "scalesim.scale_sim"):
        monkeypatch.setitem(sys.modules, module, ModuleType(module))
    sys.modules["scalesim.scale_sim"].scalesim = None  # type: ignore[attr-defined]
    return importlib.import_module(f"benchmarks.peers.{name}")


def written(job: str, folder: Path) -> dict[str, Any]:
    """A job as peers read it."""
    recorded.main(job, str(folder / "job.json"))
    return json.loads((folder / "job.json").read_text(encoding="ascii"))


def counted(job: str, kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch,
            capsys: pytest.CaptureFixture[str]) -> int:  # fmt: skip
    """The amount that our own run says."""
    monkeypatch.chdir(folder)
    macs.main(job, "simpy", kind)
    return json.loads(capsys.readouterr().out.splitlines()[-1])["amount"]


@pytest.mark.parametrize("job", JOBS)
def test_events_over_synapses_are_our_useful_operations(
    job: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What SANA-FE is given makes as many synaptic operations as our forward pass."""
    synapses = peer_program("sanafe_replay", monkeypatch).synapses
    operations = sum(
        layer["events"][source].count("1")
        for layer in written(job, tmp_path)["layers"]
        for source, _ in synapses(layer)
    )
    assert operations == counted(job, "synaptic", tmp_path, monkeypatch, capsys)


def test_products_are_our_dense_operations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What SCALE-Sim is given makes as many multiply-accumulates as our training iteration."""
    products = peer_program("scalesim_gemms", monkeypatch).products
    operations = sum(m * n * k for m, n, k in products(written("digits", tmp_path)))
    assert operations == counted("digits", "dense", tmp_path, monkeypatch, capsys)


def test_a_peer_that_cannot_be_installed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By pip's last line; the next call tries again."""
    calls = []

    def run(command: Any, **_: Any) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        return subprocess.CompletedProcess(command, int("pip" in command), "", "No\nno such thing")

    monkeypatch.setattr(environment, "FOLDER", tmp_path)
    monkeypatch.setattr(subprocess, "run", run)
    for _ in range(2):
        with pytest.raises(environment.Unavailable, match=r"^pip install thing==1: no such"):
            environment.python_with("thing", "thing==1")
    assert len(calls) == 4

"""A run repeated from its own folder: identical, or the first difference is named."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path

import pytest

from tests.reliability.samples import QUICK
from tlm.cli import main
from tlm.running.cost import estimate
from tlm.running.manifest import read_manifest
from tlm.running.preparation import prepare
from tlm.running.request import RunRequest
from tlm.running.results import file_digest
from tlm.running.runner import run_job
from tlm.trace.disk_space import Room
from tlm.trace.limits import NO_LIMITS


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run with its trace."""
    return run_job("mnist-fc", overrides=QUICK, out=tmp_path_factory.mktemp("runs") / "run").folder


@pytest.fixture
def copied(original: Path, tmp_path: Path) -> Path:
    """A copy of it to tamper with."""
    return Path(shutil.copytree(original, tmp_path / "run"))


def edit(folder: Path, name: str, old: str, new: str) -> None:
    """Change a file of a run and its digest in the manifest, as another program's run would."""
    path = folder / name
    path.write_text(path.read_text().replace(old, new))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["results"][name] = file_digest(path)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def rerun(capsys: pytest.CaptureFixture[str], folder: Path, code: int) -> str:
    """What ``rerun`` prints when it ends with ``code``."""
    assert main(["rerun", str(folder)]) == code
    shown = capsys.readouterr()
    return shown.err if code else shown.out


def test_the_manifest_records_what_was_asked_and_used(original: Path) -> None:
    """Versions, digests, seed, arguments, an estimate before and the costs after."""
    manifest = read_manifest(original)
    assert manifest["request"]["overrides"] == list(QUICK)
    assert manifest["inputs"]["seed"] is None
    assert {"workload_sha256", "config_sha256", "energy_sha256", "dram_sha256"} < set(
        manifest["inputs"]
    )
    assert set(manifest["results"]) == {
        path.name for path in original.iterdir() if path.name != "manifest.json"
    }
    assert len(manifest["source_sha256"]) == 64


def test_the_estimate_counts_transactions_exactly(original: Path) -> None:
    """And is right about events, trace and memory within a factor of two."""
    manifest = read_manifest(original)
    told, cost = manifest["estimate"], manifest["cost"]
    assert told["transactions"] == cost["transactions"]
    assert 0.5 < told["events"] / cost["events"] < 2
    assert 0.5 < told["trace_bytes"] / (original / "trace.h5").stat().st_size < 2
    prepared = prepare(RunRequest("mnist-fc", overrides=QUICK))
    less = estimate(prepared.program, prepared.chip.config, "off", NO_LIMITS, "simpy")
    assert less.trace_bytes == 0
    assert less.transactions == told["transactions"]


def test_a_rerun_is_identical(
    copied: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every file, the trace included, wherever the folder lies now and whoever asks from where."""
    monkeypatch.chdir(tmp_path)
    line = rerun(capsys, copied, 0)
    assert line == "identical: mapping.yaml, summary.json, energy.csv, stats.csv, trace.h5\n"


def test_the_first_difference_is_named(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """File, line, what it was and what it is; exit code 3."""
    edit(copied, "energy.csv", "fp,mac_add", "fp,mac_bad")
    line = rerun(capsys, copied, 3)
    assert "not reproduced: energy.csv line" in line
    assert "mac_bad" in line


@pytest.mark.parametrize(
    ("name", "old", "new", "text"),
    [
        ("config.resolved.yaml", "clock: ", "clock:  ", "changed since the run wrote it"),
        ("manifest.json", '"status": "ok"', '"status": "interrupted"', "only a run that reached"),
        ("manifest.json", '"overrides": [', '"overrides": [1, ', "request.overrides.0"),
        ("manifest.json", '"trace": "transaction"', '"trace": "all"', "request.trace: expected"),
        ("manifest.json", '"activity": "recorded",', "", "request.activity: missing"),
        ("manifest.json", '"workload_sha256": "', '"workload_sha256": "0', "has changed since"),
    ],
)
def test_a_record_that_is_not_whole_is_refused(
    copied: Path, capsys: pytest.CaptureFixture[str], name: str, old: str, new: str, text: str
) -> None:
    """One line, exit code 2."""
    path = copied / name
    changed = path.read_text().replace(old, new)
    assert changed != path.read_text()
    path.write_text(changed)
    line = rerun(capsys, copied, 2)
    assert text in line
    assert line.count("\n") == 1


def test_a_full_disk_is_no_difference(
    original: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A new run whose trace has no room says so, rather than that the old one is not reproduced."""

    def full(room: Room, nbytes: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Room, "require", full)
    assert "the disk is full: the trace ends early, nothing compared" in rerun(capsys, original, 6)

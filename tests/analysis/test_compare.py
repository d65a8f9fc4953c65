"""A difference taken apart adds up to the whole, without remainder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tlm_analysis.findings.compare import compare_runs
from tlm_analysis.report import report_html

from tlm.cli import main
from tlm.config import load_chip
from tlm.errors import TraceError
from tlm.running.runner import RunResult, run_job


@pytest.fixture(scope="module")
def other_run(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    folder = tmp_path_factory.mktemp("other") / "run"
    return run_job("digits", overrides=["core.engines.fp.mode=dense"], out=folder)


def test_parts_add_up_exactly(digits_run: RunResult, other_run: RunResult) -> None:
    """Times in ps are integers and must agree exactly, energies to the rounding of the summary."""
    found = compare_runs(digits_run.folder, other_run.folder)
    first, second = digits_run.summary, other_run.summary
    longer = second.time.makespan_ps - first.time.makespan_ps
    assert sum(part.change for part in found.time) == longer != 0
    dearer = second.energy.total_pj - first.energy.total_pj
    assert float(sum(part.change for part in found.energy)) == pytest.approx(dearer, rel=1e-9)
    assert all(part.work + part.price == part.change for part in found.energy)
    assert found.values == {"core.engines.fp.mode": ("vector", "dense")}


def test_dense_forward_work_is_what_costs(digits_run: RunResult, other_run: RunResult) -> None:
    """Executing every slot shows as work of the FP engine, at the same prices."""
    found = compare_runs(digits_run.folder, other_run.folder)
    changed = {part.key: part for part in found.energy if part.change}
    assert changed["fp", "mac_add"].work > 0
    assert all(part.price == 0 for part in found.energy)


def test_a_run_is_no_different_from_itself(digits_run: RunResult) -> None:
    """Every part is the same, every change zero."""
    found = compare_runs(digits_run.folder, digits_run.folder)
    assert not any(part.change for part in (*found.time, *found.energy))
    assert found.values == {} and found.split_otherwise == ()


def test_a_folder_without_a_run_is_refused(digits_run: RunResult, tmp_path: Path) -> None:
    """One line says what was expected."""
    with pytest.raises(TraceError, match=r"summary\.json: no such file"):
        compare_runs(digits_run.folder, tmp_path)
    with pytest.raises(TraceError, match="no such folder"):
        compare_runs(tmp_path / "nowhere", digits_run.folder)


def test_a_run_of_other_work_is_said_to_be_one(
    digits_run: RunResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another job, activity, iteration or schedule: the difference is not one of chips."""
    assert compare_runs(digits_run.folder, digits_run.folder).other_work == {}
    others = {
        "job": run_job("mnist-fc", out=tmp_path / "job"),
        "activity": run_job("digits", activity="dense", out=tmp_path / "activity"),
        "iteration": run_job("digits", iteration=0, out=tmp_path / "iteration"),
        "schedule": run_job(
            "digits", overrides=["mapping.schedule=wavefront"], out=tmp_path / "schedule"
        ),
    }
    for name, other in others.items():
        assert name in compare_runs(digits_run.folder, other.folder).other_work
        assert main(["compare", str(digits_run.folder), str(other.folder)]) == 0
        words = " ".join(capsys.readouterr().out.split())
        assert "not the same work" in words and "the difference is not one of chips" in words


def test_overrides_are_part_of_the_chips_name(
    other_run: RunResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Screen, report, summary, manifest and comparison name the chip that was run."""
    name = "neuromc-20 + core.engines.fp.mode=dense"
    folder = other_run.folder
    assert other_run.summary.chip.name == name
    assert json.loads((folder / "manifest.json").read_text())["inputs"]["chip"] == name
    assert f"digits on {name}" in report_html(folder)
    for words in (["compare", str(folder), str(folder)], ["explain", str(folder)]):
        assert main(words) == 0
        assert f"on {name}" in " ".join(capsys.readouterr().out.split())
    chip = load_chip("neuromc-20", ["noc.link=64 bit", "noc.link= '256  bit'", "name=mine"])
    assert chip.config.name == "mine + noc.link='256 bit'"
    dense = run_job("digits", activity="dense", out=tmp_path / "dense")
    assert dense.summary.chip.name == "neuromc-20"  # what an activity sets is not the user's choice

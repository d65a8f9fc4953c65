"""A difference taken apart adds up to the whole, without remainder."""

from __future__ import annotations

from pathlib import Path

import pytest
from tlm_analysis.findings.compare import compare_runs

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

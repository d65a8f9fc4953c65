"""Recorded runs of both bundled jobs, replayed transaction by transaction.

``traces/golden`` changes only with a reason in the changelog; ``python -m tests.running.golden``
records it anew.
"""

import json
from pathlib import Path

import pytest

import tlm.trace
from tests.running.golden import GOLDEN, JOBS, OPTIONS
from tlm.running.difference import first_trace_difference
from tlm.running.runner import RunResult, run_job
from tlm.trace.summary_file import as_json


@pytest.mark.parametrize("job", JOBS)
def test_every_transaction_and_interval_is_as_recorded(job: str, tmp_path: Path) -> None:
    """The same payloads at the same times, engine intervals, units and chip, to the picosecond.

    Data are held, not bytes: those of the file are another HDF5's to choose.
    """
    result = run_job(job, overrides=OPTIONS, out=tmp_path / "run")
    assert result.ok and result.trace_truncated is None
    with tlm.trace.open(GOLDEN / f"{job}.h5") as golden:
        assert golden.complete and len(golden.transactions) > 1000
    assert first_trace_difference(GOLDEN / f"{job}.h5", result.folder) is None


def test_the_summary_of_the_default_chip_is_as_recorded(finished: RunResult) -> None:
    """Every figure of the summary, integers exactly and the rest to 1e-12."""
    recorded = json.loads((GOLDEN / f"{finished.workload.name}.summary.json").read_text())
    compare(recorded, as_json(finished.summary), "summary")


def compare(recorded: object, found: object, where: str) -> None:
    """Fail with the path of the first figure that differs."""
    if isinstance(recorded, dict) and isinstance(found, dict):
        assert recorded.keys() == found.keys(), where
        for key in recorded:
            compare(recorded[key], found[key], f"{where}.{key}")
    elif isinstance(recorded, list) and isinstance(found, list):
        assert len(recorded) == len(found), where
        for index, pair in enumerate(zip(recorded, found, strict=True)):
            compare(*pair, f"{where}[{index}]")
    elif isinstance(recorded, float):
        assert found == pytest.approx(recorded, rel=1e-12, abs=1e-12), where
    else:
        assert recorded == found, where

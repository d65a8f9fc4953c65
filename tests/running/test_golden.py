"""Recorded runs of both bundled jobs, replayed transaction by transaction.

``traces/golden`` changes only with a reason in the changelog; ``python -m tests.running.golden``
records it anew.
"""

import json
from pathlib import Path

import numpy as np
import pytest

import tlm.trace
from tests.running.golden import GOLDEN, JOBS, OPTIONS
from tlm.running.runner import RunResult, run_job
from tlm.trace.summary_file import as_json


@pytest.mark.parametrize("job", JOBS)
def test_every_transaction_and_interval_is_as_recorded(job: str, tmp_path: Path) -> None:
    """The same payloads at the same times, and the same engine intervals, to the picosecond."""
    result = run_job(job, overrides=OPTIONS, out=tmp_path / "run")
    with tlm.trace.open(GOLDEN / f"{job}.h5") as golden, tlm.trace.open(result.folder) as now:
        for table in ("transactions", "activity"):
            expected, found = getattr(golden, table), getattr(now, table)
            for row in range(min(len(expected), len(found))):
                if expected[row] != found[row]:
                    pytest.fail(f"{table} {row}: recorded {expected[row]}, now {found[row]}")
            assert len(expected) == len(found), table
        assert np.array_equal(golden.unit_ids("dram"), now.unit_ids("dram"))


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

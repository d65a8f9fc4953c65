"""Any chip with any job: ok with every law kept, or refused in words; in reduced form."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from tests.reliability import pairs
from tests.reliability.networks import jobs
from tlm.errors import DeadlockError, TraceError
from tlm.workload import Workload, write_workload
from tlm.workload.bundled import open_workload


@settings(max_examples=12, suppress_health_check=list(HealthCheck))
@given(pairs.pairs())
def test_random_pairs_run_or_are_refused(pair: pairs.Pair) -> None:
    """The reduced form of ``python -m tests.reliability.pairs --n 5000``."""
    end, reason = pairs.outcome(pair)
    assert end != pairs.OTHER, reason


@pytest.mark.slow
def test_five_hundred_pairs() -> None:
    """The middle form."""
    faults: list[str] = []
    assert not pairs.run(500, show=faults.append)[pairs.OTHER], faults


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(jobs())
def test_random_jobs_are_what_the_format_allows(job: Workload) -> None:
    """Written to a file and read back, with all its checks, they are the same."""
    recording = job.load(0)
    with tempfile.TemporaryDirectory() as folder:
        named = replace(job, path=Path(folder) / "job.h5")
        read = open_workload(str(write_workload(named, [recording]).path))
        assert (read.layers, read.steps, read.batch) == (job.layers, job.steps, job.batch)
        back = read.load(0)
    assert np.array_equal(back.inputs, recording.inputs)
    for name in ("spikes", "masks", "dU", "dY"):
        for one, other in zip(getattr(back, name), getattr(recording, name), strict=True):
            assert np.array_equal(one, other), name
    assert back.kept.keys() == recording.kept.keys()
    assert all(np.array_equal(kept, recording.kept[at]) for at, kept in back.kept.items())


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), DeadlockError("x"), TraceError("")])
def test_any_other_end_is_noticed(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """A traceback, a deadlock and a refusal without words are neither ok nor refused."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(pairs, "run_job", fail)
    end, reason = pairs.outcome(pairs.Pair([], None, "recorded", "off"))  # type: ignore[arg-type]
    assert end == pairs.OTHER
    assert type(error).__name__ in reason

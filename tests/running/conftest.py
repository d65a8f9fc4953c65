"""Each bundled job is run once for all tests that only look at what a run leaves."""

from pathlib import Path

import pytest

from tlm.running.runner import RunResult, run_job

JOBS = ("mnist-fc", "mnist-csnn")


@pytest.fixture(scope="session", params=JOBS)
def finished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """A run of a bundled job on the default chip, with its trace."""
    folder: Path = tmp_path_factory.mktemp(request.param)
    return run_job(request.param, out=folder / "run")

"""All recorded iterations of a job, and an epoch of them."""

from dataclasses import replace
from pathlib import Path

import pytest

from tlm.errors import ConfigError
from tlm.running.iterations import figures_of, run_iterations
from tlm.running.request import RunRequest, RunResult
from tlm.running.runner import Listener, run_job

REQUEST = RunRequest("digits", trace="off")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[RunResult]:
    """The three recorded iterations of digits, each in its own folder."""
    return list(run_iterations(REQUEST, tmp_path_factory.mktemp("all"), Listener()))


def test_each_is_the_run_of_that_iteration(results: list[RunResult], tmp_path: Path) -> None:
    """Nothing but the iteration differs from a run that names it."""
    assert [result.summary.workload.iteration for result in results] == [0, 264, 527]
    alone = run_job("digits", iteration=264, out=tmp_path / "one", trace="off")
    assert results[1].summary == alone.summary
    assert results[1].folder.name == "iteration-264"


def test_mean_and_spread_are_those_of_the_runs(results: list[RunResult]) -> None:
    """By hand from the three summaries."""
    times = [result.summary.time.makespan_ps for result in results]
    figures = figures_of(results)
    assert figures.time_ps.mean == sum(times) / 3
    assert (figures.time_ps.least, figures.time_ps.most) == (min(times), max(times))
    assert figures.epoch_time_ps is None


def test_an_epoch_has_a_last_mini_batch_that_counts_as_a_whole_one(
    results: list[RunResult],
) -> None:
    """1,438 samples in mini-batches of 16 are 90."""
    figures = figures_of(results, 1438)
    assert figures.epoch_iterations == 90
    assert figures.epoch_time_ps == 90 * figures.time_ps.mean
    assert figures.epoch_energy_pj == 90 * figures.energy_pj.mean


def test_one_iteration_and_all_of_them_cannot_both_be_asked_for() -> None:
    """It is told before anything is simulated."""
    with pytest.raises(ConfigError, match="leave one of them out"):
        next(run_iterations(replace(REQUEST, iteration=0), None, Listener()))

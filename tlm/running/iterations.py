"""Every recorded iteration of a job, one run after the other, and what an epoch comes to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tlm.errors import ConfigError
from tlm.running.request import RunRequest, RunResult
from tlm.running.runner import Listener, run_request
from tlm.workload.bundled import open_workload


@dataclass(frozen=True)
class FigureSpread:
    """Mean, least and most of one figure over iterations."""

    mean: float
    least: float
    most: float


@dataclass(frozen=True)
class IterationsFigures:
    """Spreads over the recorded iterations of a job, and an epoch of ``samples``, if asked for.

    An epoch is ``epoch_iterations`` mini-batches, the last one as full as the others, each at the
    plain mean of the recorded iterations; what lies between iterations is not in it.
    """

    time_ps: FigureSpread
    energy_pj: FigureSpread
    dram_nbytes: FigureSpread
    epoch_iterations: int | None
    epoch_time_ps: float | None
    epoch_energy_pj: float | None


def run_iterations(
    request: RunRequest, out: Path | None, listener: Listener
) -> Iterator[RunResult]:
    """Run each recorded iteration of a job, in ``out/iteration-N`` or in fresh folders.

    Raises:
        ConfigError: the request names an iteration.
        TlmError: as :func:`tlm.running.runner.run_request`.
    """
    if request.iteration is not None:
        raise ConfigError("iteration: expected none where all are asked for; leave one of them out")
    job = open_workload(request.workload)
    for iteration in job.iterations:
        folder = None if out is None else out / f"iteration-{iteration}"
        yield run_request(replace(request, iteration=iteration), folder, job, listener)


def figures_of(results: Sequence[RunResult], epoch_samples: int | None = None) -> IterationsFigures:
    """What ``results``, of at least one iteration, come to; an epoch has ``epoch_samples``."""
    summaries = [result.summary for result in results]
    time_ps = _spread([summary.time.makespan_ps for summary in summaries])
    energy_pj = _spread([summary.energy.total_pj for summary in summaries])
    count = None if epoch_samples is None else -(-epoch_samples // summaries[0].workload.batch)
    return IterationsFigures(
        time_ps=time_ps,
        energy_pj=energy_pj,
        dram_nbytes=_spread([summary.dram.nbytes for summary in summaries]),
        epoch_iterations=count,
        epoch_time_ps=None if count is None else count * time_ps.mean,
        epoch_energy_pj=None if count is None else count * energy_pj.mean,
    )


def _spread(values: Sequence[float]) -> FigureSpread:
    return FigureSpread(sum(values) / len(values), min(values), max(values))

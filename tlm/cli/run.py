"""``run``: simulate a recorded job on a chip."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tlm.cli.options import (
    DEFAULT_CHIP,
    AsJson,
    BatchOption,
    ChipOption,
    JobArgument,
    Memory,
    ModeOption,
    Overrides,
    mode_of,
)
from tlm.cli.report import write_report

if TYPE_CHECKING:
    from tlm.running.runner import RunResult
    from tlm.workload.model import Workload


class ActivityChoice(StrEnum):
    """The job as recorded, or what it is measured against."""

    RECORDED = "recorded"
    DENSE = "dense"
    ANN = "ann"


class StopChoice(StrEnum):
    """When a sample of inference ends."""

    ALL_STEPS = "all-steps"
    FIRST_SPIKE = "first-spike"


class KernelChoice(StrEnum):
    """What a chip is simulated by."""

    SIMPY = "simpy"
    COMPILED = "compiled"


class IterationsChoice(StrEnum):
    """More recorded iterations than one."""

    ALL = "all"


class TraceLevel(StrEnum):
    """How much of a run is recorded."""

    OFF = "off"
    PHASE = "phase"
    TRANSACTION = "transaction"


def run(
    workload: JobArgument,
    chip: ChipOption = DEFAULT_CHIP,
    overrides: Overrides = None,
    iteration: Annotated[
        int | None,
        typer.Option(help="Which recorded training iteration; the last one if not given."),
    ] = None,
    iterations: Annotated[
        IterationsChoice | None,
        typer.Option(help="Run every recorded iteration and print mean and spread."),
    ] = None,
    epoch: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="SAMPLES",
            help="With --iterations all: what an epoch of so many samples takes.",
        ),
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Place it as this mapping.yaml says, edited or not."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the run's files go.")
    ] = None,
    trace: Annotated[
        TraceLevel, typer.Option(help="How much of the run to record.")
    ] = TraceLevel.TRANSACTION,
    with_report: Annotated[
        bool, typer.Option("--report", help="Write report.html into the run's folder as well.")
    ] = False,
    as_json: AsJson = False,
    activity: Annotated[
        ActivityChoice,
        typer.Option(
            help="As recorded; with nothing skipped; or the same network as a dense ANN (T=1)."
        ),
    ] = ActivityChoice.RECORDED,
    weights: Annotated[
        str,
        typer.Option(
            metavar="RULE",
            help="Weights that are not zero: dense (all), recorded, density=0.3, magnitude=0.3, "
            "2:4, rows=0.5 or tiles=0.5 (shares are what is kept).",
        ),
    ] = "dense",
    mode: ModeOption = None,
    batch: BatchOption = None,
    stop: Annotated[
        StopChoice,
        typer.Option(
            help="With --mode inference: each sample ends after all steps, or with the first step "
            "in which an output neuron spikes."
        ),
    ] = StopChoice.ALL_STEPS,
    trace_budget: Annotated[
        str | None, typer.Option(metavar="BYTES", help="Largest size of the trace, such as 500MB.")
    ] = None,
    trace_window: Annotated[
        str | None,
        typer.Option(
            metavar="BEGIN:END", help="Record this part of the simulated time, such as 10us:20us."
        ),
    ] = None,
    mem: Memory = None,
    kernel: Annotated[
        KernelChoice | None,
        typer.Option(
            help="What simulates it: both give the same results, the compiled one sooner, "
            "and it is taken where it has been built."
        ),
    ] = None,
) -> None:
    """Simulate a recorded training job, or inference with it, and print the summary."""
    from tlm.cli.progress import progress_bar, show_estimate
    from tlm.errors import ConfigError
    from tlm.running.iterations import run_iterations
    from tlm.running.memory import parse_memory
    from tlm.running.request import RunRequest
    from tlm.running.runner import Listener, run_request
    from tlm.trace.limits import parse_limits

    request = RunRequest(
        workload=workload,
        chip=chip,
        overrides=tuple(overrides or ()),
        iteration=iteration,
        mapping=None if mapping is None else str(mapping),
        trace=trace.value,
        activity=activity.value,
        limits=parse_limits(trace_budget, trace_window),
        mem_bytes=parse_memory(mem),
        weights=weights,
        mode=mode_of(mode),
        batch=batch,
        stop=stop.value,
        kernel=None if kernel is None else kernel.value,
    )
    if epoch is not None and iterations is None:
        raise ConfigError("epoch: its mean is over all iterations; give --iterations all as well")
    with progress_bar() as on_progress:
        listener = Listener(show_estimate, on_progress)
        if iterations is None:
            results = [run_request(request, out, listener=listener)]
        else:
            results = list(run_iterations(request, out, listener))
    if iterations is None:
        _print(results[0], as_json)
    else:
        _print_iterations(results, epoch, as_json)
    for result in results:
        if with_report:
            typer.echo(write_report(result.folder, workload), err=as_json)
        _check_end(result)


def _check_end(result: RunResult) -> None:
    """Raise what says that a run's figures or its trace are not to be used as they are."""
    from tlm.errors import DiskFullError, InvalidResultError

    if not result.ok:
        raise InvalidResultError(
            f"{result.folder}: the run breaks {len(result.summary.broken)} invariants, named "
            "above; do not use its figures, and please report it"
        )
    if result.trace_truncated == "disk-full":
        raise DiskFullError(
            f"{result.folder}: the disk is full: the trace ends early, the figures are whole"
        )


def _print_iterations(results: list[RunResult], epoch: int | None, as_json: bool) -> None:
    from tlm.cli.iterations_screen import iterations_json, iterations_parts
    from tlm.cli.tables import console
    from tlm.running.iterations import figures_of

    figures = figures_of(results, epoch)
    if as_json:
        typer.echo(json.dumps(iterations_json(results, figures), indent=1, allow_nan=False))
        return
    out = console()
    for part in iterations_parts(results, figures):
        out.print(part)


def _print(result: RunResult, as_json: bool) -> None:
    from tlm.cli.screen import figures, show

    baseline = _baseline(result.workload)
    if as_json:
        typer.echo(json.dumps(figures(result, baseline), indent=1, allow_nan=False))
    else:
        show(result, baseline)


def _baseline(workload: Workload) -> object:
    """The same step on a GPU, from the analysis room; there are no kernels of GLM neurons."""
    if any(layer.sums > 1 for layer in workload.layers):
        return None
    from tlm_analysis.gpu import baseline

    return baseline(workload)

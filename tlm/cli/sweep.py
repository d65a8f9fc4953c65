"""``sweep``: one job on every combination of some values of the chip."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tlm.cli.options import (
    DEFAULT_CHIP,
    ChipOption,
    JobArgument,
    Memory,
    ModeOption,
    Overrides,
    mode_of,
)

if TYPE_CHECKING:
    from tlm.running.interrupts import StopRequest
    from tlm.running.request import RunRequest
    from tlm.studies.sweep import ChipSweep, PointResult
    from tlm.studies.sweep_points import SweepPoint

TABLE = "sweep.csv"
FIGURES = ("status", "time_ps", "energy_pj", "reason")  # of a result, as columns


def sweep(
    workload: JobArgument,
    over: Annotated[
        list[str],
        typer.Option(
            metavar="KEY=V1,V2,...",
            help="Values of the chip to go through; repeatable: all combinations are run.",
        ),
    ],
    chip: ChipOption = DEFAULT_CHIP,
    overrides: Overrides = None,
    mode: ModeOption = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where a folder for each point goes.")
    ] = None,
    jobs: Annotated[
        int, typer.Option(min=1, max=1024, help="Points run at a time; changes no figure.")
    ] = 2,
    mem: Memory = None,
) -> None:
    """Run a job at every combination of some values of the chip, without traces.

    Each point leaves a run's folder; sweep.csv has a row for each, with time and energy, or with
    the reason why it was refused or failed.
    """
    from tlm.config import load_chip
    from tlm.running.folder import create, release
    from tlm.running.interrupts import stop_request
    from tlm.running.memory import parse_memory
    from tlm.running.preparation import check_job
    from tlm.running.request import RunRequest
    from tlm.studies.sweep import ChipSweep
    from tlm.studies.sweep_points import parse_axis, points_of
    from tlm.workload import open_workload

    axes = tuple(map(parse_axis, over))
    points = list(points_of(axes))
    request = RunRequest(workload, chip, tuple(overrides or ()), trace="off")
    request = replace(request, mode=mode_of(mode), mem_bytes=parse_memory(mem))
    job = open_workload(workload)
    check_job(request, job)
    load_chip(chip, request.overrides)
    _check_point(ChipSweep(request, axes, Path()).request_of(points[0]))
    with stop_request() as stop:
        folder = create(out, f"{job.name}-sweep")
        try:
            results = _run(ChipSweep(request, axes, folder), points, jobs, stop)
        finally:
            release(folder)
    counts = Counter(result.status for result in results)
    typer.echo(f"{counts['ok']} of {len(points)} points ok: {folder / TABLE}")
    _complain(folder / TABLE, counts)


def _check_point(request: RunRequest) -> None:
    """Refuse a mistake in --over before anything is run, where it shows in the first point."""
    from tlm.config import load_chip
    from tlm.errors import ConfigError

    try:
        load_chip(request.chip, request.overrides)
    except ConfigError as error:  # what --set alone gives has passed
        lines = (line.removeprefix("--set: ") for line in str(error).splitlines())
        raise ConfigError("\n".join(f"--over: {line}" for line in lines)) from None


def _run(
    plan: ChipSweep, points: Sequence[SweepPoint], jobs: int, stop: StopRequest
) -> list[PointResult]:
    """Run the points and write their table, as far as they got."""
    from tlm.cli.progress import steps_bar
    from tlm.studies.sweep import run_sweep

    results: list[PointResult] = []
    with steps_bar("sweep", len(points)) as step:

        def note(result: PointResult) -> None:
            results.append(result)
            step(f"point {result.point.number}")

        try:
            run_sweep(plan, points, jobs, stop, note)
        finally:
            results.sort(key=lambda result: result.point.number)
            _write(plan, results)
    return results


def _write(plan: ChipSweep, results: Sequence[PointResult]) -> None:
    """The table of a sweep, a row for each point."""
    from tlm.running.folder import csv_text, release_reserve, write_atomic

    keys = (axis.key for axis in plan.axes)
    release_reserve(plan.folder)
    text = csv_text(["folder", *keys, *FIGURES], (_row(plan, result) for result in results))
    write_atomic(plan.folder / TABLE, text)


def _row(plan: ChipSweep, result: PointResult) -> list[object]:
    figures = (getattr(result, name) for name in FIGURES)
    return [plan.folder_of(result.point).name, *result.point.values, *figures]


def _complain(table: Path, counts: Counter[str]) -> None:
    """Raise where a point is not ok, after all have been run."""
    from tlm.errors import ConfigError, InvalidResultError

    others = ", ".join(f"{n} {status}" for status, n in sorted(counts.items()) if status != "ok")
    if "invalid" in counts:
        raise InvalidResultError(f"{table}: {others}: runs break invariants; please report it")
    if others:
        raise ConfigError(f"{table}: {others}: see the column reason, and sweep other values")

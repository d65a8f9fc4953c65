"""What ``run --iterations all`` prints: the mean first, then iteration by iteration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.text import Text

from tlm.cli.tables import Hanging, ScreenTable
from tlm.quantity_text import energy_text, time_text
from tlm.running.iterations import FigureSpread, IterationsFigures
from tlm.running.request import RunResult


def iterations_json(results: Sequence[RunResult], figures: IterationsFigures) -> dict[str, Any]:
    """The same figures for programs."""
    rows = [
        {
            "iteration": result.summary.workload.iteration,
            "time_ps": result.summary.time.makespan_ps,
            "energy_pj": result.summary.energy.total_pj,
            "dram_nbytes": result.summary.dram.nbytes,
            "status": result.summary.status,
            "folder": str(result.folder),
        }
        for result in results
    ]
    return {**asdict(figures), "iterations": rows}


def iterations_parts(
    results: Sequence[RunResult], figures: IterationsFigures
) -> Iterator[Text | Hanging | ScreenTable]:
    """Mean and spread, an epoch if it was asked for, and every iteration."""
    work, chip = results[0].summary.workload, results[0].summary.chip
    yield Text(
        f"{work.name}, all {len(results)} recorded iterations, B={work.batch} T={work.steps}, on "
        f"{chip.name} ({chip.cores} cores), modelled, not measured"
    )
    time, energy = figures.time_ps, figures.energy_pj
    mean = f"{time_text(time.mean)} and {energy_text(energy.mean)} per {work.unit} on average"
    yield Hanging(f"{mean}; least to most {_range(time)} in time, {_range(energy)} in energy")
    if figures.epoch_time_ps is not None and figures.epoch_energy_pj is not None:
        yield Hanging(
            f"an epoch of {figures.epoch_iterations:,} such: {time_text(figures.epoch_time_ps)}, "
            f"{energy_text(figures.epoch_energy_pj)} at that mean"
        )
    yield Text()
    table = ScreenTable(
        "Iterations", "iteration", "time", "energy", "DRAM, MB", "checks", "folder",
        left=("folder",), keys=1,
    )  # fmt: skip
    for result in results:
        summary = result.summary
        table.add_row(
            str(summary.workload.iteration),
            time_text(summary.time.makespan_ps),
            energy_text(summary.energy.total_pj),
            f"{summary.dram.nbytes / 1e6:.3g}",
            summary.status,
            str(result.folder),
        )
    yield table


def _range(spread: FigureSpread) -> str:
    """How far the extremes lie from the mean."""
    below, above = (100 * (value / spread.mean - 1) for value in (spread.least, spread.most))
    return f"{below:+.1f} to {above:+.1f} %"

"""Figures of one federated run: accuracy, what each worker did when, and where its energy went."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

import tlm.trace
from tlm.federated.files import read_federated_summary
from tlm.federated.results import FederatedSummary, RoundPart, WorkerRound
from tlm.space.trace_rows import PHASE_NONE, EngineState
from tlm.trace import Trace
from tlm_analysis.plots.canvas import (
    BLUE,
    GREEN,
    GREY,
    LIGHT_GREY,
    ORANGE,
    new_figure,
    save,
    style,
)

MOST_INTERVALS = 4000  # drawn; of a longer run its beginning
_DOINGS = (
    ("training", EngineState.COMPUTE, True, BLUE),
    ("averaging", EngineState.COMPUTE, False, GREEN),
    ("network", EngineState.STALL_NOC, True, ORANGE),
    ("waiting for others", EngineState.STALL_DEPENDENCY, True, LIGHT_GREY),
)
_ENERGIES = (
    ("training", "training_pj", BLUE),
    ("averaging", "adding_pj", GREEN),
    ("bits on links", "network_pj", ORANGE),
    ("leakage outside training", "idle_pj", GREY),
)


def plot_federated(run_dir: Path) -> Iterator[Path]:
    """Write the run's figures as PNG and SVG into its ``plots`` folder.

    Raises:
        TraceError: the folder lacks a usable summary or trace.
    """
    summary = read_federated_summary(run_dir)
    if summary.initial_accuracy is not None:
        yield from save(accuracy_figure(summary), run_dir, "accuracy")
    with tlm.trace.open(run_dir) as trace:
        yield from save(timeline_figure(trace, summary), run_dir, "timeline")
    yield from save(worker_energy_figure(summary), run_dir, "energy")


def accuracy_figure(summary: FederatedSummary) -> Figure:
    """Accuracy of the global model over seconds and over joules, round by round, where known."""
    known = [(item, item.accuracy) for item in summary.rounds if item.accuracy is not None]
    with style():
        figure = new_figure(5.0)
        over_time, over_energy = figure.subplots(1, 2, sharey=True)
        _curve(over_time, [item.end_ps / 1e12 for item, _ in known], summary, known)
        _curve(over_energy, [item.total_pj / 1e12 for item, _ in known], summary, known)
        over_time.set_xlabel("simulated time, s")
        over_energy.set_xlabel("energy of all chips, links and the server, J")
        over_time.set_ylabel("accuracy of the global model")
        over_time.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    return figure


def _curve(
    axes: Axes, values: list[float], summary: FederatedSummary, known: list[tuple[RoundPart, float]]
) -> None:
    """From the model before the first round, at no cost, on."""
    curve = [summary.initial_accuracy or 0.0, *(accuracy for _, accuracy in known)]
    axes.plot([0.0, *values], curve, "o-", color=BLUE)
    axes.set_ylim(0, 1)
    axes.margins(x=0.1)
    axes.set_xlim(left=0)
    axes.grid(axis="y", color=LIGHT_GREY)
    for x, (item, accuracy) in zip(values, known, strict=True):
        if len(known) <= 6:
            axes.annotate(f"round {item.number}", (x, accuracy), (6, -16),
                          textcoords="offset points", fontsize=10)  # fmt: skip


def timeline_figure(trace: Trace, summary: FederatedSummary) -> Figure:
    """A bar for each worker: training, averaging, network, waiting, over simulated time."""
    rows = trace.activity
    shown_ps = timeline_end_ps(trace)
    rows = rows[rows["begin"] < shown_ps]
    workers = len(summary.members)
    with style():
        figure = new_figure(2.2 + 0.35 * workers)
        axes = figure.subplots()
        for label, state, plain, colour in _DOINGS:
            chosen = rows[(rows["what"] == state) & ((rows["phase"] == PHASE_NONE) == plain)]
            for place, worker in enumerate(np.unique(chosen["unit"]).tolist()):
                of_worker = chosen[chosen["unit"] == worker]
                ends = np.minimum(of_worker["end"], shown_ps)
                spans = np.stack([of_worker["begin"], ends - of_worker["begin"]], axis=1) / 1e9
                axes.broken_barh(spans.tolist(), (worker - 0.4, 0.8), color=colour, linewidth=0,
                                 label=None if place else label)  # fmt: skip
        for item in summary.rounds:
            if item.end_ps <= shown_ps:
                axes.axvline(item.end_ps / 1e9, color=GREY, linewidth=0.8)
        axes.set_yticks(range(workers), [f"worker{n}" for n in range(workers)])
        axes.invert_yaxis()
        axes.set_xlim(0, shown_ps / 1e9)
        cut = "" if shown_ps >= summary.time_ps else f" (only the first {MOST_INTERVALS} intervals)"
        axes.set_xlabel(f"simulated time, ms{cut}; a line at the end of each round")
        figure.legend(loc="outside upper center", ncols=4, frameon=False)
    return figure


def timeline_end_ps(trace: Trace) -> int:
    """Until when a timeline is drawn: to the end, or as far as ``MOST_INTERVALS`` reach."""
    ends = np.sort(trace.activity["end"])
    return int(ends[min(len(ends), MOST_INTERVALS) - 1]) if len(ends) else 1


def worker_energy_figure(summary: FederatedSummary) -> Figure:
    """Energy charged to each worker over all rounds, in joules, by what it went for."""
    workers = [member.worker for member in summary.members]
    with style():
        figure = new_figure(2.2 + 0.35 * len(workers))
        axes = figure.subplots()
        left = np.zeros(len(workers))
        for label, name, colour in _ENERGIES:
            joules = np.array([_joules(summary.workers, worker, name) for worker in workers])
            if not joules.any():
                continue
            axes.barh(workers, joules, left=left, color=colour, label=label)
            left += joules
        axes.set_yticks(workers, [f"worker{worker}" for worker in workers])
        axes.invert_yaxis()
        axes.set_xlabel("energy of all rounds, J")
        figure.legend(loc="outside upper center", ncols=4, frameon=False)
    return figure


def _joules(rows: tuple[WorkerRound, ...], worker: int, name: str) -> float:
    picojoules: float = sum(getattr(row, name) for row in rows if row.worker == worker)
    return picojoules / 1e12

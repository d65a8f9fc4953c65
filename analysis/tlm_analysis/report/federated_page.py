"""report_html of a federated run: one page, from its summary and its trace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import tlm.trace
from tlm.federated.files import read_federated_summary
from tlm.federated.results import FederatedSummary
from tlm.trace import Trace
from tlm_analysis.plots.federated import (
    accuracy_figure,
    timeline_end_ps,
    timeline_figure,
    worker_energy_figure,
)
from tlm_analysis.report import federated_tables as tables
from tlm_analysis.report.figures import Drawn, drawn
from tlm_analysis.report.template import rendered

MOST_TIMELINES = 64  # workers; beyond, bars would be too thin


def federated_html(run_dir: Path) -> str:
    """The page about a finished federated run; equal runs give equal text.

    Raises:
        TraceError: the folder lacks a usable summary or trace.
    """
    summary = read_federated_summary(run_dir)
    with tlm.trace.open(run_dir) as trace:
        pictures = list(_figures(summary, trace))
    context = {
        "summary": summary,
        "figures": pictures,
        "title": tables.title(summary),
        "headline": tables.headline(summary),
        "tables": [tables.rounds(summary), tables.workers(summary), tables.hold_ups(summary)],
        "links": tables.links(summary),
        "plan": tables.plan(summary),
    }
    return rendered("federated.html.j2", context)


def _figures(summary: FederatedSummary, trace: Trace) -> Iterator[Drawn]:
    """All figures that there are the data for, in the page's order."""
    if summary.initial_accuracy is not None:
        yield drawn(
            "accuracy", "Accuracy over time and energy", accuracy_figure(summary),
            "Accuracy of the global model after each round over seconds and over joules.",
            "Accuracy is that of the recorded training; time and energy are modelled.",
            summary.unrecorded and f"Not known of all rounds: {summary.unrecorded}",
        )  # fmt: skip
    if len(summary.members) <= MOST_TIMELINES:
        end_ps = timeline_end_ps(trace)
        part = end_ps < summary.time_ps
        yield drawn(
            "timeline", "Who computed, sent and waited", timeline_figure(trace, summary),
            "Bars of training, averaging, network and waiting over time, one for each worker.",
            "Network is what of transfers did not hide behind training; waiting is for others.",
            "The beginning of the run alone: all of it would be too fine to see" if part else "",
        )  # fmt: skip
        yield drawn(
            "energy", "Energy by worker", worker_energy_figure(summary),
            "Bars of energy by worker: training, averaging, bits on links, leakage.",
            "A chip that does not train leaks; a bit costs what the plan says on every link.",
        )  # fmt: skip

"""The plot of growth: CPU time over transactions, both on logarithmic axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tlm_analysis.plots.canvas import BLUE, VERMILION, new_figure, style
from tlm_analysis.plots.fabric import write_png

from tests.evidence.page import DOCS

FIGURE = DOCS / "figures" / "benchmark-growth.png"


def draw(points: Mapping[str, Sequence[Mapping[str, float]]]) -> None:
    """Write the figure: a line for each trace level, from few transactions to many."""
    with style():
        figure = new_figure()
        axes = figure.subplots()
        for (trace, runs), colour in zip(points.items(), (BLUE, VERMILION), strict=True):
            transactions = [run["amount"] for run in runs]
            seconds = [run["work_cpu_s"] for run in runs]
            axes.loglog(transactions, seconds, "o-", color=colour, label=f"trace {trace}")
        axes.set_xlabel("transactions")
        axes.set_ylabel("simulation, CPU-seconds")
        axes.legend()
    write_png(figure, FIGURE)

"""Figure: how long transactions took."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from tlm.space.array_types import Floats
from tlm_analysis.findings.traffic import QUANTILES
from tlm_analysis.plots.canvas import BLUE, GREEN, ORANGE, PURPLE, VERMILION, new_figure, style

_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, VERMILION)
_LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))


def latency_figure(curves: Mapping[str, Floats]) -> Figure:
    """Cumulative distribution of ``end_resp - begin_req`` by command."""
    with style():
        figure = new_figure(6.0)
        axes = figure.subplots()
        for i, (command, latency_ns) in enumerate(curves.items()):
            axes.plot(latency_ns, QUANTILES, color=_COLOURS[i % 5], linestyle=_LINES[i % 5],
                      linewidth=2, label=command.replace("_", " "))  # fmt: skip
        axes.set_xscale("log")
        axes.set_ylim(0, 1)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set_xlabel("latency from request to answer (ns)")
        axes.set_ylabel("share of transactions")
        axes.set_title("Latency of transactions")
        axes.grid(visible=True, color="#DDDDDD")
        figure.legend(loc="outside upper center", ncols=5, frameon=False)
    return figure

"""Figure: how long transactions took."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from tlm.space.array_types import Floats
from tlm_analysis.findings.traffic import QUANTILES
from tlm_analysis.plots.canvas import (
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    new_figure,
    plain_log,
    style,
)

# One of each for a command.
_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, VERMILION, SKY)
_LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 3)))


def latency_figure(curves: Mapping[str, Floats]) -> Figure:
    """Cumulative distribution of ``end_resp - begin_req`` by command."""
    with style():
        figure = new_figure(6.0)
        axes = figure.subplots()
        looks = zip(curves.items(), _COLOURS, _LINES, strict=False)
        for (command, latency_ns), colour, line in looks:
            axes.plot(latency_ns, QUANTILES, color=colour, linestyle=line,
                      linewidth=2, label=command.replace("_", " "))  # fmt: skip
        axes.set_xscale("log")
        plain_log(axes.xaxis)
        axes.set_ylim(0, 1)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set_xlabel("latency from request to answer (ns)")
        axes.set_ylabel("share of transactions")
        axes.set_title("Latency of transactions")
        axes.grid(visible=True, color="#DDDDDD")
        figure.legend(loc="outside upper center", ncols=6, frameon=False)
    return figure

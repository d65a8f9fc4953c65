"""The plots of docs/performance.md: growth with transactions, and peers beside ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tlm_analysis.plots.canvas import BLUE, GREY, ORANGE, VERMILION, new_figure, style
from tlm_analysis.plots.fabric import write_png

from benchmarks.peers.page import PARTS_OF_TIME, Comparison
from benchmarks.rows import Figures
from tests.evidence.page import DOCS

GROWTH = DOCS / "figures" / "benchmark-growth.png"
PEERS = DOCS / "figures" / "benchmark-peers.png"
BAR = 0.27  # three bars in a group of 1


def draw_growth(points: Mapping[str, Sequence[Figures]]) -> None:
    """CPU time over transactions: a line for each trace level, from few to many."""
    with style():
        figure = new_figure()
        axes = figure.subplots()
        for (trace, runs), colour in zip(points.items(), (BLUE, VERMILION), strict=True):
            transactions = [run["amount"] for run in runs]
            seconds = [run["work_cpu_s"] for run in runs]
            axes.loglog(transactions, seconds, "o-", color=colour, label=f"trace {trace}")
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("{x:g}")
        axes.set_xlabel("transactions")
        axes.set_ylabel("simulation, CPU-seconds")
        axes.legend()
    write_png(figure, GROWTH)


def draw_peers(comparisons: Sequence[Comparison]) -> None:
    """Times the CPU-seconds of the compiled kernel that each peer takes, a group for each."""
    if not comparisons:
        return
    with style():
        figure = new_figure()
        axes = figure.subplots()
        places = range(len(comparisons))
        parts = zip(PARTS_OF_TIME.items(), (BLUE, ORANGE, GREY), strict=True)
        for number, ((part, text), colour) in enumerate(parts):
            ratios = [comparison.ratios[part] for comparison in comparisons]
            bars = axes.barh(
                [place + (number - 1) * BAR for place in places], ratios, BAR, color=colour,
                label=text,
            )  # fmt: skip
            axes.bar_label(bars, [f"{ratio:,.0f}" for ratio in ratios], padding=4)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.axvline(1, color=GREY)
        axes.set_yticks(places, [f"{pair.peer}\n{pair.job}" for pair in comparisons])
        axes.invert_yaxis()
        axes.set_xlabel("CPU-seconds of the peer / CPU-seconds of tlm, compiled kernel")
        axes.legend(loc="lower right")
    write_png(figure, PEERS)

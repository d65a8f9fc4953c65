"""Figures of the GPU comparison: DRAM bytes saved, and which assumption moves the verdict."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from tlm_analysis.gpu.comparison.compare import CLAIM, Comparison
from tlm_analysis.gpu.comparison.sensitivity import Swing
from tlm_analysis.plots.canvas import (
    BLUE,
    GREY,
    LIGHT_GREY,
    ORANGE,
    SKY,
    VERMILION,
    new_figure,
    style,
)

_MARKS = {
    ("fused", "amp"): (BLUE, "o"),
    ("fused", "fp32"): (SKY, "s"),
    ("unfused", "amp"): (ORANGE, "^"),
    ("unfused", "fp32"): (VERMILION, "D"),
}
_LEAST_SHARE = -1.0  # further left a mark stands at the edge


def reduction_figure(comparisons: Sequence[Comparison]) -> Figure:
    """One row per network, one mark per baseline: the share of DRAM bytes saved, over the claim.

    A line goes from least to most where the chip's bytes are counted, not simulated.
    """
    shown = [comparison for comparison in comparisons if comparison.reduction is not None]
    networks = list(
        dict.fromkeys(f"{comparison.network}\n{comparison.chip_by}" for comparison in shown)
    )
    with style():
        figure = new_figure()
        axes = figure.subplots()
        axes.axvspan(*CLAIM, color=LIGHT_GREY, label="claimed, 55 to 85 %")
        for place, (baseline, (colour, mark)) in enumerate(_MARKS.items()):
            label = " ".join(baseline)
            for comparison in shown:
                if (comparison.neuron, comparison.precision) == baseline:
                    row = networks.index(_name(comparison))
                    _mark(axes, comparison, row + 0.18 * (place - 1.5), colour, mark, label)
                    label = "_"
        axes.set_yticks(range(len(networks)), networks)
        axes.set_ylim(len(networks) - 0.5, -0.5)
        axes.grid(axis="x", color=LIGHT_GREY)
        axes.set_axisbelow(True)
        shares = [
            max(share, _LEAST_SHARE) for comparison in shown for share in comparison.reduction or ()
        ]
        axes.set_xlim(min(0.0, *shares) - 0.02, 1.02)
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.set_xlabel(
            "DRAM bytes of the GPU that the chip does not move (below 0: it moves more)"
        )
        axes.set_title(f"DRAM bytes of an iteration: the chip against {comparisons[0].gpu.device}")
        figure.legend(loc="outside lower center", ncols=5, frameon=False)
    return figure


def _name(comparison: Comparison) -> str:
    return f"{comparison.network}\n{comparison.chip_by}"


def _mark(
    axes: Axes, comparison: Comparison, row: float, colour: str, mark: str, label: str
) -> None:
    assert comparison.reduction is not None and comparison.middle is not None
    least, most = (max(share, _LEAST_SHARE) for share in comparison.reduction)
    inside = comparison.middle >= _LEAST_SHARE
    axes.plot([least, most], [row, row], color=colour, linewidth=3)
    place = max(comparison.middle, _LEAST_SHARE)
    axes.plot([place], [row], mark if inside else "<", color=colour, markersize=8, label=label,
              linestyle="none")  # fmt: skip


def tornado_figure(swings: Sequence[Swing], usual: float, quantity: str) -> Figure:
    """One bar per assumption, from its least to its most, around the usual value."""
    with style():
        figure = new_figure()
        axes = figure.subplots()
        for place, swing in enumerate(swings):
            axes.barh(place, swing.least - usual, left=usual, color=BLUE)
            axes.barh(place, swing.most - usual, left=usual, color=ORANGE)
        axes.axvline(usual, color=GREY)
        axes.set_yticks(range(len(swings)), [swing.assumption for swing in swings])
        axes.invert_yaxis()
        axes.set_xlabel(quantity)
        axes.set_title("One assumption at a time: least (blue) to most (orange)")
    return figure

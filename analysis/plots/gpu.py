"""Figures of the GPU comparison: DRAM bytes saved, and which assumption moves the verdict."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from analysis.gpu.compare import CLAIM, Comparison
from analysis.gpu.sensitivity import Swing
from analysis.plots.canvas import BLUE, DARK, GREY, LIGHT_GREY, ORANGE, new_figure, style


def reduction_figure(comparisons: Sequence[Comparison]) -> Figure:
    """One bar per network and baseline from least to most DRAM bytes saved, over the claim."""
    shown = [(one, one.reduction) for one in comparisons if one.reduction is not None]
    with style():
        figure = new_figure()
        axes = figure.subplots()
        axes.axvspan(*CLAIM, color=LIGHT_GREY, label="claimed, 55 to 85 %")
        for place, (one, reduction) in enumerate(shown):
            assert reduction is not None
            least, most = reduction
            colour = BLUE if one.simulated else ORANGE
            axes.plot([least, most], [place, place], color=colour, linewidth=8)
            axes.plot([(least + most) / 2], [place], "|", color=DARK, markersize=14)
        names = [f"{one.network}, {one.neuron}, {one.precision}" for one, _ in shown]
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.set_xlim(min([0.0, *(reduction[0] for _, reduction in shown if reduction)]), 1)
        axes.set_xlabel("share of the GPU's DRAM bytes that the chip does not move")
        device = comparisons[0].gpu.device
        axes.set_title(f"Against {device}, modelled; the chip counted by element, not simulated")
        figure.legend(loc="outside upper right", frameon=False)
    return figure


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

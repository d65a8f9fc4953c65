"""Figures over many federated runs: accuracy against energy, and scaling beside closed forms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, PercentFormatter, ScalarFormatter

from tlm_analysis.plots.canvas import (
    BLUE,
    GREEN,
    LIGHT_GREY,
    ORANGE,
    VERMILION,
    new_figure,
    style,
)

_COLOURS = (BLUE, ORANGE, GREEN, VERMILION)
_MARKERS = ("o", "s", "^", "D")


@dataclass(frozen=True)
class Curve:
    """Values of ``y`` at ``x``; ``closed`` is what a closed form says of them, if there is one."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    closed: Sequence[float] = ()


@dataclass(frozen=True)
class CurvePanel:
    """Curves over one another."""

    title: str
    x_label: str
    y_label: str
    curves: Sequence[Curve]


def tradeoff_figure(panels: Sequence[CurvePanel]) -> Figure:
    """Accuracy against energy, log axis, a panel for each split, a curve for each compression."""
    with style():
        figure = new_figure(5.6)
        row = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
        for axes, panel in zip(row, panels, strict=True):
            for curve, colour, marker in zip(panel.curves, _COLOURS, _MARKERS, strict=False):
                axes.plot(curve.x, curve.y, marker=marker, markersize=5, color=colour,
                          label=curve.label)  # fmt: skip
            axes.set_title(panel.title)
            axes.set_xlabel(panel.x_label)
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(ScalarFormatter())
            axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            axes.grid(color=LIGHT_GREY)
        row[0].set_ylabel(panels[0].y_label)
        row[-1].legend(loc="lower right", frameon=False)
    return figure


def scaling_figure(panels: Sequence[CurvePanel]) -> Figure:
    """Simulated values as markers over the number of workers; closed forms as dashed lines."""
    with style():
        figure = new_figure(5.6)
        row = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, panel in zip(row, panels, strict=True):
            for curve, colour, marker in zip(panel.curves, _COLOURS, _MARKERS, strict=False):
                axes.plot(curve.x, curve.y, marker, color=colour, label=curve.label)
                if curve.closed:
                    axes.plot(curve.x, curve.closed, "--", color=colour, linewidth=1.2)
            axes.set_title(panel.title)
            axes.set_xscale("log", base=2)
            axes.set_yscale("log")
            axes.set_xticks(panel.curves[0].x, [f"{x:g}" for x in panel.curves[0].x])
            axes.yaxis.set_major_formatter(ScalarFormatter())
            axes.yaxis.set_minor_formatter(NullFormatter())
            axes.set_xlabel(panel.x_label)
            axes.set_ylabel(panel.y_label)
            axes.grid(color=LIGHT_GREY)
        handles, labels = row[0].get_legend_handles_labels()
        figure.legend(handles, [f"{label} (dashed: closed form)" for label in labels],
                      loc="outside lower center", ncols=3, frameon=False)  # fmt: skip
    return figure

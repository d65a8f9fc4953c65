"""Figures of the studies: bars by job and mode, and tornados of several quantities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tlm_analysis.plots.canvas import BLUE, DARK, GREEN, GREY, ORANGE, VERMILION, new_figure, style

_COLOURS = (BLUE, ORANGE, GREEN, VERMILION)


@dataclass(frozen=True)
class Bars:
    """One panel: a group of bars for each name, one bar per series; 1 is drawn as a line."""

    label: str
    names: Sequence[str]
    series: Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Swings:
    """One panel of a tornado: by name the quantity at both sides, relative to usual."""

    label: str
    names: Sequence[str]
    low: Sequence[float]
    high: Sequence[float]


def bars_figure(title: str, panels: Sequence[Bars]) -> Figure:
    """Panels side by side over the same names."""
    with style():
        figure = new_figure()
        row = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, panel in zip(row, panels, strict=True):
            _bars(axes, panel)
        row[0].invert_yaxis()
        handles, labels = row[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower right", ncols=4, frameon=False)
        figure.suptitle(title, x=0.01, ha="left")
    return figure


def _bars(axes: Axes, panel: Bars) -> None:
    height = 0.8 / len(panel.series)
    places = np.arange(len(panel.names))
    for index, (name, values) in enumerate(panel.series.items()):
        at = places + (index - (len(panel.series) - 1) / 2) * height
        bars = axes.barh(at, values, height, label=name, color=_COLOURS[index % len(_COLOURS)])
        axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=9)
    axes.axvline(1, color=DARK, linewidth=0.8)
    axes.set_yticks(places, panel.names, fontsize=10)
    axes.set_xlabel(panel.label)
    axes.margins(x=0.12)


def tornado_figure(
    title: str,
    panels: Sequence[Swings],
    sides: tuple[str, str] = ("constant - 20 %", "+ 20 %"),
) -> Figure:
    """Panels side by side, each with its own names, largest swing on top."""
    with style():
        figure = new_figure()
        for axes, panel in zip(figure.subplots(1, len(panels)), panels, strict=True):
            places = range(len(panel.names))
            low, high = ([100 * (v - 1) for v in side] for side in (panel.low, panel.high))
            axes.barh(places, low, height=0.4, align="edge", color=BLUE, label=sides[0])
            axes.barh(places, high, height=-0.4, align="edge", color=ORANGE, label=sides[1])
            axes.axvline(0, color=GREY)
            axes.set_yticks(places, panel.names, fontsize=9)
            axes.invert_yaxis()
            axes.set_xlabel(panel.label)
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower right", ncols=2, frameon=False)
        figure.suptitle(title, x=0.01, ha="left")
    return figure

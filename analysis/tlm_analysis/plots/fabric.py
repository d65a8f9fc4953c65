"""Figures: latency-load curves of a mesh or a DRAM channel, alone or beside reference ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tlm.files import make_folder, whole_file
from tlm_analysis.plots.canvas import (
    BLUE,
    DARK,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    new_figure,
    png,
    style,
)

_COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, GREY, DARK)
_LINES = ("-", "--", ":")  # of the first groups that have a colour each, the next, and so on


@dataclass(frozen=True)
class Curve:
    """Points of one curve in order of x; a reference is drawn as markers, a model as a line.

    Curves of one ``group`` share a colour.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    reference: bool = False
    group: int = 0


@dataclass(frozen=True)
class CurvePanel:
    """One pair of axes with its curves, from ``y_min``; ``y_max`` cuts off unbounded growth."""

    title: str
    curves: Sequence[Curve]
    x_label: str
    y_label: str
    y_max: float | None = None
    y_min: float = 0.0
    diagonal: bool = False


def curve_figure(title: str, curves: Sequence[Curve], x_label: str, y_label: str) -> Figure:
    """One pair of axes."""
    return panel_figure([CurvePanel(title, curves, x_label, y_label)], columns=1)


def panel_figure(panels: Sequence[CurvePanel], columns: int) -> Figure:
    """Several pairs of axes, row by row."""
    rows = -(-len(panels) // columns)
    with style():
        figure = new_figure()
        places = list(figure.subplots(rows, columns, squeeze=False).flat)
        for axes, panel in zip(places, panels, strict=False):
            _draw(axes, panel)
        for axes in places[len(panels) :]:
            axes.remove()
    return figure


def write_png(figure: Figure, path: Path) -> Path:
    """Write one picture; equal figures, equal bytes."""
    make_folder(path.parent)
    with whole_file(path) as part:
        part.write_bytes(png(figure))
    return path


def _draw(axes: Axes, panel: CurvePanel) -> None:
    for curve in panel.curves:
        turn, number = divmod(curve.group, len(_COLOURS))
        colour, line = _COLOURS[number], _LINES[turn % len(_LINES)]
        if curve.reference:
            axes.plot(curve.x, curve.y, "o", color=colour, mfc="none", ms=5, label=curve.label)
        else:
            axes.plot(curve.x, curve.y, line, marker=".", color=colour, label=curve.label)
    if panel.diagonal:
        low, high = axes.get_xlim()
        axes.plot([low, high], [low, high], color=GREY, linewidth=0.8)
    axes.set_title(panel.title, fontsize=12)
    axes.set_xlabel(panel.x_label)
    axes.set_ylabel(panel.y_label)
    axes.set_ylim(panel.y_min, panel.y_max)
    if any(curve.label for curve in panel.curves):
        axes.legend(frameon=False, fontsize=9)

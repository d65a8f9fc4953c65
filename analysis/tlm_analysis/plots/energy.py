"""Figure: energy by component and phase."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from tlm.quantity_text import energy_unit
from tlm_analysis.plots.canvas import (
    BLUE,
    BROWN,
    DARK,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    YELLOW,
    new_figure,
    style,
)
from tlm_analysis.reading.energy import RunEnergy

_PHASES = {
    "fp": ("forward", BLUE),
    "loss": ("loss", YELLOW),
    "grad": ("neuron gradient", SKY),
    "bp": ("backward", VERMILION),
    "wg": ("weight gradient", GREEN),
    "reduce": ("reduction", PURPLE),
    "update": ("weight update", ORANGE),
    "norm": ("normalisation", GREY),
    "norm_grad": ("normalisation gradient", DARK),
    "recompute": ("U made again", BROWN),
}


def energy_figure(energy: RunEnergy) -> Figure:
    """One bar per component, stacked by phase, with its leakage hatched at the end."""
    scale, unit = energy_unit(float(energy.total_pj.sum()))
    leakage = float(energy.total_pj[energy.leaks].sum())
    total = float(energy.total_pj.sum())
    with style():
        figure = new_figure()
        axes = figure.subplots()
        totals = _bars(axes, energy, scale)
        _label_totals(axes, totals, unit)
        share = leakage / total if total else 0.0
        axes.set_title(f"Energy: {total / scale:.4g} {unit}, of which leakage {share:.1%}")
        axes.set_xlabel(f"energy ({unit})")
        axes.set_ylabel("component")
        axes.invert_yaxis()
        figure.legend(loc="outside upper center", ncols=4, frameon=False)
    return figure


def _bars(axes: Axes, energy: RunEnergy, scale: float) -> NDArray[np.float64]:
    """Draw the bars; return their lengths in units of ``scale``, [components]."""
    names = energy.components
    places = np.arange(len(names))
    left = np.zeros(len(names))
    for phase in energy.phases:
        width = np.array([energy.dynamic_pj(name, phase) for name in names]) / scale
        label, colour = _PHASES.get(phase, (phase, GREY))
        axes.barh(places, width, left=left, color=colour, label=label)
        left += width
    width = np.array([energy.leakage_pj(name) for name in names]) / scale
    leaks = width > 0.0  # a bar without length would still show its edge
    bars = axes.barh(places[leaks], width[leaks], left=left[leaks], color="white", label="leakage")
    for bar in bars:
        bar.set(edgecolor=DARK, hatch="///")
    axes.set_yticks(places, names)
    return left + width


def _label_totals(axes: Axes, totals: NDArray[np.float64], unit: str) -> None:
    for place, total in enumerate(totals):
        axes.annotate(
            f"{total:.3g} {unit}", (total, place), (6, 0), textcoords="offset points", va="center"
        )
    axes.set_xlim(0, 1.12 * max(float(totals.max(initial=0.0)), 1e-12))

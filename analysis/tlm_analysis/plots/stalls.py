"""Figure: engine time by phase and layer, and what it was spent on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from tlm.trace import EngineState
from tlm_analysis.findings.stalls import Breakdown
from tlm_analysis.plots.canvas import new_figure, style
from tlm_analysis.plots.utilisation import STATES

ROWS = 28  # the largest; more would not be legible


def stalls_figure(times: Breakdown, layers: Mapping[int, str]) -> Figure:
    """One bar per phase and layer, the largest ``ROWS`` of them in training order."""
    totals = times.shares.sum(axis=1)
    shown = np.sort(np.argsort(-totals, kind="stable")[:ROWS])
    shares = times.shares[shown]
    names = [f"{times.phases[i].upper()} {layers.get(times.layers[i], '')}" for i in shown]
    places = np.arange(len(shown))
    with style():
        figure = new_figure(2.2 + 0.3 * len(shown))
        axes = figure.subplots()
        left = np.zeros(len(shown))
        for what, (label, colour) in STATES.items():
            if what == EngineState.IDLE:
                continue
            axes.barh(places, shares[:, what], left=left, color=colour, label=label)
            left += shares[:, what]
        axes.set_yticks(places, names)
        axes.invert_yaxis()
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))
        axes.set_xlabel("share of the time of all engines")
        axes.set_ylabel("phase and layer")
        hidden = len(totals) - len(shown)
        more = f"; {hidden} smaller bars left out" if hidden else ""
        axes.set_title(
            f"Working or waiting: {totals.sum():.1%} of engine time, the rest idle{more}"
        )
        axes.margins(y=0.01)
        figure.legend(loc="outside upper center", ncols=5, frameon=False)
    return figure

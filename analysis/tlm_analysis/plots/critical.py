"""Figure: the critical path by phase and resource."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from tlm_analysis.findings.critical_path import CriticalPath
from tlm_analysis.plots.canvas import (
    BLUE,
    GREEN,
    GREY,
    LIGHT_GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    YELLOW,
    new_figure,
    style,
)

LOOKS = {
    "fp": ("FP engines", BLUE),
    "bp": ("BP engines", SKY),
    "wg": ("WG engines", GREEN),
    "dram": ("DRAM", VERMILION),
    "noc": ("NoC", PURPLE),
    "queue": ("on the way to a DRAM channel", ORANGE),
    "writeback": ("write-back", YELLOW),
    "dependency": ("other work", GREY),
    "idle": ("idle", LIGHT_GREY),
}


def critical_figure(path: CriticalPath) -> Figure:
    """One bar per phase: its time on the critical path, by the resource that held it."""
    phases = path.shares_by_phase
    places = np.arange(len(phases))
    with style():
        figure = new_figure(2.4 + 0.45 * len(phases))
        axes = figure.subplots()
        left = np.zeros(len(phases))
        for resource, (label, colour) in LOOKS.items():
            width = np.array([shares.get(resource, 0.0) for shares in phases.values()])
            if not width.any():
                continue
            whole = path.shares[resource]
            axes.barh(places, width, left=left, color=colour, label=f"{label} {whole:.1%}")
            left += width
        axes.set_yticks(places, [phase.upper() for phase in phases])
        axes.invert_yaxis()
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.set_xlabel("share of the run")
        axes.set_ylabel("phase")
        axes.set_title("Critical path: what held the run up, from the last event back to the first")
        figure.legend(loc="outside upper center", ncols=4, frameon=False)
    return figure

"""Figure: the roofline of each phase."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from tlm_analysis.findings.roofline import Roofline
from tlm_analysis.plots.canvas import (
    BLUE,
    DARK,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    VERMILION,
    new_figure,
    plain_log,
    style,
)

_COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE)
_MARKERS = "osD^v"


def roofline_figure(roof: Roofline) -> Figure:
    """Attainable and reached rate over operations per byte, both axes logarithmic."""
    intensities = [point.intensity for point in roof.points]
    ridge = roof.peak_gmac_s / roof.dram_gb_s
    low = min([*intensities, ridge]) / 4
    high = max([*intensities, ridge]) * 4
    span = np.geomspace(low, high, 200)
    with style():
        figure = new_figure(6.5)
        axes = figure.subplots()
        peak = f"arrays of one kind, {roof.peak_gmac_s:,.0f} GMAC/s"
        axes.plot(span, np.minimum(span * roof.dram_gb_s, roof.peak_gmac_s), color=DARK,
                  label=f"DRAM {roof.dram_gb_s:g} GB/s; {peak}")  # fmt: skip
        if roof.ports_gb_s is not None:
            ports = np.minimum(span * roof.ports_gb_s, roof.peak_gmac_s)
            label = f"mesh ports of the channels {roof.ports_gb_s:g} GB/s, one way"
            axes.plot(span, ports, color=GREY, linestyle="--", label=label)
        for i, point in enumerate(roof.points):
            axes.plot(point.intensity, point.gmac_s, _MARKERS[i % len(_MARKERS)], markersize=12,
                      color=_COLOURS[i % len(_COLOURS)], label=point.phase.upper())  # fmt: skip
        axes.set_xscale("log")
        axes.set_yscale("log")
        for axis in (axes.xaxis, axes.yaxis):
            plain_log(axis, 1, 2, 5)
        axes.set_ylim(min([p.gmac_s for p in roof.points]) / 2, roof.peak_gmac_s * 2)
        axes.set_xlabel("multiply-accumulates executed a DRAM byte")
        axes.set_ylabel("rate while active (GMAC/s)")
        axes.set_title("Roofline by phase")
        axes.grid(visible=True, which="major", color="#DDDDDD")
        figure.legend(loc="outside upper center", ncols=2, frameon=False)
    return figure

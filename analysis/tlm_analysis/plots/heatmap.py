"""Figure: what every engine of every core computes over time."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from tlm.quantity_text import time_unit
from tlm_analysis.findings.activity import ENGINE_KINDS
from tlm_analysis.findings.stalls import BusyMap
from tlm_analysis.plots.canvas import new_figure, style
from tlm_analysis.plots.utilisation import ENGINE_TITLES

MAP = "cividis"  # even steps of lightness, read alike with any colour vision


def heatmap_figure(busy: BusyMap) -> Figure:
    """One panel per kind of engine: cores down, time across, share computing as colour."""
    scale, unit = time_unit(float(busy.edges_ps[-1]))
    edges = busy.edges_ps / scale
    with style():
        figure = new_figure()
        panels = figure.subplots(len(ENGINE_KINDS), 1, sharex=True)
        for axes, kind in zip(panels, ENGINE_KINDS, strict=True):
            mine = [i for i, path in enumerate(busy.engines) if path.endswith(f".{kind}")]
            rows = np.arange(len(mine) + 1) - 0.5
            image = axes.pcolormesh(
                edges, rows, busy.shares[mine], vmin=0, vmax=1, cmap=MAP, rasterized=True
            )
            axes.set_title(ENGINE_TITLES[kind])
            axes.set_ylabel("core")
            axes.invert_yaxis()
            axes.yaxis.get_major_locator().set_params(integer=True)
        panels[-1].set_xlabel(f"simulated time ({unit})")
        figure.colorbar(
            image, ax=panels, label="share of the time computing", format=PercentFormatter(1.0)
        )
    return figure

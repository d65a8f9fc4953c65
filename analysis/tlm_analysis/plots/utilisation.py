"""Figure: what each kind of engine does over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from tlm.quantity_text import time_unit
from tlm.trace import EngineState
from tlm_analysis.findings.activity import Utilisation
from tlm_analysis.plots.canvas import (
    BLUE,
    DARK,
    GREEN,
    LIGHT_GREY,
    PURPLE,
    SKY,
    VERMILION,
    YELLOW,
    new_figure,
    style,
)

ENGINE_TITLES = {"fp": "Forward (FP)", "bp": "Backward (BP)", "wg": "Weight gradient (WG)"}

_VISIBLE = 0.001  # share of time below which a band would not be seen

STATES = {  # bottom to top
    EngineState.COMPUTE: ("compute", BLUE),
    EngineState.STALL_DRAM: ("waits for DRAM", VERMILION),
    EngineState.STALL_NOC: ("waits for NoC", PURPLE),
    EngineState.STALL_WRITEBACK: ("waits for write-back", GREEN),
    EngineState.STALL_DEPENDENCY: ("waits for other work", YELLOW),
    EngineState.NOT_BEGUN: ("phase not begun", SKY),
    EngineState.IDLE: ("idle", LIGHT_GREY),
}


def utilisation_figure(engines: Sequence[Utilisation]) -> Figure:
    """One panel per kind of engine, its time stacked by state, over a shared time axis."""
    with style():
        figure = new_figure()
        panels = figure.subplots(len(engines), 1, sharex=True, squeeze=False)[:, 0]
        for axes, engine in zip(panels, engines, strict=True):
            _panel(axes, engine)
        _, unit = time_unit(float(engines[0].edges_ps[-1]))
        panels[-1].set_xlabel(f"simulated time ({unit})")
        figure.supylabel("share of engine time")
        entries = {
            label: handle
            for axes in panels
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        figure.legend(
            entries.values(), entries.keys(), loc="outside upper center", ncols=3, frameon=False
        )
    return figure


def _panel(axes: Axes, engine: Utilisation) -> None:
    scale, _ = time_unit(float(engine.edges_ps[-1]))
    edges = engine.edges_ps / scale
    bottom = np.zeros(len(edges) - 1)
    for what, (label, colour) in STATES.items():
        top = bottom + engine.shares[what]
        axes.stairs(top, edges, baseline=bottom, fill=True, color=colour, label=label)
        bottom = top
    if engine.other_shares.max(initial=0.0) > _VISIBLE:
        _not_recorded(axes, bottom, edges)
    span_ps = engine.edges_ps[-1] - engine.edges_ps[0]
    compute = engine.time_ps[EngineState.COMPUTE].sum() / max(1, engine.engines * span_ps)
    axes.set_title(
        f"{ENGINE_TITLES[engine.kind]}: {engine.engines} engines, {compute:.1%} computing"
    )
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def _not_recorded(axes: Axes, bottom: NDArray[np.float64], edges: NDArray[np.float64]) -> None:
    axes.stairs(
        np.ones_like(bottom),
        edges,
        baseline=bottom,
        fill=True,
        facecolor="white",
        edgecolor=DARK,
        hatch="xx",
        linewidth=0,
        label="not recorded",
    )

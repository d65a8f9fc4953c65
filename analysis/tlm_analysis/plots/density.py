"""Figure: measured density of each tensor class, layer by layer and step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from tlm.trace.summary import LayerDensity
from tlm_analysis.plots.canvas import new_figure, style
from tlm_analysis.plots.heatmap import MAP

TITLES = {"S": "spikes S", "m": "surrogate mask m", "dU": "gradient dU"}


def density_figure(
    layers: Mapping[str, LayerDensity], mode: Literal["training", "inference"] = "training"
) -> Figure:
    """One panel per tensor class: layers down, time steps across, density as colour.

    Inference has spikes alone. Layers without neurons have neither S nor m: their rows are blank,
    and no part of the mean.
    """
    names = list(layers)
    kinds = tuple(TITLES) if mode == "training" else ("S",)
    rows = {kind: [getattr(layers[name], kind) for name in names] for kind in kinds}
    steps = max(1, *(len(row) for grid in rows.values() for row in grid))
    grids = {kind: _grid(rows[kind], steps) for kind in kinds}
    top = max((float(grid.max()) for grid in grids.values() if grid.count()), default=1.0)
    with style():
        figure = new_figure(max(min(9.0, 2.6 + 0.45 * len(names)), 1.5 + 0.19 * len(names)))
        panels = figure.subplots(1, len(kinds), sharey=True, squeeze=False)[0]
        for axes, (kind, grid) in zip(panels, grids.items(), strict=True):
            image = axes.imshow(
                grid, aspect="auto", cmap=MAP, vmin=0, vmax=top, interpolation="nearest"
            )
            axes.set_title(f"{TITLES[kind]}\n{_mean(grid)}")
            axes.set_xlabel("time step")
            axes.xaxis.get_major_locator().set_params(integer=True)
        panels[0].set_yticks(range(len(names)), names)
        panels[0].set_ylabel("layer")
        figure.colorbar(
            image, ax=panels, label="share not zero", format=PercentFormatter(1.0, decimals=0)
        )
    return figure


def _grid(rows: Sequence[Sequence[float]], steps: int) -> np.ma.MaskedArray:
    """[layers, steps]; rows without figures are masked."""
    return np.ma.masked_invalid(np.array([row or [np.nan] * steps for row in rows]))


def _mean(grid: np.ma.MaskedArray) -> str:
    return f"mean {grid.mean():.1%}" if grid.count() else "none"

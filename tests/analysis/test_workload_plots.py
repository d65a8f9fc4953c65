"""Pictures of a recorded job."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib.text import Text
from tlm_analysis.plots.canvas import style
from tlm_analysis.plots.workload import (
    SHOWN_NEURONS,
    density_figure,
    plot_workload,
    progress_figure,
    raster_figure,
)

from tlm.workload import open_workload
from tlm.workload.builder import Builder
from tlm.workload.drawn.activity import Bernoulli
from tlm.workload.report.density import densities, hidden_density
from tlm.workload.surrogate import lif_neuron
from tlm.workload.synthetic import Network, network_job


def test_density_map_shows_the_measured_shares() -> None:
    """One row a layer, one column a step, for S, m and dU."""
    job = open_workload("mnist-csnn")
    end = job.load(2)
    figure = density_figure(job, end)
    images = [axes.images[0] for axes in figure.axes if axes.images]
    measured = densities(end)
    for image, shares in zip(images, (measured.spikes, measured.masks, measured.dU), strict=True):
        assert np.allclose(image.get_array(), shares)


def test_raster_shows_the_spikes_of_the_first_sample() -> None:
    """Every neuron of a small layer; evenly chosen ones of a large layer."""
    job = open_workload("mnist-csnn")
    end = job.load(2)
    axes = raster_figure(job, end).axes
    assert len(axes) == len(job.layers)
    assert len(axes[3].collections[0].get_offsets()) == end.spikes[3][:, 0].sum()
    shown = axes[0].collections[0].get_offsets()[:, 1]
    assert 0 < len(set(shown)) <= SHOWN_NEURONS


def test_long_names_of_many_layers_stand_apart() -> None:
    """Titles of rasters keep the end of a name and do not touch; rows have a line each."""
    net = Builder((3, 4, 4), lif_neuron())
    for _ in range(45):
        net.conv(4, 3, 1, 1)
    layers = [
        replace(layer, name=f"encoder.blocks.{layer.index}.attention.projection.modules_of_step.0")
        for layer in net.layers
    ]
    job = network_job(Network("deep", tuple(layers), 1, 4, "direct", "-"), Bernoulli(0.5), "-")
    rasters, shares = raster_figure(job, job.load(0)), density_figure(job, job.load(0))
    for figure in (rasters, shares):
        with style():
            figure.draw_without_rendering()
    titles = [
        text
        for axes in rasters.axes[:4]
        for text in axes.findobj(Text)
        if text.get_text().endswith("modules_of_step.0")
    ]
    assert len(titles) == 4
    boxes = [title.get_window_extent() for title in titles]
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))
    assert boxes[-1].x1 < rasters.bbox.x1
    rows = [label.get_window_extent() for label in shares.axes[0].get_yticklabels()]
    assert all(lower.y1 <= upper.y0 + 1 for upper, lower in pairwise(rows))


def test_progress_follows_the_iterations() -> None:
    """Each line has a point for every recorded iteration, at the hidden layers' density."""
    job = open_workload("mnist-csnn")
    recordings = [job.load(which) for which in range(3)]
    lines = progress_figure(job, recordings).axes[0].lines
    found = [line.get_ydata()[-1] for line in lines]
    end = recordings[-1]
    expected = [hidden_density(one) for one in (end.spikes, end.masks, end.dU)]
    assert np.allclose(found, expected)


def test_files_are_the_same_twice(tmp_path: Path) -> None:
    """Three figures, each a PNG and an SVG, without a date inside."""
    job = open_workload("mnist-fc")
    first = plot_workload(job, tmp_path / "a") if (tmp_path / "a").mkdir() is None else []
    second = plot_workload(job, tmp_path / "b") if (tmp_path / "b").mkdir() is None else []
    assert [path.name for path in first] == [
        f"mnist-fc-{name}.{kind}"
        for name in ("densities", "raster", "progress")
        for kind in ("png", "svg")
    ]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]

"""plot_workload: what a recorded job's tensors look like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from tlm.workload import Recording, Workload
from tlm.workload.report.density import densities, hidden_by_step
from tlm_analysis.plots.canvas import (
    BLUE,
    GREEN,
    HEIGHT_INCH,
    VERMILION,
    new_figure,
    save,
    style,
)

TITLE_LETTERS = 112  # that fit side by side above the rasters of a row
SHOWN_NEURONS = 400  # of a layer's raster: what 800 pixels can tell apart
TENSORS = {"spikes": ("S", BLUE), "masks": ("m", GREEN), "dU": ("dU", VERMILION)}


def plot_workload(workload: Workload, folder: str | Path) -> list[Path]:
    """Draw densities by layer and step, rasters, and densities over training.

    Returns the files written into ``folder/plots``, a PNG and an SVG for each figure.

    Raises:
        WorkloadError: a recording is damaged.
    """
    recordings = [workload.load(which) for which in range(len(workload.iterations))]
    with style():
        figures = {
            "densities": density_figure(workload, recordings[-1]),
            "raster": raster_figure(workload, recordings[-1]),
            "progress": progress_figure(workload, recordings),
        }
    return [
        path
        for name, figure in figures.items()
        for path in save(figure, Path(folder), f"{workload.name}-{name}")
    ]


def density_figure(workload: Workload, recording: Recording) -> Figure:
    """Share of non-zero elements of S, m and dU, a map of layer against step each."""
    names = [layer.name for layer in workload.layers]
    figure = new_figure(max(HEIGHT_INCH, 1.5 + 0.22 * len(names)))
    measured = densities(recording)
    figure.suptitle(f"{_title(workload)}, iteration {recording.iteration}: share of non-zeros")
    tensors = _tensors(recording)
    row = figure.subplots(1, len(tensors), squeeze=False, sharey=True)[0]
    for axes, (name, (symbol, _)) in zip(row, tensors.items(), strict=True):
        shares = np.array(getattr(measured, name), np.float64)
        if name != "dU":
            shares[[at for at, layer in enumerate(workload.layers) if layer.neuron is None]] = (
                np.nan
            )
        image = axes.imshow(shares, aspect="auto", vmin=0, cmap="viridis")
        figure.colorbar(image, ax=axes, shrink=0.6)
        axes.set(title=symbol, xlabel="time step")
        axes.xaxis.get_major_locator().set_params(integer=True)
    row[0].set_yticks(range(len(names)), names)
    return figure


def raster_figure(workload: Workload, recording: Recording) -> Figure:
    """Spikes of the first sample: neurons, evenly chosen, against time."""
    layers = [layer for layer in workload.layers if layer.neuron is not None]
    columns = min(4, len(layers))
    rows = -(-len(layers) // columns)
    figure = new_figure(max(HEIGHT_INCH, 1.4 * rows))
    figure.suptitle(f"{_title(workload)}, iteration {recording.iteration}: spikes of sample 0")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True)
    for axes, layer in zip(grid.flat, layers, strict=False):
        trains = recording.spikes[layer.index][:, 0].reshape(workload.steps, -1)
        stride = -(-trains.shape[1] // SHOWN_NEURONS)
        steps, neurons = np.nonzero(trains[:, ::stride])
        axes.scatter(steps, neurons * stride, s=3, color=BLUE, linewidths=0)
        axes.set_title(_ending(layer.name, TITLE_LETTERS // columns), size=11)
        axes.set(xlim=(-0.5, workload.steps - 0.5), ylim=(0, trains.shape[1]))
    for axes in list(grid.flat)[len(layers) :]:
        axes.set_axis_off()
    figure.supxlabel("time step")
    figure.supylabel("neuron")
    return figure


def progress_figure(workload: Workload, recordings: list[Recording]) -> Figure:
    """Share of non-zero S, m and dU of the hidden layers over training, with the range of steps."""
    figure = new_figure()
    axes = figure.subplots()
    places = range(len(recordings))
    for name, (symbol, colour) in _tensors(recordings[0]).items():
        shares = [hidden_by_step(getattr(recording, name)) for recording in recordings]
        axes.plot(places, [share.mean() for share in shares], "o-", color=colour, label=symbol)
        lowest, highest = [share.min() for share in shares], [share.max() for share in shares]
        axes.fill_between(places, lowest, highest, color=colour, alpha=0.15, linewidth=0)
    axes.set(
        title=f"{_title(workload)}: hidden layers over training (band: range over time steps)",
        xlabel="training iteration",
        ylabel="share of non-zeros",
        ylim=(0, None),
    )
    axes.set_xticks(list(places), [str(recording.iteration) for recording in recordings])
    axes.legend()
    return figure


def _tensors(recording: Recording) -> dict[str, tuple[str, str]]:
    """Those of ``TENSORS`` that were recorded: of a job for inference spikes alone."""
    return {name: shown for name, shown in TENSORS.items() if getattr(recording, name)}


def _ending(name: str, letters: int) -> str:
    """The end of a name, where names of layers differ, if it is too long for its place."""
    return name if len(name) <= letters else f"..{name[2 - letters :]}"


def _title(workload: Workload) -> str:
    if workload.activity == "recorded":
        return workload.name
    return f"{workload.name} ({workload.activity})"

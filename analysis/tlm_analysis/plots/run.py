"""plot_run: all figures of one run, into its ``plots`` folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

import tlm.trace
from tlm.errors import TraceError
from tlm.trace.summary_file import read_summary
from tlm_analysis.findings.activity import ENGINE_KINDS, utilisation
from tlm_analysis.findings.traffic import dram_traffic
from tlm_analysis.plots.bandwidth import bandwidth_figure
from tlm_analysis.plots.canvas import mark, save
from tlm_analysis.plots.energy import energy_figure
from tlm_analysis.plots.utilisation import utilisation_figure
from tlm_analysis.reading.coverage import coverage
from tlm_analysis.reading.energy import read_energy
from tlm_analysis.reading.windows import window_edges

FIGURES = 3  # at most; for progress
WINDOWS = 240  # about four pixels each in a picture 1280 wide


def plot_run(run_dir: str | Path, on_step: Callable[[str], None] = lambda name: None) -> list[Path]:
    """Write the figures of a run into its folder ``plots``.

    ``on_step`` is called with the name of each figure before it is written.

    Returns the files written, a PNG and an SVG for each figure.

    Raises:
        TraceError: see :func:`run_figures`; or a file cannot be written.
    """
    folder = Path(run_dir)
    figures = run_figures(folder)
    pictures = []
    for name, figure in figures.items():
        on_step(name)
        pictures += save(figure, folder, name)
    return pictures


def run_figures(folder: Path) -> dict[str, Figure]:
    """Utilisation and DRAM bandwidth over time, and energy by component and phase.

    A run traced at level ``phase`` has no transactions and gets no bandwidth figure. Where the
    trace covers a part of the run, figures over time cover that part and say so.

    Raises:
        TraceError: the folder lacks a usable trace, ``summary.json`` or ``energy.csv``.
    """
    energy = read_energy(folder)
    with tlm.trace.open(folder) as trace:
        if len(trace.activity) == 0:
            raise TraceError(f"{trace.path}: no activity recorded, nothing to draw")
        covered = coverage(trace)
        edges_ps = window_edges(covered.end_ps, WINDOWS, covered.begin_ps)
        kinds = [utilisation(trace, kind, edges_ps) for kind in ENGINE_KINDS]
        figures = {
            "utilisation": mark(utilisation_figure(kinds), covered.note),
            "energy": energy_figure(energy),
        }
        if len(trace.transactions):
            peak_gb_s = read_summary(folder).dram.peak_gb_s
            traffic = dram_traffic(trace, edges_ps, peak_gb_s)
            figures["dram_bandwidth"] = mark(bandwidth_figure(traffic, peak_gb_s), covered.note)
    return figures

"""The figures of a report, each with its heading, its alternative text and what to make of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.figure import Figure

from tlm.config.chip import ChipConfig
from tlm.trace import Trace
from tlm_analysis.findings.activity import ENGINE_KINDS, utilisation
from tlm_analysis.findings.critical_path import critical_path
from tlm_analysis.findings.links import link_use
from tlm_analysis.findings.roofline import roofline
from tlm_analysis.findings.stalls import breakdown, busy_map
from tlm_analysis.findings.traffic import dram_traffic, latency_curves
from tlm_analysis.plots.bandwidth import bandwidth_figure
from tlm_analysis.plots.canvas import mark
from tlm_analysis.plots.critical import critical_figure
from tlm_analysis.plots.density import density_figure
from tlm_analysis.plots.energy import energy_figure
from tlm_analysis.plots.heatmap import heatmap_figure
from tlm_analysis.plots.latency import latency_figure
from tlm_analysis.plots.mesh import mesh_figure
from tlm_analysis.plots.roofline import roofline_figure
from tlm_analysis.plots.stalls import stalls_figure
from tlm_analysis.plots.utilisation import utilisation_figure
from tlm_analysis.reading.coverage import Coverage, coverage
from tlm_analysis.reading.run_dir import RunDir
from tlm_analysis.reading.windows import window_edges
from tlm_analysis.report.svg import inline_svg

WINDOWS = 240


@dataclass(frozen=True)
class Drawn:
    """A figure ready for the page: ``ident`` is its anchor, ``alt`` says what it shows."""

    ident: str
    title: str
    svg: Markup
    caption: str


def drawn(ident: str, title: str, figure: Figure, alt: str, caption: str, note: str = "") -> Drawn:
    """``note`` says of a figure from the trace which part of the run it covers."""
    words = f"{alt} {note}.", f"{note}. {caption}"
    alt, caption = words if note else (alt, caption)
    return Drawn(ident, title, inline_svg(mark(figure, note), ident, alt), caption)


def figures(run: RunDir, trace: Trace | None, chip: ChipConfig) -> Iterator[Drawn]:
    """Every figure that there are the data for, with or without a trace, in the page's order."""
    if trace is not None:
        yield from _traced(run, trace, chip)
    yield drawn(
        "mesh", "Network on chip", mesh_figure(link_use(run.summary, chip)),
        "Map of the mesh with every link and DRAM port coloured by how busy it was.",
        "Each arrow is one direction of a link; a port is where a DRAM channel sends its data into "
        "the mesh (out) or takes requests from it (in).",
    )  # fmt: skip
    yield drawn(
        "energy", "Energy", energy_figure(run.energy),
        "Bars of energy by component, stacked by phase, leakage hatched.",
        "Counts times the energy table, from energy.csv; leakage is power times time.",
    )  # fmt: skip
    layers, mode = run.summary.sparsity.layers, run.summary.workload.mode
    tensors = "spikes, surrogate masks and gradients" if mode == "training" else "spikes"
    yield drawn(
        "sparsity", "Sparsity", density_figure(layers, mode),
        f"Heat maps of the density of {tensors} by layer and step.",
        "Measured on the recorded tensors, not assumed.",
    )  # fmt: skip


def _traced(run: RunDir, trace: Trace, chip: ChipConfig) -> Iterator[Drawn]:
    """Figures from the trace.

    Critical path and roofline, which holds bytes of the trace against operations of the run, need
    the trace of a whole run.
    """
    covered = coverage(trace)
    if not covered.note:
        yield drawn(
            "critical", "Critical path", critical_figure(critical_path(trace)),
            "Bars of each phase's time on the critical path, by resource.",
            "From the last event back to time 0: every wait is followed to the transaction or the "
            "engine that ended it. Requests queue on busy links or before a full controller.",
        )  # fmt: skip
    yield from _time(run, trace, covered)
    if len(trace.transactions):
        yield from _transactions(run, trace, chip, covered)


def _time(run: RunDir, trace: Trace, covered: Coverage) -> Iterator[Drawn]:
    edges_ps = window_edges(covered.end_ps, WINDOWS, covered.begin_ps)
    layers = dict(enumerate(run.summary.work))
    waiting = breakdown(trace, covered.end_ps, covered.begin_ps)
    yield drawn(
        "stalls", "Working and waiting", stalls_figure(waiting, layers),
        "Bars of engine time by phase and layer: computing and each reason to wait.",
        "All engines of all cores; what is missing to 100 % was idle.", covered.note,
    )  # fmt: skip
    yield drawn(
        "heatmap", "Engines over time", heatmap_figure(busy_map(trace, edges_ps)),
        "Heat map of computing time, cores down, time across, one panel a kind of engine.",
        "Dark is idle or waiting, light is computing.", covered.note,
    )  # fmt: skip
    kinds = [utilisation(trace, kind, edges_ps) for kind in ENGINE_KINDS]
    yield drawn(
        "utilisation", "Utilisation over time", utilisation_figure(kinds),
        "Share of engine time by state over time, one panel a kind of engine.",
        "States stack up to the whole time of all engines of a kind.", covered.note,
    )  # fmt: skip


def _transactions(
    run: RunDir, trace: Trace, chip: ChipConfig, covered: Coverage
) -> Iterator[Drawn]:
    edges_ps = window_edges(covered.end_ps, WINDOWS, covered.begin_ps)
    traffic = dram_traffic(trace, edges_ps, run.summary.dram.peak_gb_s)
    yield drawn(
        "bandwidth", "DRAM bandwidth",
        bandwidth_figure(traffic, run.summary.dram.peak_gb_s),
        "Read and write bandwidth over time under the line of the peak.",
        "Reads count when a channel answers, writes as soon after they are accepted as the bus has "
        "room for them.", covered.note,
    )  # fmt: skip
    if not covered.note:
        yield drawn(
            "roofline", "Roofline", roofline_figure(roofline(trace, run.summary, chip)),
            "Log-log plot of each phase's rate over its operations a DRAM byte, under its roofs.",
            "Executed multiply-accumulates over the time in which a phase was active anywhere. "
            "Where the mesh's ports carry less than the channels, they are the lower roof.",
        )  # fmt: skip
    yield drawn(
        "latency", "Latency", latency_figure(latency_curves(trace)),
        "Cumulative distribution of transaction latency by command.",
        "From begin_req to end_resp, queues and both ways through the mesh included.",
        covered.note,
    )  # fmt: skip

"""What figures show, read back from what was drawn and held against figures worked out by hand."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from tlm_analysis.findings.activity import Utilisation
from tlm_analysis.findings.critical_path import RESOURCES, CriticalPath
from tlm_analysis.findings.links import LinkUse
from tlm_analysis.findings.roofline import Roofline, RooflinePoint, roofline
from tlm_analysis.findings.stalls import Breakdown, BusyMap
from tlm_analysis.findings.traffic import QUANTILES, DramTraffic
from tlm_analysis.plots.bandwidth import bandwidth_figure
from tlm_analysis.plots.critical import critical_figure
from tlm_analysis.plots.density import density_figure
from tlm_analysis.plots.energy import energy_figure
from tlm_analysis.plots.fabric import Curve, curve_figure
from tlm_analysis.plots.heatmap import heatmap_figure
from tlm_analysis.plots.latency import latency_figure
from tlm_analysis.plots.mesh import mesh_figure
from tlm_analysis.plots.roofline import roofline_figure
from tlm_analysis.plots.stalls import stalls_figure
from tlm_analysis.plots.utilisation import utilisation_figure
from tlm_analysis.reading.energy import read_energy
from tlm_analysis.report import tables

import tlm.trace
from tests.analysis.conftest import ENERGY_CSV
from tests.trace.summaries import SUMMARY
from tlm.config import load_chip
from tlm.running.runner import RunResult
from tlm.space.trace_rows import EngineState
from tlm.trace.schema import COMMAND_NAMES
from tlm.trace.summary import LayerDensity, PhaseTime

PICOJOULES = {"pJ": 1.0, "nJ": 1e3, "uJ": 1e6, "mJ": 1e9}
EDGES_PS = np.array([0, 1_000_000, 2_000_000])


def bars(axes: Axes) -> dict[str, list[float]]:
    """The lengths of the bars of each label, from the top of the picture down."""
    return {
        str(group.get_label()): [bar.get_width() for bar in group]
        for group in axes.containers
        if isinstance(group, BarContainer)
    }


def legend(figure: Figure) -> list[str]:
    """The words of the figure's legend."""
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_bandwidth_is_stacked_in_gb_s() -> None:
    """4000 B read and 2000 B written in 1 us are 4 and 2 GB/s, one upon the other."""
    traffic = DramTraffic(EDGES_PS, np.array([4000.0, 1000.0]), np.array([2000.0, 1000.0]))
    figure = bandwidth_figure(traffic, 12.8)
    (axes,) = figure.axes
    read, write = (patch.get_data() for patch in axes.patches)
    assert [patch.get_label() for patch in axes.patches] == ["read", "write"]
    assert read.values.tolist() == [4.0, 1.0] and not np.any(read.baseline)
    assert write.values.tolist() == [6.0, 2.0] and write.baseline.tolist() == [4.0, 1.0]
    assert read.edges.tolist() == [0.0, 1.0, 2.0]
    assert axes.lines[0].get_ydata() == [12.8, 12.8]
    assert axes.get_ylim()[0] == 0 and axes.get_ylim()[1] > 12.8
    assert axes.get_xlabel() == "simulated time (us)"
    assert axes.get_ylabel() == "DRAM bandwidth (GB/s)"
    assert axes.get_title(loc="left") == "DRAM: 0.008 MB moved, mean 4 GB/s, 31.2% of peak"
    assert legend(figure) == ["read", "write", "peak of all channels, 12.8 GB/s"]


def test_utilisation_is_each_states_share() -> None:
    """Two engines for 1 us: 0.5 us of computing is a quarter, under what follows it."""
    time_ps = np.zeros((len(EngineState), 2), dtype=np.int64)
    time_ps[EngineState.COMPUTE] = [500_000, 2_000_000]
    time_ps[EngineState.IDLE] = [1_500_000, 0]
    (axes,) = utilisation_figure([Utilisation("bp", 2, EDGES_PS, time_ps)]).axes
    drawn = {patch.get_label(): patch.get_data() for patch in axes.patches}
    assert drawn["compute"].values.tolist() == [0.25, 1.0]
    assert drawn["idle"].values.tolist() == [1.0, 1.0]
    assert drawn["idle"].baseline.tolist() == [0.25, 1.0]
    assert axes.get_title(loc="left") == "Backward (BP): 2 engines, 62.5% computing"
    assert axes.get_xlabel() == "simulated time (us)"


def test_energy_bars_are_the_rows_of_the_table(run_dir: Path) -> None:
    """Components from the top by falling energy; a phase's part is the sum of its rows."""
    figure = energy_figure(read_energy(run_dir))
    (axes,) = figure.axes
    unit = re.fullmatch(r"energy \((\w+)\)", axes.get_xlabel())
    assert unit is not None
    rows = list(csv.DictReader(StringIO(ENERGY_CSV)))
    names = [label.get_text() for label in axes.get_yticklabels()]
    drawn = bars(axes)
    for phase, label in (("fp", "forward"), ("wg", "weight gradient"), ("update", "weight update")):
        for name, width in zip(names, drawn[label], strict=True):
            due = [
                float(row["total_pj"])
                for row in rows
                if (row["component"], row["phase"]) == (name, phase) and row["action"] != "leakage"
            ]
            assert width * PICOJOULES[unit[1]] == pytest.approx(sum(due))
    ends = {name: 0.0 for name in names}
    for patch in axes.patches:
        name = names[round(patch.get_y() + patch.get_height() / 2)]
        ends[name] = max(ends[name], patch.get_x() + patch.get_width())
    for name, end in ends.items():
        whole = sum(float(row["total_pj"]) for row in rows if row["component"] == name)
        assert end * PICOJOULES[unit[1]] == pytest.approx(whole)
    assert list(ends.values()) == sorted(ends.values(), reverse=True)
    total = sum(float(row["total_pj"]) for row in rows) / PICOJOULES[unit[1]]
    assert axes.get_title(loc="left").startswith(f"Energy: {total:.4g} {unit[1]}")


def test_latency_curves_are_quantiles_in_ns() -> None:
    """A command's line runs through its latencies, from the share 0 to 1."""
    latency_ns = np.linspace(50, 250, 201)
    figure = latency_figure({"read": latency_ns, "spike_map": 2 * latency_ns})
    (axes,) = figure.axes
    read, spikes = axes.lines
    assert read.get_xdata().tolist() == latency_ns.tolist()
    assert read.get_ydata().tolist() == QUANTILES.tolist()
    assert spikes.get_xdata().tolist() == (2 * latency_ns).tolist()
    assert legend(figure) == ["read", "spike map"]
    assert axes.get_xlabel().endswith("(ns)")


def test_every_command_has_a_curve_of_its_own_look() -> None:
    """Six commands, six colours and lines; latencies at the axis are numbers, not formulas."""
    latency_ns = np.geomspace(20, 5000, 201)
    figure = latency_figure(dict.fromkeys(COMMAND_NAMES, latency_ns))
    (axes,) = figure.axes
    looks = {(line.get_color(), line.get_linestyle()) for line in axes.lines}
    assert len(axes.lines) == len(looks) == len(COMMAND_NAMES)
    figure.draw_without_rendering()
    assert {label.get_text() for label in axes.get_xticklabels()} >= {"100", "1,000"}


def test_stalls_are_shares_of_all_engines_time() -> None:
    """A phase and layer's bar: computing, then each reason to wait."""
    time_ps = np.zeros((2, len(EngineState)), dtype=np.int64)
    time_ps[:, EngineState.COMPUTE] = [10, 40]
    time_ps[:, EngineState.STALL_DRAM] = [20, 0]
    time_ps[:, EngineState.STALL_DEPENDENCY] = [30, 50]
    figure = stalls_figure(Breakdown(("fp", "wg"), (0, 1), time_ps, 1000), {0: "conv0", 1: "fc1"})
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["FP conv0", "WG fc1"]
    drawn = bars(axes)
    assert drawn["compute"] == pytest.approx([0.01, 0.04])
    assert drawn["waits for DRAM"] == pytest.approx([0.02, 0.0])
    assert drawn["waits for other work"] == pytest.approx([0.03, 0.05])
    assert drawn["waits for NoC"] == drawn["waits for write-back"] == [0.0, 0.0]
    ends = [max(p.get_x() + p.get_width() for p in axes.patches if round(p.get_y() + 0.4) == row)
            for row in (0, 1)]  # fmt: skip
    assert ends == pytest.approx([0.06, 0.09])
    assert axes.get_title(loc="left").startswith("Working or waiting: 15.0% of engine time")


def test_critical_path_bars_are_shares_of_the_run() -> None:
    """600 of 1000 ps in FP's engines, 400 in DRAM for WG."""
    path = CriticalPath(
        np.array([600, 0]),
        np.array([1000, 600]),
        np.array([RESOURCES.index("dram"), RESOURCES.index("fp")]),
        np.array([4, 0]),
        np.array([0, 0]),
    )
    figure = critical_figure(path)
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["FP", "WG"]
    assert bars(axes) == {"FP engines 60.0%": [0.6, 0.0], "DRAM 40.0%": [0.0, 0.4]}


def test_roofline_points_and_roofs() -> None:
    """A phase stands at its operations a byte and its rate; the slanted roof is the bandwidth."""
    point = RooflinePoint("fp", macs=2_000_000, dram_nbytes=1000, active_ps=1_000_000)
    figure = roofline_figure(
        Roofline((point,), peak_gmac_s=8000.0, dram_gb_s=51.2, ports_gb_s=16.0)
    )
    (axes,) = figure.axes
    dram, ports, drawn = axes.lines
    assert (drawn.get_xdata()[0], drawn.get_ydata()[0]) == (2000.0, 2000.0)
    for line, gb_s in ((dram, 51.2), (ports, 16.0)):
        assert line.get_ydata() == pytest.approx(np.minimum(line.get_xdata() * gb_s, 8000.0))
    assert axes.get_ylabel() == "rate while active (GMAC/s)"
    assert legend(figure)[-1] == "FP"
    figure.draw_without_rendering()
    assert {label.get_text() for label in axes.get_yticklabels()} >= {"1,000", "2,000", "5,000"}


def test_the_roof_of_the_arrays_counts_each_core_by_its_own_clock(digits_run: RunResult) -> None:
    """Half of the cores at half of the clock: three quarters of 20 arrays of 256 at 500 MHz."""
    slowed = load_chip("neuromc-20", ['core.clocks=["0-9: 250 MHz"]']).config
    with tlm.trace.open(digits_run.folder) as trace:
        roofs = roofline(trace, digits_run.summary, slowed)
    assert roofs.peak_gmac_s == pytest.approx(0.75 * 20 * 256 * 0.5)


def test_heat_maps_hold_the_shares() -> None:
    """Engines down and time across; layers down and steps across; the same scale for all."""
    shares = np.array([[0.0, 0.5], [1.0, 0.25], [0.1, 0.2]])
    busy = BusyMap(("chip.core00.fp", "chip.core00.bp", "chip.core00.wg"), EDGES_PS, shares)
    panels = heatmap_figure(busy).axes[:3]
    for axes, row in zip(panels, shares, strict=True):
        assert axes.collections[0].get_array().ravel().tolist() == row.tolist()
        assert axes.collections[0].get_clim() == (0.0, 1.0)
    assert [axes.get_title(loc="left") for axes in panels][1] == "Backward (BP)"
    layers = {"a": LayerDensity([0.1, 0.2], [0.3, 0.4], [0.5, 0.6], 0.0)}
    spikes, masks, gradients = density_figure(layers).axes[:3]
    assert spikes.images[0].get_array().tolist() == [[0.1, 0.2]]
    assert masks.images[0].get_array().tolist() == [[0.3, 0.4]]
    assert gradients.images[0].get_array().tolist() == [[0.5, 0.6]]
    assert spikes.get_title(loc="left") == "spikes S\nmean 15.0%"
    layers |= {"read-out": LayerDensity([], [], [1.0, 1.0], 0.0)}
    spikes, _, gradients = density_figure(layers).axes[:3]
    assert spikes.images[0].get_array().mask.tolist() == [[False, False], [True, True]]
    assert spikes.get_title(loc="left") == "spikes S\nmean 15.0%"
    assert gradients.get_title(loc="left") == "gradient dU\nmean 77.5%"
    assert len(density_figure(layers, "inference").axes) == 2  # spikes and the scale of colours
    alone = density_figure({"read-out": layers["read-out"]})
    assert alone.axes[0].get_title(loc="left") == "spikes S\nnone"
    forward = density_figure({"read-out": layers["read-out"]}, "inference")
    assert forward.axes[0].get_title(loc="left") == "spikes S\nnone"


def test_mesh_colours_are_the_use_of_links() -> None:
    """A link's arrow starts at its node, points its way, and is as dark as it is busy."""
    use = LinkUse(2, 1, {(0, "east"): 0.4, (1, "west"): 0.1}, {("dram", 0, "inject"): 0.2}, (1,))
    axes = mesh_figure(use).axes[0]
    east, west = (note for note in axes.texts if getattr(note, "arrowprops", None))
    assert east.xy[0] > east.xyann[0] and west.xy[0] < west.xyann[0]
    shades = colormaps["viridis_r"]
    assert east.arrowprops["color"] == shades(1.0)
    assert west.arrowprops["color"] == shades(0.25)
    assert {"out 20%", "00", "01"} <= {text.get_text() for text in axes.texts}
    assert axes.get_title(loc="left") == "Mesh 2 x 1: busiest link or port 40.0%"


def test_curves_are_drawn_as_measured() -> None:
    """Points of a curve under its axes' own words."""
    figure = curve_figure("DRAM", [Curve("ours", [1.0, 2.0], [30.0, 50.0])], "GB/s", "ns")
    (axes,) = figure.axes
    assert axes.lines[0].get_xydata().tolist() == [[1.0, 30.0], [2.0, 50.0]]
    assert axes.get_title(loc="left") == "DRAM"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("GB/s", "ns")


def test_report_divides_means_and_totals() -> None:
    """1 mJ in 1 ms is 1 W; 16 samples; three engines that compute 6 us compute 2 us each."""
    time = replace(SUMMARY.time, phases={"fp": PhaseTime(0, 4_000_000, 6_000_000, 3)})
    summary = replace(SUMMARY, time=time, lower_bounds_ps={"DRAM": 250_000_000})
    head = dict(tables.headline(summary))
    assert head["Time per iteration"] == "1 ms" and head["Time per sample"] == "62.5 us"
    assert head["Energy per iteration"] == "1 mJ" and head["Energy per sample"] == "62.5 uJ"
    assert head["Average power"] == "1 W"
    assert head["DRAM traffic"] == "4 MB, 4.00 of 19.2 GB/s"
    assert tables.phases(summary).rows == [("FP", "0 ps", "4 us", "3", "2 us")]
    assert tables.bounds(summary).rows == [("DRAM", "250 us", "25.0%")]

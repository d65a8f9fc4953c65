"""Figure: DRAM bandwidth over time against the peak."""

from __future__ import annotations

from matplotlib.figure import Figure

from tlm.quantity_text import time_unit
from tlm_analysis.findings.traffic import DramTraffic
from tlm_analysis.plots.canvas import BLUE, DARK, ORANGE, new_figure, style


def bandwidth_figure(traffic: DramTraffic, peak_gb_s: float) -> Figure:
    """Read and write bandwidth of all channels, stacked, under the line of their peak."""
    scale, unit = time_unit(float(traffic.edges_ps[-1]))
    edges = traffic.edges_ps / scale
    read, total = traffic.read_gb_s, traffic.read_gb_s + traffic.write_gb_s
    moved = (traffic.read_nbytes.sum() + traffic.write_nbytes.sum()) / 1e6
    mean = float(moved * 1e9 / max(1, traffic.edges_ps[-1] - traffic.edges_ps[0]))  # MB/ps in GB/s
    with style():
        figure = new_figure()
        axes = figure.subplots()
        axes.stairs(read, edges, fill=True, color=BLUE, label="read")
        axes.stairs(total, edges, baseline=read, fill=True, color=ORANGE, label="write")
        axes.axhline(
            peak_gb_s, color=DARK, linestyle="--", label=f"peak of all channels, {peak_gb_s:g} GB/s"
        )
        axes.set_title(
            f"DRAM: {moved:.3g} MB moved, mean {mean:.3g} GB/s, {mean / peak_gb_s:.1%} of peak"
        )
        axes.set_xlabel(f"simulated time ({unit})")
        axes.set_ylabel("DRAM bandwidth (GB/s)")
        axes.set_xlim(edges[0], edges[-1])
        axes.set_ylim(0, 1.05 * max(peak_gb_s, float(total.max(initial=0.0))))
        figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return figure

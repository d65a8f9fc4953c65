"""Engine time by layer, engines over time, roofline, links and latency curves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tlm_analysis.findings.links import link_use
from tlm_analysis.findings.roofline import roofline
from tlm_analysis.findings.stalls import breakdown, busy_map
from tlm_analysis.findings.traffic import latencies, latency_curves
from tlm_analysis.plots.mesh import mesh_figure
from tlm_analysis.reading.coverage import makespan_ps
from tlm_analysis.reading.run_dir import open_run_dir
from tlm_analysis.reading.windows import window_edges

import tlm.trace
from tlm.config import load_chip
from tlm.running.runner import RunResult
from tlm.trace import EngineState


def test_breakdown_is_the_engines_time_but_for_idle(digits_run: RunResult) -> None:
    """Shares by phase and layer add up to what the model's own counters say was not idle."""
    with tlm.trace.open(digits_run.folder) as trace:
        found = breakdown(trace, makespan_ps(trace))
    engines = digits_run.summary.engines.values()
    idle = sum(row.shares["idle"] for row in engines) / len(engines)
    assert found.shares.sum() == pytest.approx(1 - idle)
    computing = sum(row.computing_ps for row in digits_run.summary.time.phases.values())
    assert found.time_ps[:, EngineState.COMPUTE].sum() == computing


def test_busy_map_holds_every_engines_computing_time(digits_run: RunResult) -> None:
    """Shares times window widths give each engine's recorded computing time."""
    with tlm.trace.open(digits_run.folder) as trace:
        busy = busy_map(trace, window_edges(makespan_ps(trace), 50))
        rows = trace.activity[trace.activity["what"] == EngineState.COMPUTE]
        time_ps = busy.shares @ np.diff(busy.edges_ps)
        for engine, total in zip(busy.engines, time_ps, strict=True):
            unit = [one.path for one in trace.units].index(engine)
            mine = rows[rows["unit"] == unit]
            assert total == pytest.approx((mine["end"] - mine["begin"]).sum())


def test_roofline_points_lie_under_their_roofs(digits_run: RunResult) -> None:
    """No phase multiplies faster than the arrays, or than its bytes arrive."""
    with tlm.trace.open(digits_run.folder) as trace:
        found = roofline(trace, open_run_dir(digits_run.folder).summary, digits_run.chip.config)
    assert {point.phase for point in found.points} == {"fp", "bp", "wg"}
    moved = digits_run.summary.dram.nbytes
    assert sum(point.dram_nbytes for point in found.points) <= moved
    for point in found.points:
        assert point.gmac_s <= found.peak_gmac_s
        assert point.gmac_s <= point.intensity * found.dram_gb_s


def test_link_use_is_the_summarys(digits_run: RunResult) -> None:
    """The busiest link of the map is the busiest of the summary."""
    found = link_use(open_run_dir(digits_run.folder).summary, digits_run.chip.config)
    busiest = max([*found.links.values(), *found.ports.values()])
    assert busiest == pytest.approx(digits_run.summary.noc.busiest_link_use)
    assert len(found.links) == 2 * (4 * 4 + 5 * 3)  # both directions of a 5 x 4 mesh


def test_every_channel_of_a_node_is_drawn(digits_run: RunResult) -> None:
    """Eight channels at four nodes: sixteen ports of their own, each with its use beside it."""
    chip = load_chip("neuromc-20", ["dram.channels=8"]).config
    flits = {f"dram{n}.{way}": 1000 * n for n in range(8) for way in ("inject", "eject")}
    noc = replace(digits_run.summary.noc, link_flits=flits)
    use = link_use(replace(digits_run.summary, noc=noc), chip)
    axes = mesh_figure(use).axes[0]
    nodes = chip.mesh.columns * chip.mesh.rows
    boxes = {(*patch.get_xy(), patch.get_height()) for patch in axes.patches}
    assert len(boxes) == nodes + 16
    words = {text.get_text() for text in axes.texts}
    span_ps = digits_run.summary.time.makespan_ps
    for channel in range(8):
        share = 1000 * channel * chip.noc.period_ps / span_ps
        assert {f"dram{channel} out {share:.0%}", f"dram{channel} in {share:.0%}"} <= words


def test_latency_curves_agree_with_the_statistics(digits_run: RunResult) -> None:
    """Median and largest of a curve are those of ``latencies``."""
    with tlm.trace.open(digits_run.folder) as trace:
        curves = latency_curves(trace)
        for one in latencies(trace):
            assert curves[one.command][100] == pytest.approx(one.median_ps / 1e3)
            assert curves[one.command][-1] == pytest.approx(one.max_ps / 1e3)

"""Counterfactuals: the same job dense and as an ANN, and where sparse execution breaks even."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.program.jobs import built, conv, job, linear, tiles_of
from tests.trace.summaries import SUMMARY
from tlm.running.preparation import NOTHING_SKIPPED
from tlm.running.runner import run_job
from tlm.space.phase import Phase
from tlm.studies.counterfactual import (
    at_densities,
    break_even,
    run_figures,
)
from tlm.studies.reference_layer import dense_tflops_per_w
from tlm.workload.drawn.ann import as_ann
from tlm.workload.drawn.kinds import as_activity


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory):
    """Summaries of a small bundled job, recorded and dense; the manifest says which it is."""
    folder = tmp_path_factory.mktemp("runs")
    summaries = {}
    for activity in ("recorded", "dense"):
        result = run_job("digits", activity=activity, out=folder / activity, trace="off")
        summaries[activity] = result.summary
        assert f'"activity": "{activity}"' in (result.folder / "manifest.json").read_text()
    return summaries


def test_dense_skips_nothing(runs) -> None:
    """All dense work is executed, useful work is unchanged, and the engines need more energy."""
    for name, phases in runs["dense"].work.items():
        for phase, work in phases.items():
            assert work.executed_slots == work.slots
            recorded = runs["recorded"].work[name][phase]
            assert work.slots == recorded.slots
            assert work.useful_macs == recorded.useful_macs
    core = {name: run.efficiency.core_pj for name, run in runs.items()}
    assert core["dense"] > core["recorded"]


def test_the_figures_add_up(runs) -> None:
    """Energy of the phases and of no phase is the run's, leakage apart."""
    figures, energy = run_figures(runs["recorded"]), runs["recorded"].energy
    no_phase = energy.by_phase_pj.get("", 0.0)
    total = sum(figures.phase_pj.values()) + no_phase + energy.leakage_pj
    assert total == pytest.approx(figures.total_pj)
    assert all(0 < span <= figures.makespan_ps for span in figures.span_ps.values())


def test_an_ann_has_one_step_of_dense_analog_layers() -> None:
    """Shapes, batch and optimizer stay; steps, spikes and neurons go."""
    spiking, _ = job(conv((4, 8, 8), 8, 3, padding=1, pool=2), linear(8 * 16, 10), steps=4)
    ann = as_ann(spiking)
    recording = ann.load(0)
    assert (ann.steps, ann.encoding, ann.batch) == (1, "direct", spiking.batch)
    assert ann.optimizer == spiking.optimizer
    for before, after in zip(spiking.layers, ann.layers, strict=True):
        assert (after.neuron, after.input_kind) == (None, "analog")
        assert (after.in_shape, after.out_shape, after.pool) == (
            before.in_shape,
            before.out_shape,
            before.pool,
        )
    assert recording.inputs.shape == (spiking.batch, 4, 8, 8)
    assert all(np.all(mask) for mask in (*recording.spikes, *recording.dU))


def test_an_ann_moves_values_and_keeps_no_state() -> None:
    """16 bits per value in memory, two bits for the winner of a 2 x 2 window, no U, S or m."""
    spiking, _ = job(conv((4, 8, 8), 16, 3, padding=1, pool=2), conv((16, 4, 4), 8, 3, padding=1))
    ann = as_ann(spiking)
    plan, program = built(ann, ann.load(0), *NOTHING_SKIPPED)
    pooled, last = (layer_plan.addressed.tensors for layer_plan in plan.layers)
    assert (pooled["spikes"].bits, pooled["need"].bits) == (16, 2)
    assert not {"U", "m"} & (set(pooled) | set(last))
    counts: Counter[str] = Counter()
    for tile in (t for phase in Phase for t in tiles_of(program, phase)):
        counts.update(tile.work.energy)
    assert counts["fp.mac_add"] == counts["wg.mac_add"] == counts["fp.spike_read"] == 0
    assert counts["fp.soma_op"] == counts["fp.state_write"] == counts["bp.state_read"] == 0
    dense = sum(tile.work.dense for tile in tiles_of(program, Phase.FP))
    assert counts["fp.mac_mul"] == dense == 2 * 9 * (4 * 16 * 64 + 16 * 8 * 16)
    assert counts["fp.value_read"] > 0


def test_an_ann_runs_with_all_invariants(tmp_path: Path) -> None:
    """A bundled job as an ANN holds every conservation law, and sends more bits per neuron."""
    result = run_job("digits", activity="ann", out=tmp_path / "run", trace="off")
    assert result.ok, result.summary.broken
    for name, phases in result.summary.work.items():
        for phase, work in phases.items():
            assert work.executed_slots == work.slots, (name, phase)


def test_recorded_is_the_job_itself() -> None:
    """Nothing changes unless asked for."""
    spiking, _ = job(linear(16, 4))
    assert as_activity(spiking, "recorded") is spiking


def test_densities_are_drawn_for_all_masks() -> None:
    """Each run gets the same network with masks of its density."""
    spiking, _ = job(linear(512, 256), linear(256, 64))
    densities = {}

    def simulate(drawn, kind):
        assert kind == "recorded"
        recording = drawn.load(0)
        densities[drawn.activity] = recording.spikes[0].mean(), recording.dU[0].mean()
        return SUMMARY

    assert list(at_densities(spiking, simulate, (0.1, 0.5))) == [0.1, 0.5]
    assert densities["synthetic activity: bernoulli(0.1)"] == pytest.approx((0.1, 0.1), abs=0.03)
    assert densities["synthetic activity: bernoulli(0.5)"] == pytest.approx((0.5, 0.5), abs=0.06)


def test_break_even_is_where_the_costs_cross() -> None:
    """A cost proportional to density reaches 3 at density 0.3; outside the points there is none."""
    points = [(0.1, 1.0), (0.2, 2.0), (0.4, 4.0)]
    assert break_even(points, 3.0) == pytest.approx(0.3)
    assert break_even(points, 2.0) == pytest.approx(0.2)
    assert break_even(points, 0.5) is None
    assert break_even(points, 5.0) is None


def test_the_reference_layer_comes_near_the_published_efficiency() -> None:
    """Dense TFLOPS/W of boundary core, one layer: within 10 % of the 1.05 of the abstract."""
    assert dense_tflops_per_w("neuromc-20") == pytest.approx(1.05, rel=0.1)

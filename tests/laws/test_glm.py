"""Laws on jobs of GLM neurons: they hold however the array works, and each notices a fault."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.laws.test_laws import Run
from tests.program.jobs import corrupt
from tlm.space.phase import Phase
from tlm.workload import open_workload
from tlm.workload.inference import as_inference

BY_STEP = "mapping.schedule=wavefront"


def glm(stop="all-steps", batch=6):
    """Some recorded samples of the smaller job."""
    workload = as_inference(open_workload("spinaps-motions"), batch, stop)
    return workload, workload.load(0)


@pytest.mark.parametrize("stop", ["all-steps", "first-spike"])
@pytest.mark.parametrize("dataflow", ["weight", "output", "input"])
@pytest.mark.parametrize("mode", ["vector", "element"])
def test_healthy_runs_break_nothing(mode, dataflow, stop):
    """Panels of two neurons' sums, held weights and held outputs."""
    settings = (f"core.engines.fp.dataflow={dataflow}", f"core.engines.fp.mode={mode}")
    run = Run(*settings, *[BY_STEP] * (stop == "first-spike"), of=glm(stop))
    assert run.broken() == []


@pytest.mark.parametrize("action", ["glm_product", "glm_draw", "glm_arbitration", "bias_add"])
def test_work_of_the_unit_too_many_is_noticed(action):
    """A tap, a draw, an arbitration or a bias that no neuron asked for."""
    run = Run(of=glm())
    run.tally(Phase.FP, 0).work.energy[f"fp.{action}"] += 1
    assert "unit operations" in run.broken()


def test_history_that_is_not_read_is_noticed():
    """Earlier sums have to come to the filters."""
    run = Run(of=glm())
    run.tally(Phase.FP, 0).work.energy["fp.membrane_read"] //= 2
    assert "accesses of the units' memories" in run.broken()


def test_a_unit_that_takes_no_time_is_noticed():
    """Filters and draws hold the engine up."""

    def tamper(program):
        for tile in program.all_tiles():
            corrupt(tile, "cycles", tile.cycles - tile.work.energy.get("fp.glm_draw", 0))

    assert "array work by position" in Run(of=glm(), tamper=tamper).broken()


def test_spikes_that_another_decision_was_recorded_with_are_noticed():
    """The step of the first output spike and that of the file have to agree."""
    workload, recording = glm("first-spike")
    told = recording.answers.decision_steps.copy()
    told[0] += 1
    recording = replace(recording, answers=replace(recording.answers, decision_steps=told))
    assert "every sample is decided" in Run(BY_STEP, of=(workload, recording)).broken()


def test_a_synaptic_operation_too_few_is_noticed():
    """Each spike meets all weights of its input, eight for each neuron."""
    workload, recording = glm()
    run = Run(of=(workload, recording))
    spikes = int(np.count_nonzero(recording.inputs))
    assert sum(run.due.synaptic.values()) == spikes * 4 * 8
    run.tally(Phase.FP, 0).work.useful -= 1
    assert "synaptic operations" in run.broken()

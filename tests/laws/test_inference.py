"""Laws of inference: they hold on a healthy run, and each notices what it is there for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.laws.test_laws import Run
from tests.program.jobs import Densities, conv, corrupt, due, job, linear
from tlm.laws.due.synaptic import fan_out
from tlm.space.phase import Phase
from tlm.workload.inference import stop_steps

BY_STEP = "mapping.schedule=wavefront"
IN_GROUPS = ("mapping.schedule=pipelined", "mapping.static_input=every_step")
ORDERS = pytest.mark.parametrize("order", [(BY_STEP,), IN_GROUPS])
FEW = Densities(spikes=0.04)  # so that samples stop at different steps


def inference(seed=0, stop=False, **asked):
    """A small job's forward pass; its samples may stop by themselves."""
    layers = conv((4, 8, 8), 20, 3, padding=1, pool=2), linear(320, 10)
    workload, recording = job(*layers, batch=4, steps=4, seed=seed, densities=FEW, **asked)
    if stop:
        recording = replace(recording, steps_run=stop_steps(recording) + 1)
    return replace(workload, mode="inference"), recording


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("stop", [False, True])
@pytest.mark.parametrize("split", ["auto", "k", "batch", "spatial"])
def test_healthy_inference_breaks_nothing(split, stop, seed):
    """However it is cut; two laws look at what it has beside those of training."""
    settings = (f"mapping.split={split}", *[BY_STEP] * stop)
    run = Run(*settings, of=inference(seed, stop))
    assert run.broken() == []
    names = {check.name for check in run.checks()}
    assert "no phase but the forward pass" in names
    assert ("every sample is decided" in names) == stop
    assert not [name for name in names if " bp " in name or " wg " in name]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("group", [1, 3])
@pytest.mark.parametrize("split", ["auto", "k", "batch", "spatial", "placed"])
def test_samples_that_stop_run_in_groups(split, group, seed):
    """All laws hold however it is cut, and one more looks at the order."""
    settings = (*IN_GROUPS, f"mapping.group={group}", f"mapping.split={split}")
    run = Run(*settings, of=inference(seed, stop=True))
    assert run.broken() == []
    assert "groups of samples in turn" in {check.name for check in run.checks()}


def test_a_sample_out_of_turn_is_noticed():
    """The chip says that one sample comes after the other; they were built in twos."""
    run = Run(*IN_GROUPS, "mapping.split=k", "mapping.group=2", of=inference(stop=True))
    mapping = run.due.job.chip.mapping.model_copy(update={"group": 1})
    chip = run.due.job.chip.model_copy(update={"mapping": mapping})
    run.due = replace(run.due, job=replace(run.due.job, chip=chip))
    assert run.broken() == ["groups of samples in turn"]


def test_a_group_that_comes_back_is_noticed():
    """FP works on a sample that it has let go."""

    def tamper(program):
        departures = {at for at, label in enumerate(program.completions.labels)
                      if label.startswith("samples done")}  # fmt: skip
        for engines in program.tiles:
            gone = next((t for t in engines["fp"] if departures & set(t.signals)), None)
            if gone is not None:
                corrupt(engines["fp"][-1], "sample", gone.sample)

    broken = Run(*IN_GROUPS, "mapping.split=k", of=inference(stop=True), tamper=tamper).broken()
    assert {"groups leave when they are done", "groups of samples in turn"} <= set(broken)


def test_samples_one_by_one_hold_the_u_of_one():
    """What of a batch goes through DRAM stays in the core; the law notices where it has no room."""
    small = ("cores=1", "core.memory.membrane=128 Kib")
    whole, single = (
        Run(*order, *small, of=inference(stop=True)) for order in ((BY_STEP,), IN_GROUPS)
    )
    assert whole.broken() == single.broken() == []
    carried = [
        ["carry" in lp.addressed.tensors for lp in run.plan.layers] for run in (whole, single)
    ]
    assert carried == [[True, False], [False, False]]
    core = single.due.job.chip.core
    memory = core.memory.model_copy(update={"membrane": 64 << 10})
    chip = single.due.job.chip.model_copy(
        update={"core": core.model_copy(update={"memory": memory})}
    )
    single.due = replace(single.due, job=replace(single.due.job, chip=chip))
    assert "memories hold what they keep" in single.broken()


def test_samples_stop_at_different_steps():
    """Else the tests of early exit would see little."""
    assert len(set(stop_steps(inference()[1]).tolist())) > 1


def test_a_tile_of_another_phase_is_noticed():
    """A pass over the channels' statistics has no place in inference."""

    def tamper(program):
        tile = next(tile for tile in program.all_tiles() if not tile.needs)
        corrupt(tile, "phase", Phase.NORM)

    assert "no phase but the forward pass" in Run(of=inference(), tamper=tamper).broken()


@ORDERS
def test_a_sample_that_runs_on_is_noticed(order):
    """The engines compute one step more of a sample than its spikes ask for."""
    workload, recording = inference(stop=True)
    late = recording.steps_run.copy()
    late[int(late.argmin())] += 1
    run = Run(*order, of=(workload, replace(recording, steps_run=late)))
    assert {"required work exactly once", "every sample is decided"} <= set(run.broken())


@ORDERS
def test_a_sample_that_stops_too_early_is_noticed(order):
    """Without a spike before its last step."""
    workload, recording = inference(stop=True)
    early = recording.steps_run.copy()
    early[int(early.argmax())] -= 1
    run = Run(*order, of=(workload, replace(recording, steps_run=early)))
    assert "every sample is decided" in run.broken()


def test_outputs_that_stay_on_the_chip_are_noticed():
    """The host would never see them."""

    def tamper(program):
        for tile in program.all_tiles():
            corrupt(tile, "writes", ())

    assert "tensors moved whole" in Run(of=inference(), tamper=tamper).broken()


def test_a_synaptic_operation_too_many_is_noticed():
    """One addition that no spike asked for."""
    run = Run(of=inference())
    run.tally(Phase.FP, 1).work.useful += 1
    assert "synaptic operations" in run.broken()


@pytest.mark.parametrize(
    ("stride", "padding", "kernel"), [(1, 0, 3), (1, 1, 3), (2, 1, 3), (3, 0, 2)]
)
def test_fan_out_is_counted_by_hand(stride, padding, kernel):
    """Every output that the kernel joins with an input, tried one by one."""
    layer = conv((2, 7, 6), 3, kernel, stride=stride, padding=padding)
    run = Run(of=job(layer, batch=1))
    facts = run.due.job.layers[0]
    counted = np.zeros(layer.in_shape, int)
    for e, f in np.ndindex(layer.out_shape[1:]):
        for r, s in np.ndindex(layer.kernel):
            y, x = e * stride - padding + r, f * stride - padding + s
            if 0 <= y < 7 and 0 <= x < 6:
                counted[:, y, x] += layer.out_shape[0]
    assert np.array_equal(fan_out(facts), counted)


def test_due_of_inference_is_the_forward_pass_alone():
    """Nothing is due of any other phase."""
    run = Run(of=inference())
    asked = due(run.plan)
    for amounts in (asked.results, asked.useful, asked.dense, asked.message_bytes):
        assert all(phase == Phase.FP for phase, _ in amounts)
    assert all(use[0] == Phase.FP for use in (*asked.unit_operations, *asked.unit_accesses))
    assert {engine for _, engine, _ in asked.weights} == {"fp"}

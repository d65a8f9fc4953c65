"""Neurons that learn a number of their equation: read, summed and updated beside the weights."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.program.graphs import broken_laws, recording
from tests.program.jobs import IDEAL_DRAM, built, tiles_of
from tests.program.test_channel_parameters import (
    PRODUCTS,
    K,
    actions,
    difference,
    kept_bytes,
    two_layers,
)
from tests.reliability.probe import APART
from tlm.space.phase import Phase
from tlm.workload.model import Norm

ONE_CORE = ("cores=1", IDEAL_DRAM)
FOUR = ("cores=4", "mesh.columns=2", "mesh.rows=2", IDEAL_DRAM)
NORM = Norm("batch", 1e-5, per_step=False)


def learning(name="leak", *, by_channel=False, bias=False, norm=None, weighted=True):
    """Two convolutions whose second has neurons that learn a number, if it has a ``name``.

    Without weights these stand behind the first one's neurons.
    """
    job = two_layers(bias=bias, norm=norm)
    first, second = job.layers
    learnt = (name,) if name else ()
    neuron = replace(second.neuron, learnt=learnt, by_channel=by_channel)
    second = replace(second, neuron=neuron, kind="conv" if weighted else "identity")
    return replace(job, layers=(first, second))


@pytest.mark.parametrize(("by_channel", "count"), [(False, 1), (True, K)])
def test_a_number_counted_by_hand_on_one_core(by_channel, count):
    """A factor of dU for every neuron and step; its number and moments move like weights."""
    jobs = learning(None), learning(by_channel=by_channel)
    more, moved = difference(*jobs, *ONE_CORE)
    accesses = -(-count * 80 // 256)  # 16-bit numbers, two 32-bit moments
    assert more == {
        (Phase.GRAD, "bp.learnt_op"): PRODUCTS,
        (Phase.UPDATE, "wg.update_op_adam"): count,
        (Phase.UPDATE, "wg.optimizer_read"): accesses,
        (Phase.UPDATE, "wg.optimizer_write"): accesses,
    }
    assert moved == {
        ("leak", "reads"): 3 * 2 * count,  # for FP, for BP, and for the update
        ("leak", "writes"): 2 * count,
        **{(f"leak.moment{n}", way): 4 * count for n in (1, 2) for way in ("reads", "writes")},
    }


@pytest.mark.parametrize("norm", [None, NORM])
@pytest.mark.parametrize("split", ["batch", "spatial", "k+batch"])
def test_every_slice_sends_its_share_to_the_first(split, norm):
    """As many additions as there are other slices; the number is updated once."""
    overrides = (*FOUR, f"mapping.split={split}")
    more, _ = difference(learning(None, norm=norm), learning(norm=norm), *overrides)
    job = learning(norm=norm)
    plan, _ = built(job, recording(job), *overrides)
    assert len(plan.layers[1].cut.slices) > 1
    assert more[Phase.UPDATE, "wg.reduce_add"] == len(plan.layers[1].cut.slices) - 1
    assert more[Phase.UPDATE, "wg.update_op_adam"] == 1


def test_numbers_of_channels_go_to_the_owner_of_the_channels():
    """As gradients of a bias do."""
    jobs = learning(None, bias=True), learning(by_channel=True, bias=True)
    more, _ = difference(*jobs, *FOUR, "mapping.split=batch")
    plan, _ = built(jobs[1], recording(jobs[1]), *FOUR, "mapping.split=batch")
    replicas = len(plan.layers[1].replicas(plan.layers[1].cut.slices[0]))
    assert replicas > 1
    assert more[Phase.UPDATE, "wg.reduce_add"] == K * (replicas - 1)


@pytest.mark.parametrize(("reset", "saved"), [("none", ("U",)), ("soft", ("U", "S"))])
def test_a_potential_that_leaves_is_saved_for_it(reset, saved):
    """V of the step before follows from U and S, whatever the reset does to gradients."""
    job = learning()
    first, second = job.layers
    neuron = replace(second.neuron, output="membrane", reset=reset, detach_reset=True)
    job = replace(job, layers=(first, replace(second, neuron=neuron)))
    plan, program = built(job, recording(job), "mapping.state=spill", *ONE_CORE)
    assert plan.layers[1].layer.saved_state == saved
    assert {"U", "S", "m"} & plan.layers[1].addressed.tensors.keys() == set(saved)
    assert broken_laws(plan, program, "mapping.state=spill", *ONE_CORE)[0] == []


@given(
    flags=st.tuples(*[st.booleans()] * 4),
    weighted=st.booleans(),
    cores=st.sampled_from([1, 3, 4]),
    settings=st.sampled_from([(), APART, ("mapping.state=recompute",), ("mapping.split=k+batch",)]),
    policy=st.sampled_from([None, "exact", "frozen", "folded"]),
    schedule=st.sampled_from(["layerwise", "pipelined", "wavefront"]),
)
def test_laws_hold_wherever_they_learn(flags, weighted, cores, settings, policy, schedule):
    """With any norm and bias or without weights, on cuts and schedules of any kind."""
    by_channel, bias, step_scaled, by_step = flags
    if not weighted:
        bias, policy = False, None
    norm = None
    if policy is not None:
        plain = policy == "folded"
        norm = replace(NORM, step_scaled=step_scaled and not plain, by_step=by_step and not plain)
    if policy == "exact":
        schedule = "layerwise"
    job = learning("decay", by_channel=by_channel, bias=bias, norm=norm, weighted=weighted)
    mesh = ("mesh.columns=2", "mesh.rows=2") if cores == 4 else ()
    overrides = (
        f"cores={cores}", *mesh, *settings, f"mapping.schedule={schedule}", IDEAL_DRAM,
        f"mapping.batch_norm={policy or 'exact'}",
    )  # fmt: skip
    plan, program = built(job, recording(job), *overrides)
    assert broken_laws(plan, program, *overrides)[0] == []
    moved = kept_bytes(plan, program, 1)
    assert moved["decay", "writes"] == 2 * (K if by_channel else 1)
    assert moved["decay", "reads"] >= 3 * moved["decay", "writes"]
    assert actions(program, 1)[Phase.GRAD, "bp.learnt_op"] == PRODUCTS
    assert not tiles_of(program, Phase.REDUCE, 0) or cores > 1

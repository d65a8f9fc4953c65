"""Neurons whose constants differ by channel: read as trained numbers are, and never written."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.program.graphs import broken_laws, recording
from tests.program.jobs import IDEAL_DRAM, built
from tests.program.test_channel_parameters import K, actions, difference, kept_bytes, two_layers
from tests.reliability.neurons import by_channel
from tests.reliability.probe import APART
from tlm.workload.channels import CONSTANTS, backward_constants
from tlm.workload.model import Norm

ONE_CORE = ("cores=1", IDEAL_DRAM)
NORM = Norm("batch", 1e-5, per_step=False)
READ = 2 * K  # bytes: 16-bit numbers


def varied(*names, norm=None, **changes):
    """Two convolutions; constants of the second one's neurons with these names are by channel."""
    first, second = (job := two_layers(bias=False, norm=norm)).layers
    neuron = by_channel(replace(second.neuron, **changes), names, K)
    return replace(job, layers=(first, replace(second, neuron=neuron)))


def test_a_decay_counted_by_hand_on_one_core():
    """Read by FP and by the gradient unit; nothing else is done for it."""
    more, moved = difference(varied(), varied("decay"), *ONE_CORE)
    assert more == {}
    assert moved == {("decay", "reads"): 2 * READ}


@pytest.mark.parametrize(
    ("name", "changes", "walks"),
    [
        ("gain", {}, 2),
        ("threshold", {}, 2),
        ("threshold", {"output": "membrane", "detach_reset": True}, 1),
        ("threshold", {"output": "membrane", "detach_reset": False}, 2),
        ("reset_value", {"detach_reset": True}, 1),
        ("reset_value", {"detach_reset": False}, 2),
        ("reset_value", {"reset": "none", "detach_reset": False}, 1),
        ("offset", {}, 1),
        ("offset", {"learnt": ("threshold",)}, 2),
        ("initial", {}, 1),
    ],
)
def test_the_gradient_unit_reads_what_it_needs(name, changes, walks):
    """By hand from the equation of dU and dI."""
    _, moved = difference(varied(**changes), varied(name, **changes), *ONE_CORE)
    assert moved == {(name, "reads"): walks * READ}


def test_inference_reads_all_of_them_once():
    """It has no gradient unit."""
    from tlm.workload.inference import as_inference

    job = as_inference(varied("decay", "threshold"))
    plan, program = built(job, recording(job), *ONE_CORE)
    assert broken_laws(plan, program, *ONE_CORE)[0] == []
    moved = kept_bytes(plan, program, 1)
    assert {name: moved[name, "reads"] for name in ("decay", "threshold")} == {
        "decay": READ, "threshold": READ,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("job", "reads"),
    [(varied("decay"), 2), (varied(learnt=("decay",), by_channel=True), 3)],
    ids=["fixed", "learnt"],
)
def test_layers_without_weights_read_theirs_too(job, reads):
    """Neurons behind neurons: FP, the gradient unit, and the update of what is learnt."""
    first, second = job.layers
    second = replace(second, kind="identity", bias=False)
    job = replace(job, layers=(first, second))
    plan, program = built(job, recording(job), *ONE_CORE)
    assert broken_laws(plan, program, *ONE_CORE)[0] == []
    assert kept_bytes(plan, program, 1)["decay", "reads"] == reads * READ


@given(
    names=st.sets(st.sampled_from(CONSTANTS), min_size=1),
    reset=st.sampled_from(["hard", "soft", "none"]),
    flags=st.tuples(*[st.booleans()] * 2),
    cores=st.sampled_from([1, 3, 4]),
    settings=st.sampled_from([(), APART, ("mapping.state=recompute",), ("mapping.split=k+batch",)]),
    policy=st.sampled_from([None, "exact", "frozen", "folded"]),
    schedule=st.sampled_from(["layerwise", "pipelined", "wavefront"]),
)
def test_laws_hold_wherever_they_differ(names, reset, flags, cores, settings, policy, schedule):
    """On cuts, policies and schedules of any kind: read as often as it is needed, never written."""
    detach, learns = flags
    if policy == "exact":
        schedule = "layerwise"
    changes = {"reset": reset, "detach_reset": detach, "current_decay": 0.5}
    learnt = ("beta",) if learns and not names & {"decay", "reset_value"} else ()
    job = varied(*names, norm=None if policy is None else NORM, learnt=learnt, **changes)
    mesh = ("mesh.columns=2", "mesh.rows=2") if cores == 4 else ()
    overrides = (
        f"cores={cores}", *mesh, *settings, f"mapping.schedule={schedule}", IDEAL_DRAM,
        f"mapping.batch_norm={policy or 'exact'}",
    )  # fmt: skip
    plan, program = built(job, recording(job), *overrides)
    assert broken_laws(plan, program, *overrides)[0] == []
    moved = kept_bytes(plan, program, 1)
    needed = backward_constants(job.layers[1].neuron)
    for name in names:
        assert moved[name, "writes"] == 0
        assert moved[name, "reads"] >= READ * (1 + (name in needed))
    bare = varied(norm=None if policy is None else NORM, learnt=learnt, **changes)
    _, plain = built(bare, recording(bare), *overrides)
    assert actions(program, 1) == actions(plain, 1)

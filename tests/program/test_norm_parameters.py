"""Norms that train less than a scale and a shift a channel, or some for each time step."""

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
    T,
    actions,
    kept_bytes,
    two_layers,
)
from tests.reliability.probe import APART
from tlm.errors import MappingError
from tlm.space.phase import BATCH, Phase
from tlm.workload.inference import as_inference
from tlm.workload.model import Norm

PLAIN = Norm("batch", 1e-5, per_step=False)
BNTT = Norm("batch", 1e-5, per_step=True, shifted=False, by_step=True)
TEBN = Norm("batch", 1e-5, per_step=False, step_scaled=True)
NORMS = {
    "bntt": (BNTT, {"scale": T * K}),
    "tebn": (TEBN, {"scale": K, "shift": K, "step_scale": T}),
    "no gamma": (replace(PLAIN, scaled=False), {"shift": K}),
    "no affine": (replace(PLAIN, scaled=False, shifted=False), {}),
    "both by step": (replace(PLAIN, by_step=True), {"scale": T * K, "shift": T * K}),
    "all": (
        Norm("batch", 1e-5, True, by_step=True, step_scaled=True),
        {"scale": T * K, "shift": T * K, "step_scale": T},
    ),
}
ONE_CORE = ("cores=1", IDEAL_DRAM)


def run(norm, *overrides, bias=False):
    """Plan and program of a layer with a norm; no law breaks."""
    job = two_layers(bias=bias, norm=norm)
    plan, program = built(job, recording(job), *overrides)
    assert broken_laws(plan, program, *overrides)[0] == []
    return plan, program


@pytest.mark.parametrize("policy", ["exact", "frozen"])
@pytest.mark.parametrize("name", NORMS)
def test_each_number_is_read_and_learns_once(name, policy):
    """As many updates, and bytes of numbers and moments, as there are numbers."""
    norm, numbers = NORMS[name]
    plan, program = run(norm, f"mapping.batch_norm={policy}", *ONE_CORE)
    updates = actions(program, 1)[Phase.UPDATE, "wg.update_op_adam"]
    assert updates == K * 16 + sum(numbers.values())
    moved = kept_bytes(plan, program, 1)
    names = {key.removesuffix(".moment1") for key, _ in moved if key.endswith(".moment1")}
    assert names - {"moment1"} == set(numbers)
    again = {"scale": 3, "shift": 2, "step_scale": 3}  # FP, BP, update
    if policy == "exact" and norm.step_scaled:  # the gradients of its numbers follow from both
        again |= {"scale": 4, "shift": 3}
    for each, count in numbers.items():
        assert moved[each, "reads"] == again[each] * 2 * count
        assert moved[each, "writes"] == 2 * count
        assert moved[f"{each}.moment1", "reads"] == moved[f"{each}.moment2", "writes"] == 4 * count


@pytest.mark.parametrize(
    ("name", "adds", "factors"),
    [
        ("bntt", 0, T),  # statistics and scales are of a step
        ("tebn", T - 1, T),  # sums of steps, scaled, make those of all
        ("no gamma", 0, 1),
        ("no affine", 0, 1),
        ("both by step", T - 1, T),
        ("all", 0, T),
    ],
)
def test_sums_of_steps_by_hand(name, adds, factors):
    """Additions of both kinds of sums, and factors that the owner of a channel makes."""
    _, program = run(NORMS[name][0], *ONE_CORE)
    counts = actions(program, 1)
    assert counts[Phase.NORM_GRAD, "bp.norm_add"] == 2 * K * adds
    assert counts[Phase.NORM, "fp.norm_channel"] == K * factors
    shares = 2 * K * T * (name in ("tebn", "all"))
    assert counts[Phase.REDUCE, "wg.reduce_add"] == shares


def test_statistics_and_factors_travel_in_their_numbers():
    """TEBN: a statistic a channel goes out, T factors return; in BP the other way round."""
    overrides = ("cores=4", "mesh.columns=2", "mesh.rows=2", "mapping.split=batch", IDEAL_DRAM)
    plan, program = run(TEBN, *overrides)
    owner = plan.layers[1].cut.slices[0].core
    channel = 2 * K * plan.chip.precision.partial_sum // 8
    for phase, there, back in ((Phase.NORM, 1, T), (Phase.NORM_GRAD, T, 1)):
        exchange = [tile for tile in tiles_of(program, phase, 1) if tile.sample == BATCH]
        sent = [message for tile in exchange for message in tile.messages]
        assert {m.nbytes for m in sent if m.core == owner} == {channel * there}
        assert {m.nbytes for m in sent if m.core != owner} == {channel * back}


@pytest.mark.parametrize("split", ["batch", "spatial", "k+batch"])
@pytest.mark.parametrize("policy", ["exact", "frozen"])
def test_every_slice_sends_its_share_of_a_gradient_of_a_step(split, policy):
    """To the first slice, which adds up as many as there are others."""
    overrides = ("cores=4", "mesh.columns=2", "mesh.rows=2", f"mapping.split={split}", IDEAL_DRAM)
    policies = f"mapping.batch_norm={policy}"
    plain, scaled = (run(norm, policies, *overrides) for norm in (PLAIN, TEBN))
    slices = len(scaled[0].layers[1].cut.slices)
    assert slices > 1
    more = actions(scaled[1], 1)
    more.subtract(actions(plain[1], 1))
    assert more[Phase.UPDATE, "wg.reduce_add"] == T * (slices - 1)
    replicas = len(scaled[0].layers[1].replicas(scaled[0].layers[1].cut.slices[0]))
    assert more[Phase.REDUCE, "wg.reduce_add"] == 2 * K * T * replicas
    sent = [sum(m.nbytes for tile in tiles_of(p, Phase.REDUCE, 1) for m in tile.messages)
            for _, p in (plain, scaled)]  # fmt: skip
    width = scaled[0].chip.precision.partial_sum // 8
    assert sent[1] - sent[0] == width * T * (slices - 1)


@pytest.mark.parametrize(
    ("name", "stats", "adds"),
    [("bntt", 1, 0), ("tebn", 1, 0), ("no gamma", 0, 1), ("no affine", 0, 0), ("all", 1, 0)],
)
def test_frozen_statistics_sum_what_learns(name, stats, adds):
    """A shift alone as a bias does; without either nothing is summed."""
    _, program = run(NORMS[name][0], "mapping.batch_norm=frozen", *ONE_CORE)
    counts = actions(program, 1)
    assert counts[Phase.FP, "fp.norm_scale"] == PRODUCTS
    assert counts[Phase.GRAD, "bp.norm_stat"] == PRODUCTS * stats
    assert counts[Phase.GRAD, "bp.bias_add"] == PRODUCTS * adds


def test_a_scale_of_a_step_is_not_folded():
    """All steps share the weights; without by-step numbers a bias is left."""
    for name in ("bntt", "tebn"):
        with pytest.raises(MappingError, match=r"norm has a scale for each time step.*frozen"):
            run(NORMS[name][0], "mapping.batch_norm=folded")
    plan, _ = run(NORMS["no affine"][0], "mapping.batch_norm=folded", IDEAL_DRAM)
    assert plan.layers[1].channel_parameters == ("bias",)


@given(
    flags=st.tuples(*[st.booleans()] * 6),
    cores=st.sampled_from([1, 3, 4]),
    settings=st.sampled_from([(), APART, ("mapping.state=recompute",), ("mapping.split=k+batch",)]),
    frozen=st.sampled_from([None, "layerwise", "pipelined", "wavefront"]),
)
def test_laws_hold_for_every_norm(flags, cores, settings, frozen):
    """Any of its parts, on cuts and schedules of any kind."""
    per_step, scaled, shifted, by_step, step_scaled, bias = flags
    norm = Norm("batch", 1e-5, per_step, scaled, shifted, by_step, step_scaled)
    policy = ("mapping.batch_norm=frozen", f"mapping.schedule={frozen}") if frozen else ()
    mesh = ("mesh.columns=2", "mesh.rows=2") if cores == 4 else ()
    run(norm, f"cores={cores}", *mesh, *settings, *policy, IDEAL_DRAM, bias=bias)


def test_inference_reads_the_numbers_of_every_step():
    """Behind running statistics, which scale in FP: they are not folded."""
    job = two_layers(bias=False, norm=BNTT)
    recorded = recording(job)
    nothing = tuple(spikes & False for spikes in recorded.spikes)
    forward = replace(recorded, masks=nothing, dU=nothing, dY=nothing)
    overrides = ("mapping.batch_norm=frozen", *ONE_CORE)
    plan, program = built(as_inference(job), forward, *overrides)
    assert broken_laws(plan, program, *overrides)[0] == []
    assert kept_bytes(plan, program, 1)["scale", "reads"] == 2 * T * K
    assert actions(program, 1)[Phase.FP, "fp.norm_scale"] == PRODUCTS

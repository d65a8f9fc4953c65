"""A head whose membrane potential the loss reads: what BP needs of it, and what leaves it."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
import pytest

from tests.program.graphs import NORM, broken_laws, builder, recording, workload
from tests.program.jobs import NEURON, built, tiles_of
from tests.program.test_batch_norm import bytes_of, energy
from tlm.space.phase import Phase
from tlm.workload.inference import as_inference

STEPS, BATCH, CLASSES = 3, 2, 10
NEURONS = STEPS * BATCH * CLASSES
SAVED = {  # by reset and whether it is detached: what BP needs of U and S
    ("none", True): (),
    ("none", False): (),
    ("soft", True): (),
    ("soft", False): ("U",),
    ("hard", True): ("S",),
    ("hard", False): ("U", "S"),
}


def read_by_the_loss(reset="none", detach=True, norm=None, classes=CLASSES):
    """A convolution and a linear layer whose potential is the output."""
    net = builder((16, 6, 6))
    net.conv(16, kernel=3, padding=1)
    net.linear(classes)
    first, last = net.layers
    output = replace(NEURON, output="membrane", reset=reset, detach_reset=detach)
    return workload([first, replace(last, neuron=output, norm=norm)], STEPS, BATCH)


def all_set(job):
    """Random masks; the slope at a potential that leaves is zero nowhere, without a reset no S."""
    recorded = recording(job)
    last = job.layers[-1]
    spikes = recorded.spikes[-1] & (last.neuron.reset != "none")
    return replace(
        recorded,
        spikes=(*recorded.spikes[:-1], spikes),
        masks=(*recorded.masks[:-1], np.ones_like(spikes)),
    )


def forward_alone(recorded):
    """What of a recording inference has."""
    nothing = tuple(np.zeros_like(spikes) for spikes in recorded.spikes)
    return replace(recorded, masks=nothing, dU=nothing, dY=nothing)


@pytest.mark.parametrize("norm", [None, NORM])
@pytest.mark.parametrize("state", ["keep", "spill", "recompute", "auto"])
@pytest.mark.parametrize(("reset", "detach"), SAVED)
def test_bp_reads_what_the_reset_asks_for_and_no_law_breaks(reset, detach, state, norm):
    """Without a gradient through the reset neither U nor S; never m."""
    job = read_by_the_loss(reset, detach, norm)
    saved = SAVED[reset, detach]
    overrides = (f"mapping.state={state}",)
    plan, program = built(job, all_set(job), *overrides)
    layer_plan, counted = plan.layers[1], energy(program, 1)
    kept = {name for name in ("U", "S", "m") if name in layer_plan.addressed.tensors}
    assert kept == (set(saved) if layer_plan.state == "spill" else set())
    if not saved:
        assert layer_plan.state == "spill"
    assert counted["bp.grad_op"] - (STEPS + 3) * CLASSES * BATCH == NEURONS
    assert bool(counted.get("bp.membrane_read")) == ("U" in saved)
    assert bool(counted.get("bp.state_read")) == ("S" in saved)
    assert bool(counted.get("fp.state_write")) == ("S" in saved)
    assert bool(tiles_of(program, Phase.RECOMPUTE, 1)) == (
        layer_plan.state == "recompute" and norm is None
    )
    assert broken_laws(plan, program, *overrides)[0] == []


def test_the_loss_gets_numbers_as_wide_as_the_membrane():
    """16 bits of every class that is elsewhere, at every step of every sample."""
    job = read_by_the_loss("hard", classes=20)
    plan, program = built(job, all_set(job), "mapping.split=k", "cores=2")
    elsewhere = 20 - plan.layers[1].cut.slices[0].neurons.channels[1]
    sent = [m.nbytes for tile in tiles_of(program, Phase.FP, 1) for m in tile.messages]
    assert elsewhere > 0
    assert sum(sent) == elsewhere * STEPS * BATCH * 2


@pytest.mark.parametrize("state", ["keep", "spill", "recompute"])
@pytest.mark.parametrize("reset", ["none", "soft", "hard"])
def test_a_wavefront_carries_a_potential_that_is_not_saved(reset, state):
    """U of the step before has a place of its own, unless it is saved for BP."""
    for detach in (True, False):
        job = read_by_the_loss(reset, detach)
        wavefront = ("cores=1", "mapping.schedule=wavefront", f"mapping.state={state}")
        small = (*wavefront, "core.memory.membrane=2 Kib", "core.memory.sharing=pool")
        for overrides in (wavefront, small):
            plan, program = built(job, all_set(job), *overrides)
            assert broken_laws(plan, program, *overrides)[0] == []


@pytest.mark.parametrize("policy", ["exact", "frozen", "folded"])
def test_every_policy_of_a_norm_in_front_of_it(policy):
    """As of a layer whose spikes leave."""
    job = read_by_the_loss("hard", detach=False, norm=NORM)
    overrides = (f"mapping.batch_norm={policy}",)
    plan, program = built(job, all_set(job), *overrides)
    assert broken_laws(plan, program, *overrides)[0] == []


def test_inference_hands_the_potential_to_the_host():
    """As wide as the membrane; no spike is kept."""
    job = read_by_the_loss("hard")
    forward = as_inference(job)
    plan, program = built(forward, forward_alone(all_set(job)))
    assert broken_laws(plan, program)[0] == []
    written = bytes_of(
        plan, tiles_of(program, Phase.FP, 1), f"{job.layers[1].name}.output", "writes"
    )
    assert written == 2 * STEPS * BATCH * prod(job.layers[1].out_shape)
    assert "fp.state_write" not in energy(program, 1)

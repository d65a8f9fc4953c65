"""Current-based neurons: what a second number of state costs beside the same job without it."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import pytest

from tests.program.graphs import NORM, broken_laws, builder, recording, workload
from tests.program.jobs import DENSE, built, tiles_of
from tests.program.test_batch_norm import bytes_of, energy
from tlm.space.phase import Phase

STEPS, BATCH = 3, 2


def two_convolutions(current_decay, norm=None):
    """Two wide convolutions whose neurons have a synaptic current, if it decays at all."""
    net = builder((16, 6, 6), norm)
    net.conv(32, kernel=3, padding=1)
    net.conv(32, kernel=3, padding=1)
    layers = [
        replace(layer, neuron=replace(layer.neuron, current_decay=current_decay))
        for layer in net.layers
    ]
    job = workload(layers, STEPS, BATCH)
    return job, recording(job)


@pytest.mark.parametrize("norm", [None, NORM])
@pytest.mark.parametrize("state", ["keep", "spill", "recompute"])
def test_each_step_of_a_current_is_charged_and_no_law_breaks(norm, state):
    """An operation each way, a second read and write of the U memory, and nothing else."""
    overrides = (f"mapping.state={state}",)
    counted, plain = (
        energy(built(*two_convolutions(decay, norm), *overrides)[1], 1) for decay in (0.75, 0)
    )
    neurons = STEPS * BATCH * 6 * 6 * 32
    passes = 2 if state == "recompute" else 1
    assert counted.pop("fp.current_op") == passes * neurons
    assert counted.pop("bp.current_op") == neurons
    for way in ("read", "write"):
        assert counted.pop(f"fp.membrane_{way}") == 2 * plain.pop(f"fp.membrane_{way}")
    assert counted == plain
    plan, program = built(*two_convolutions(0.75, norm), *overrides)
    assert broken_laws(plan, program, *overrides)[0] == []


@pytest.mark.parametrize(("current_decay", "words"), [(0, 1), (0.75, 2)])
def test_a_carry_through_dram_holds_both_numbers(current_decay, words):
    """Where U of a row does not fit, the current goes with it from step to step."""
    job, recorded = two_convolutions(current_decay)
    overrides = ("cores=1", "core.memory.partial_sums=2 Kib", "core.memory.membrane=4 Kib", *DENSE)
    plan, program = built(job, recorded, *overrides)
    moved = words * 2 * BATCH * (STEPS - 1) * prod(job.layers[1].out_shape)
    fp = tiles_of(program, Phase.FP, 1)
    assert bytes_of(plan, fp, "conv1.carry", "writes") == moved
    assert bytes_of(plan, fp, "conv1.carry", "reads") == moved
    assert broken_laws(plan, program, *overrides)[0] == []


@pytest.mark.parametrize("state", ["keep", "spill"])
def test_a_wavefront_carries_the_current_apart_from_the_saved_membrane(state):
    """U is saved for BP, the current is not: between steps it needs a place of its own."""
    wavefront = ("cores=1", "mapping.schedule=wavefront", f"mapping.state={state}")
    small = (*wavefront, "core.memory.membrane=8 Kib", "core.memory.sharing=pool")
    plan, program = built(*two_convolutions(0.75), *small)
    assert "carry" in plan.layers[1].addressed.tensors
    assert bytes_of(plan, tiles_of(program, Phase.FP, 1), "conv1.carry", "reads") > 0
    assert broken_laws(plan, program, *small)[0] == []

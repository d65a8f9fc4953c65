"""Layers without weights: what they read is their current; no array has to do with them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.program.graphs import (
    NORM,
    add,
    broken_laws,
    builder,
    identity,
    recording,
    without_neurons,
    workload,
)
from tests.program.jobs import built, corrupt, tiles_of
from tests.program.test_shortcuts import SOME, energy
from tests.reliability.probe import CHIPS, SMALL
from tlm.space.phase import Phase
from tlm.workload.model import Pool

BLOCK = 16 * 4 * 4  # elements of a step of a sample of the job below


def chain():
    """conv0 -> neurons without weights -> conv2, all of 16 channels of 4 x 4 pixels."""
    net = builder((16, 4, 4))
    net.conv(16, kernel=1)
    identity(net, [0])
    net.conv(16, kernel=1)
    return workload(net.layers, 1, 1)


def test_neurons_behind_neurons_counted_by_hand():
    """One pass of the soma over what conv0 left, one of the gradient unit; nothing else.

    conv0 has one partial dS, the dI of those neurons, which is added to nothing.
    """
    job, chip = chain(), ("cores=1", "mapping.state=spill")
    plan, program = built(job, recording(job), *chip)
    own = [tile for tile in program.all_tiles() if tile.layer == 1]
    assert {tile.phase for tile in own} == {Phase.FP, Phase.GRAD}
    assert sum(tile.work.dense for tile in own) == 0
    [fp] = tiles_of(program, Phase.FP, 1)
    lanes, depth = plan.chip.core.unit_lanes, plan.chip.core.pipeline_depth
    assert fp.cycles == BLOCK // lanes + depth
    assert energy(program, Phase.FP, 1, "fp.soma_op") == BLOCK
    assert energy(program, Phase.FP, 1, "fp.shortcut_add") == BLOCK
    assert energy(program, Phase.FP, 1, "fp.partial_read") == 0
    assert energy(program, Phase.GRAD, 0, "bp.partial_read") == BLOCK
    assert energy(program, Phase.GRAD, 0, "bp.reduce_add") == 0
    assert not plan.layers[1].addressed.weights
    assert broken_laws(plan, program, *chip)[0] == []
    for part, value in (("cycles", fp.cycles - 1), ("covers", fp.covers - 1), ("reads", ())):
        plan, program = built(job, recording(job), *chip)
        [fp] = tiles_of(program, Phase.FP, 1)
        corrupt(fp, part, value)
        assert broken_laws(plan, program, *chip)[0]


def membrane(norm):
    """MS-ResNet: a sum of currents goes to neurons of its own and, as numbers, to a convolution."""
    net = builder((3, 8, 8), norm)
    for _ in range(3):
        net.conv(20, 3, padding=1)
    add(net, 2, 0)
    without_neurons(net, 2)
    neurons = identity(net, [2])
    net.conv(36, 3, stride=2, padding=1, sources=(neurons,))
    without_neurons(net, net.conv(36, 3, padding=1))
    branch = net.conv(36, 1, stride=2, sources=(2,))
    net.layers[branch] = replace(net.layers[branch], input_kind="analog")
    add(net, branch, branch - 1)
    net.linear(10)
    return workload(net.layers)


def sums(norm):
    """A sum through a pool, twice its spikes, and its values to a head of their own."""
    net = builder((3, 8, 8), norm)
    both = [net.conv(20, 3, padding=1), net.conv(20, 3, padding=1)]
    small = identity(net, both, input_pool=Pool.square("average", 2, 2))
    twice = identity(net, [small, small], pool=Pool.square("max", 2, 2))
    add(net, twice, small)
    values = identity(net, [small], neuron=None)
    net.linear(10, sources=(twice,))
    head = net.linear(5, sources=(values,))
    net.layers[head] = replace(net.layers[head], input_kind="analog")
    return workload(net.layers)


@pytest.mark.parametrize("chip", SOME)
@pytest.mark.parametrize("network", [membrane, sums])
@pytest.mark.parametrize("norm", [None, NORM])
def test_networks_keep_all_laws(network, chip, norm):
    """Whatever the schedule, the statistics and what stays where."""
    job, overrides = network(norm), (*SMALL, *CHIPS[chip], "core.memory.spikes=32 Kib")
    plan, program = built(job, recording(job, live=0.8), *overrides)
    assert broken_laws(plan, program, *overrides)[0] == []

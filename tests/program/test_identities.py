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
from tlm.space.region import length
from tlm.workload.model import Pool

BLOCK = 16 * 4 * 4  # elements of a step of a sample of the job below


def chain(batch=1):
    """conv0 -> neurons without weights -> conv2, all of 16 channels of 4 x 4 pixels."""
    net = builder((16, 4, 4))
    net.conv(16, kernel=1)
    identity(net, [0])
    net.conv(16, kernel=1)
    return workload(net.layers, 1, batch)


def learning(job, by_channel):
    """The job, in which neurons without weights learn their decay."""
    layers = [
        replace(layer, neuron=replace(layer.neuron, learnt=("decay",), by_channel=by_channel))
        if layer.kind == "identity" and layer.neuron is not None
        else layer
        for layer in job.layers
    ]
    return replace(job, layers=tuple(layers))


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


@pytest.mark.parametrize(("by_channel", "count"), [(False, 1), (True, 16)])
@pytest.mark.parametrize("split", ["spatial", "batch"])
def test_what_neurons_without_weights_learn_is_updated(by_channel, count, split):
    """Every slice reads its numbers in FP and in GRAD; sums go to the owner, which updates them."""
    job, chip = learning(chain(2), by_channel), ("cores=4", f"mapping.split={split}")
    plan, program = built(job, recording(job), *chip)
    layer_plan = plan.layers[1]
    slices, number = layer_plan.cut.slices, layer_plan.addressed.weights["decay"]
    assert len(slices) > 1
    read = [
        (tile.phase, nbytes)
        for tile in program.all_tiles()
        for at, nbytes in tile.reads
        if number.address <= at < number.address + number.nbytes
    ]
    in_all = 2 * sum(length(part.neurons.channels) if by_channel else 1 for part in slices)
    for phase in (Phase.FP, Phase.GRAD):
        assert sum(nbytes for at, nbytes in read if at == phase) == in_all
    owners = len(slices) if not by_channel else len(layer_plan.replicas(slices[0]))
    assert energy(program, Phase.UPDATE, 1, "wg.update_op_adam") == count
    assert energy(program, Phase.UPDATE, 1, "wg.reduce_add") == count * (owners - 1)
    assert sum(tile.covers for tile in tiles_of(program, Phase.UPDATE, 1)) == count
    assert broken_laws(plan, program, *chip)[0] == []
    for part, value in (("covers", 0), ("writes", ()), ("needs", ())):
        plan, program = built(job, recording(job), *chip)
        corrupt(tiles_of(program, Phase.UPDATE, 1)[0], part, value)
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

"""Windows of any form run: dilated kernels, oblong pools, pools that round up, lines."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.program.graphs import NORM, broken_laws, builder, recording, workload
from tests.program.jobs import IDEAL_DRAM, built
from tests.program.test_operands import CHIPS, decoder, pyramid
from tlm.workload.model import Pool


def dilated(shape, pool=None):
    """Taps two rows apart, over cuts of few rows."""
    net = builder(shape)
    net.conv(6, kernel=3, padding=1, pool=pool)
    net.conv(4, kernel=3, padding=2, dilation=2)
    net.linear(4)
    return workload(net.layers)


def pooled(pool, before=None):
    """A pool of spikes, and one that a later layer has of its own."""
    net = builder((3, 9, 8))
    first = net.conv(5, kernel=3, padding=1, pool=pool)
    net.conv(5, kernel=1)
    net.linear(4, sources=(first, 1), input_pool=before)
    return workload(net.layers)


def currents_pooled(pool):
    """Pooled before the neurons, behind batch statistics."""
    net = builder((3, 9, 8), NORM)
    layer = net.layers[net.conv(5, kernel=3, padding=1)]
    net.layers[0] = replace(layer, current_pool=pool, out_shape=pool.pooled(layer.product_shape))
    net.linear(4)
    return workload(net.layers)


NETS = {
    "dilated": lambda: dilated((2, 12, 7)),
    "a line": lambda: dilated((2, 23, 1), Pool("max", (3, 1), (2, 1), (1, 0))),
    "oblong": lambda: pooled(Pool("average", (1, 3), (1, 2), (0, 1)), Pool("max", (3, 2), (2, 1))),
    "rounded up": lambda: pooled(Pool("max", (2, 3), (2, 3), (0, 1), (1, 2))),
    "oblong currents": lambda: currents_pooled(Pool("average", (3, 2), (3, 2))),
    "currents rounded up": lambda: currents_pooled(Pool("max", (2, 3), (2, 2), (0, 1), (1, 1))),
}


THROUGH_DRAM = ("cores=3", "core.memory.sharing=separate", "core.memory.spike_gradients=64 bit")
"""Gradients go through DRAM."""


@pytest.mark.parametrize("name", ["decoder", "pyramid", *NETS])
def test_all_laws_hold_where_gradients_go_through_dram(name):
    """What comes back of a slice's outputs is found again among what their readers left."""
    job = {"decoder": decoder, "pyramid": pyramid, **NETS}[name]()
    plan, program = built(job, recording(job, live=0.8), IDEAL_DRAM, *THROUGH_DRAM)
    assert any(key.startswith("dX") for each in plan.layers for key in each.addressed.tensors)
    assert broken_laws(plan, program, IDEAL_DRAM, *THROUGH_DRAM)[0] == []


@pytest.mark.parametrize("chip", CHIPS, ids=range(len(CHIPS)))
@pytest.mark.parametrize("name", NETS)
def test_all_laws_hold(name, chip):
    """On chips of different shapes and memories."""
    job = NETS[name]()
    plan, program = built(job, recording(job, live=0.8), IDEAL_DRAM, *chip)
    assert broken_laws(plan, program, IDEAL_DRAM, *chip)[0] == []

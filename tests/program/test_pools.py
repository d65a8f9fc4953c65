"""Pools: counted by their windows, and alike on whichever side of a connection they stand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pools import pools_on
from tests.program.graphs import NORM, broken_laws, builder, recording, workload
from tests.program.jobs import IDEAL_DRAM, built
from tests.program.test_channel_parameters import actions
from tlm.space.geometry import pool_adds
from tlm.space.phase import Phase
from tlm.workload.model import Pool
from tlm.workload.pools import pools_behind_layers

CHIP = ("cores=4", "mesh.columns=2", "mesh.rows=2", IDEAL_DRAM)


def pooled_job(kind, *, on_producer):
    """16 channels of 8 x 8, pooled 2 x 2, then a linear layer; T = 3, B = 2."""
    pool = Pool.square(kind, 2, 2)
    net = builder((3, 8, 8))
    net.conv(16, kernel=3, padding=1, pool=pool if on_producer else None)
    net.linear(10, input_pool=None if on_producer else pool)
    return workload(net.layers, steps=3, batch=2)


@given(st.data(), st.integers(4, 9), st.integers(4, 9))
def test_additions_of_windows_are_their_elements_but_one(data, height, width):
    """Walked element by element, in any split of the rows."""
    pool = data.draw(pools_on((1, height, width)))
    _, rows, columns = pool.pooled((1, height, width))
    at = [(y, x) for y in range(rows) for x in range(columns)]
    (down, across), (top, left) = pool.stride, pool.padding
    inside = sum(
        0 <= y * down - top + dy < height and 0 <= x * across - left + dx < width
        for y, x in at
        for dy in range(pool.size[0])
        for dx in range(pool.size[1])
    )
    whole = pool_adds(pool, (0, rows), (height, width))
    assert whole == inside - len(at)
    cut = rows // 2
    parts = [pool_adds(pool, span, (height, width)) for span in ((0, cut), (cut, rows))]
    assert sum(parts) == whole


@pytest.mark.parametrize("kind", ["max", "average", "sum"])
def test_one_pool_costs_the_same_on_either_side(kind):
    """16 x 4 x 4 windows of four: three additions each, of every sample and step, in FP alone."""
    programs = []
    for on_producer in (True, False):
        job = pooled_job(kind, on_producer=on_producer)
        plan, program = built(job, recording(job), *CHIP)
        assert broken_laws(plan, program, *CHIP)[0] == []
        programs.append(program)
    one, other = programs
    assert one.tiles == other.tiles
    assert actions(one, 0)[Phase.FP, "fp.pool"] == 3 * 2 * 16 * 16 * 3
    assert not [key for key in actions(one, 1) if "pool" in key[1]]


def test_a_pool_that_readers_do_not_share_stays_with_its_reader():
    """One reader pools, the other does not: the adds fall where each reads, in FP and in WG."""
    net = builder((3, 8, 8))
    first = net.conv(16, kernel=3, padding=1)
    net.conv(16, kernel=3, padding=1)
    second = net.last
    net.linear(10, sources=(first, second), input_pool=Pool.square("average", 2, 2))
    job = workload(net.layers, steps=3, batch=2)
    assert pools_behind_layers(job).layers == job.layers
    plan, program = built(job, recording(job), "cores=1", IDEAL_DRAM)
    assert broken_laws(plan, program, "cores=1", IDEAL_DRAM)[0] == []
    counts = actions(program, 2)
    assert counts[Phase.FP, "fp.input_pool"] == counts[Phase.WG, "wg.input_pool"] == 4608
    assert counts[Phase.FP, "fp.input_add"] == 6144


def test_cores_with_other_rows_pool_their_own_windows():
    """4 x 4 windows of 16 channels, three additions each, once between four cores."""
    net = builder((3, 8, 8))
    first = net.conv(16, kernel=3, padding=1)
    net.conv(16, kernel=3, padding=1)
    last = net.conv(8, kernel=2, stride=2, sources=(first, net.last))
    net.layers[last] = replace(
        net.layers[last], kernel=(1, 1), stride=(1, 1), in_shape=(16, 4, 4),
        input_pool=Pool.square("average", 2, 2),
    )  # fmt: skip
    job, chip = workload(net.layers, steps=3, batch=2), ("cores=4", "mapping.split=spatial")
    plan, program = built(job, recording(job), *chip)
    assert broken_laws(plan, program, *chip)[0] == []
    assert len(plan.layers[2].cut.slices) == 4
    assert actions(program, 2)[Phase.FP, "fp.input_pool"] == 3 * 2 * 16 * 4 * 4 * 3


@pytest.mark.parametrize("norm", [None, NORM])
def test_currents_are_pooled_by_adders_too(norm):
    """16 x 4 x 4 windows of four currents, before the neurons of any phase that runs them."""
    net = builder((3, 8, 8))
    net.conv(16, kernel=3, padding=1)
    net.linear(10)
    conv, linear = net.layers
    conv = replace(conv, out_shape=(16, 4, 4), current_pool=Pool.square("average", 2, 2), norm=norm)
    linear = replace(linear, in_shape=(256, 1, 1))
    job = workload([conv, linear], steps=3, batch=2)
    plan, program = built(job, recording(job), *CHIP)
    assert broken_laws(plan, program, *CHIP)[0] == []
    phase = Phase.FP if norm is None else Phase.NORM
    assert actions(program, 0)[phase, "fp.current_pool"] == 3 * 2 * 16 * 16 * 3


def test_a_window_of_one_element_has_no_winner_to_say():
    """A layer of values behind a 1 x 1 max-pool keeps its laws: which element won takes no bits."""
    net = builder((3, 8, 8))
    net.conv(16, kernel=3, padding=1, pool=Pool.square("max", 1, 2))
    net.linear(10)
    layers = tuple(replace(layer, neuron=None) for layer in net.layers)
    job = workload(layers, steps=1, batch=2)
    plan, program = built(job, recording(job), *CHIP)
    assert any(tensor.bits == 0 for tensor in plan.layers[0].addressed.tensors.values())
    assert broken_laws(plan, program, *CHIP)[0] == []

"""Shortcuts: what earlier layers leave is added to currents, and dI returns there."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pools import pools_on
from tests.program.graphs import (
    NORM,
    add,
    broken_laws,
    builder,
    recording,
    without_neurons,
    workload,
)
from tests.program.jobs import built, corrupt, tiles_of
from tests.reliability.probe import CHIPS, SMALL
from tlm.counts.masks import Masks
from tlm.laws.due.masks import product_gradients
from tlm.space.phase import Phase
from tlm.workload.golden.pool import pool_gradient
from tlm.workload.model import Pool

BLOCK = 16 * 4 * 4  # elements of a step of a sample of the job below
WORD = 2  # bytes of a current and of a gradient


def three_layers(norm=None, of="current", pool=None, steps=1, batch=1):
    """conv0 -> conv1 -> conv2, 16 channels of 4 x 4 pixels; conv0 is added to conv2's current."""
    net = builder((16, 4, 4), norm)
    for stride in (1, 1, 1 if pool is None else 2):
        net.conv(16, kernel=1, stride=stride)
    add(net, 2, 0, of, pool)
    return workload(net.layers, steps, batch)


def moved(program, tensor):
    """Bytes read and written of a tensor, by phase and layer."""
    end = tensor.address + tensor.nbytes
    read, written = Counter(), Counter()
    for tile in program.all_tiles():
        for extents, total in ((tile.reads, read), (tile.writes, written)):
            total[tile.phase, tile.layer] += sum(
                n for at, n in extents if tensor.address <= at < end
            )
    return +read, +written


def energy(program, phase, layer, action):
    """How often the tiles of a phase of a layer do an action."""
    return sum(tile.work.energy.get(action, 0) for tile in tiles_of(program, phase, layer))


def test_a_current_that_is_added_counted_by_hand():
    """I of conv0 lies in DRAM for conv2; dI of conv2 returns there and is one part more."""
    job = three_layers()
    plan, program = built(job, recording(job), "cores=1", "mapping.state=spill")
    first, _, last = plan.layers
    read, written = moved(program, first.addressed.tensors["I"])
    assert (read, written) == ({(Phase.FP, 2): WORD * BLOCK}, {(Phase.FP, 0): WORD * BLOCK})
    read, written = moved(program, last.addressed.tensors["dI"])
    assert (read, written) == ({(Phase.GRAD, 0): WORD * BLOCK}, {(Phase.GRAD, 2): WORD * BLOCK})
    assert energy(program, Phase.FP, 2, "fp.shortcut_add") == BLOCK
    assert energy(program, Phase.FP, 1, "fp.shortcut_add") == 0
    assert energy(program, Phase.GRAD, 0, "bp.reduce_add") == BLOCK
    assert energy(program, Phase.GRAD, 0, "bp.partial_read") == 2 * BLOCK
    assert [layer_plan.head for layer_plan in plan.layers] == [False, False, True]


def test_spikes_that_are_added_lie_in_DRAM_already():
    """conv2 reads conv0's spikes once more in FP, and writes no current of it."""
    job = three_layers(of="spikes")
    plan, program = built(job, recording(job), "cores=1", "mapping.state=spill")
    tensors = plan.layers[0].addressed.tensors
    assert "I" not in tensors
    read, _ = moved(program, tensors["spikes"])
    assert read[Phase.FP, 2] == BLOCK // 8
    assert energy(program, Phase.FP, 2, "fp.shortcut_add") == BLOCK
    assert energy(program, Phase.GRAD, 0, "bp.reduce_add") == BLOCK


def test_a_pooled_shortcut_is_added_up_window_by_window():
    """Three additions a window of four; every row of what is pooled is read."""
    job = three_layers(pool=Pool.square("average", 2, 2))
    plan, program = built(job, recording(job), "cores=1", "mapping.state=spill")
    read, _ = moved(program, plan.layers[0].addressed.tensors["I"])
    assert read[Phase.FP, 2] == WORD * BLOCK
    assert energy(program, Phase.FP, 2, "fp.current_pool") == 3 * BLOCK // 4
    assert energy(program, Phase.FP, 2, "fp.shortcut_add") == BLOCK // 4


def pooled(net, index, pool):
    """Layer ``index`` pools its currents, behind what is added to them."""
    layer = net.layers[index]
    net.layers[index] = replace(
        layer, current_pool=pool, out_shape=pool.pooled(layer.product_shape)
    )


def added_and_pooled(kind, steps=1, batch=1):
    """As three_layers, and windows of 2 x 2 of conv2's currents are pooled behind the sum."""
    job = three_layers(steps=steps, batch=batch)
    net = builder((16, 4, 4))
    net.layers.extend(job.layers)
    pooled(net, 2, Pool.square(kind, 2, 2))
    return workload(net.layers, steps, batch)


def test_a_sum_that_is_pooled_counted_by_hand():
    """All products are added to, all windows pooled; a quarter as many dI return, to all of I."""
    job, chip = added_and_pooled("average"), ("cores=1", "mapping.state=spill")
    plan, program = built(job, recording(job), *chip)
    first, _, last = plan.layers
    read, _ = moved(program, first.addressed.tensors["I"])
    assert read == {(Phase.FP, 2): WORD * BLOCK}
    read, written = moved(program, last.addressed.tensors["dI"])
    assert read == {(Phase.GRAD, 0): WORD * BLOCK // 4}
    assert written == {(Phase.GRAD, 2): WORD * BLOCK // 4}
    assert energy(program, Phase.FP, 2, "fp.shortcut_add") == BLOCK
    assert energy(program, Phase.FP, 2, "fp.current_pool") == 3 * BLOCK // 4
    assert energy(program, Phase.FP, 2, "fp.soma_op") == BLOCK // 4
    assert energy(program, Phase.GRAD, 0, "bp.partial_read") == 2 * BLOCK
    assert energy(program, Phase.GRAD, 0, "bp.reduce_add") == BLOCK


@pytest.mark.parametrize(("norm", "phase"), [(None, Phase.FP), (NORM, Phase.NORM)])
@pytest.mark.parametrize("state", ["spill", "recompute"])
def test_a_pool_of_what_is_added_and_of_the_sum(norm, phase, state):
    """Both kinds of windows are added up, each as often as its currents are made."""
    job = three_layers(norm, pool=Pool.square("average", 2, 2))
    net = builder((16, 4, 4), norm)
    net.layers.extend(job.layers)
    pooled(net, 2, Pool.square("average", 2, 2))
    job, chip = workload(net.layers, 1, 1), ("cores=1", f"mapping.state={state}")
    plan, program = built(job, recording(job), *chip)
    assert broken_laws(plan, program, *chip)[0] == []
    assert energy(program, phase, 2, "fp.current_pool") == 3 * BLOCK // 4 + 3 * BLOCK // 16


@pytest.mark.parametrize(("state", "by_itself"), [("spill", 1), ("keep", 0), ("recompute", 0)])
def test_who_was_largest_is_read_where_dI_returns(state, by_itself):
    """Two bits a window: conv2 needs them where U comes from DRAM, conv0 for its share of dI."""
    job, chip = added_and_pooled("max"), ("cores=1", f"mapping.state={state}")
    plan, program = built(job, recording(job), *chip)
    read, written = moved(program, plan.layers[2].addressed.tensors["winner"])
    nbytes = 2 * BLOCK // 4 // 8
    assert written == {(Phase.FP, 2): nbytes}
    assert read == Counter({(Phase.GRAD, 0): nbytes, (Phase.GRAD, 2): by_itself * nbytes})
    assert broken_laws(plan, program, *chip)[0] == []
    [tile] = [each for each in tiles_of(program, Phase.GRAD, 0) if each.covers]
    winner = plan.layers[2].addressed.tensors["winner"]
    end = winner.address + winner.nbytes
    corrupt(tile, "reads", tuple(run for run in tile.reads if not winner.address <= run[0] < end))
    assert broken_laws(plan, program, *chip)[0]


def test_only_its_current_is_read():
    """Spikes that no layer reads leave nothing in DRAM, and no gradient of them is awaited."""
    net = builder((16, 4, 4))
    net.conv(16, kernel=1)
    net.conv(16, kernel=1, sources=(-1,))
    add(net, 1, 0)
    job = workload(net.layers)
    plan, program = built(job, recording(job), "cores=1", "mapping.state=keep")
    assert set(plan.layers[0].addressed.tensors) == {"I"}
    assert energy(program, Phase.GRAD, 0, "bp.reduce_add") == 2 * 2 * BLOCK
    assert broken_laws(plan, program, "cores=1", "mapping.state=keep")[0] == []


def spiking(norm):
    """Blocks of Spiking-ResNet: spikes are added, and at a stride the current of a branch."""
    net = builder((3, 8, 8), norm)
    for _ in range(3):
        net.conv(20, 3, padding=1)
    add(net, 2, 0, "spikes")
    net.conv(36, 3, stride=2, padding=1)
    net.conv(36, 3, padding=1)
    without_neurons(net, 4)
    net.conv(36, 1, stride=2, sources=(2,))
    add(net, 5, 4)
    net.linear(10)
    return workload(net.layers)


def membrane(norm):
    """A stream of currents, as in MS-ResNet, pooled once."""
    net = builder((3, 8, 8), norm)
    for _ in range(5):
        net.conv(20, 3, padding=1)
    add(net, 2, 0)
    add(net, 4, 2)
    net.conv(20, 3, stride=2, padding=1)
    add(net, 5, 4, pool=Pool.square("average", 3, 2, 1))
    add(net, 5, 3, "spikes", Pool.square("max", 2, 2))
    net.linear(10)
    return workload(net.layers)


def of_tokens(norm, kind="average", neurons=True):
    """Sums of spikes and currents pooled in windows that share rows, and at the end all over."""
    net = builder((3, 8, 8), norm)
    for _ in range(3):
        net.conv(20, 3, padding=1)
    add(net, 2, 0)
    add(net, 2, 1, "spikes")
    pooled(net, 2, Pool.square(kind, 3, 2, 1))
    if not neurons:
        without_neurons(net, 2)
    net.conv(20, 3, padding=1)
    add(net, 3, 2)
    pooled(net, 3, Pool.square(kind, 4, 4))
    net.linear(10)
    return workload(net.layers)


def no_bits(mask):
    """A mask of the same shape in which nothing is set."""
    return np.broadcast_to(np.False_, mask.shape)


FOLDED = "mapping.batch_norm=folded"
NETWORKS = {"spiking": spiking, "membrane": membrane, "of tokens": of_tokens}
SOME = (
    "default", "channels, pipelined, lanes, little memory", "wavefront", "a small pool",
    "supply currents, CACTI, idle operands",
)  # fmt: skip


@pytest.mark.parametrize("chip", SOME)
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("norm", [None, NORM])
def test_networks_keep_all_laws(name, chip, norm):
    """In training, where statistics are those of the batch, frozen or folded, and in inference."""
    job, overrides = NETWORKS[name](norm), (*SMALL, *CHIPS[chip])
    plan, program = built(job, recording(job, live=0.8), *overrides)
    assert broken_laws(plan, program, *overrides)[0] == []
    job, masks, overrides = replace(job, mode="inference"), recording(job), (*overrides, FOLDED)
    none = (*map(no_bits, masks.spikes),)
    dY = (*map(no_bits, masks.dY),)
    plan, program = built(job, replace(masks, masks=none, dU=none, dY=dY), *overrides)
    assert broken_laws(plan, program, *overrides)[0] == []


LARGEST = [
    *((None, True, chip) for chip in SOME), (None, False, "wavefront"),
    (NORM, True, "default"), (NORM, True, "a small pool"), (NORM, False, "default"),
]  # fmt: skip


@pytest.mark.parametrize(("norm", "neurons", "chip"), LARGEST)
def test_sums_of_which_the_largest_is_taken_keep_all_laws(norm, neurons, chip):
    """Behind statistics of the batch and without; frozen ones do not know what was largest."""
    job, overrides = of_tokens(norm, "max", neurons), (*SMALL, *CHIPS[chip])
    plan, program = built(job, recording(job, live=0.8), *overrides)
    assert broken_laws(plan, program, *overrides)[0] == []


@pytest.mark.parametrize("part", ["reads", "energy"])
@pytest.mark.parametrize("phase", [Phase.NORM, Phase.GRAD])
def test_laws_miss_what_is_not_added(part, phase):
    """A tile that leaves out what it should add, or does not read it, breaks a law."""
    job, chip = three_layers(NORM), ("cores=1", "mapping.state=recompute")
    plan, program = built(job, recording(job), *chip)
    assert broken_laws(plan, program, *chip)[0] == []
    source, _, reader = plan.layers
    at, tensor, action = {
        Phase.NORM: (2, source.addressed.tensors["I"], "fp.shortcut_add"),
        Phase.GRAD: (0, reader.addressed.tensors["dI"], "bp.reduce_add"),
    }[phase]
    plan, program = built(job, recording(job), *chip)
    [tile] = [tile for tile in tiles_of(program, phase, at) if tile.covers]
    if part == "reads":
        end = tensor.address + tensor.nbytes
        kept = tuple(run for run in tile.reads if not tensor.address <= run[0] < end)
        assert kept != tile.reads
        corrupt(tile, "reads", kept)
    else:
        counts = {**tile.work.energy, action: 0}
        corrupt(tile, "work", replace(tile.work, energy=counts))
    assert broken_laws(plan, program, *chip)[0]


@settings(max_examples=25)
@given(seed=st.integers(0, 99), density=st.floats(0, 1), pool=pools_on((3, 7, 6), ("average",)))
def test_zeros_of_a_sum_that_is_pooled(seed, density, pool):
    """Frozen statistics keep the zeros of dI; each goes to all of its window, and on from there."""
    net = builder((2, 7, 6), NORM)
    for _ in range(2):
        net.conv(3, 3, padding=1)
    add(net, 1, 0)
    pooled(net, 1, pool)
    job = workload(net.layers)
    masks = recording(job, seed, density)
    counted = Masks(job, masks, sparse_norm=True)
    first, second = (each.astype(float) for each in masks.dU)
    behind = pool_gradient(pool, first, second)
    for at, flowing in ((0, first + behind), (1, behind)):
        np.testing.assert_array_equal(counted.dY(at), flowing != 0)
        other = product_gradients(job.layers, job.layers[at], masks, exact=False)
        np.testing.assert_array_equal(other, flowing != 0)


@settings(max_examples=25)
@given(seed=st.integers(0, 99), density=st.floats(0, 1), pool=pools_on((3, 7, 6), ("average",)))
def test_zeros_of_a_stream_of_currents(seed, density, pool):
    """Frozen statistics keep the zeros of dI, which is that of all later layers of the stream."""
    net = builder((2, 7, 6), NORM)
    for _ in range(3):
        net.conv(3, 3, padding=1)
    add(net, 1, 0)
    add(net, 2, 1)
    shape = pool.pooled(net.layers[0].out_shape)
    last = net.layers[net.conv(3, 3, padding=1, sources=(-1,))]
    net.layers[last.index] = replace(
        last, out_shape=shape, kernel=(7 - shape[1] + 1, 6 - shape[2] + 1), padding=(0, 0)
    )
    add(net, 3, 0, pool=pool)
    job = workload(net.layers)
    masks = recording(job, seed, density)
    counted = Masks(job, masks, sparse_norm=True)
    for layer in job.layers:
        other = product_gradients(job.layers, layer, masks, exact=False)
        np.testing.assert_array_equal(counted.dY(layer.index), other)
    first, second, third, branch = (each.astype(float) for each in masks.dU)
    flowing = first + second + third + pool_gradient(pool, first, branch)
    np.testing.assert_array_equal(counted.dY(0), flowing != 0)

"""Networks beyond chains: sums of several sources, pools, read-outs, whole jobs cut short."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pools import pools_on
from tests.program.graphs import NORM, broken_laws, builder, cut, recording, workload
from tests.program.jobs import DENSE, IDEAL_DRAM, array_overrides, built, due, place, tiles_of
from tlm.space.phase import Phase
from tlm.workload import open_workload
from tlm.workload.bundled import bundled_names
from tlm.workload.model import Pool

SMALL_MEMORIES = (
    "core.memory.gradients=24 Kib", "core.memory.spikes=8 Kib", "core.memory.weights=1 Kib",
    "core.memory.accumulators=4 Kib", "core.memory.membrane=16 Kib",
    "core.memory.batch_norm=1 Kib", "core.memory.spike_gradients=1 Kib",
)  # fmt: skip


@pytest.mark.parametrize("name", bundled_names("training"))
def test_every_bundled_job_runs_and_keeps_all_laws(name):
    """Two samples, or the one there is, and two steps of every job, on the default chip."""
    whole = open_workload(name)
    last = whole.load(len(whole.iterations) - 1)
    job, recorded = cut(whole, last, batch=min(2, whole.batch), steps=2)
    plan, program = built(job, recorded, IDEAL_DRAM)
    broken, _ = broken_laws(plan, program, IDEAL_DRAM)
    assert broken == []


def residual(norm=None, steps=1, batch=1):
    """conv0 -> conv1; conv0 + conv1 -> conv2, all 16 channels of 4 x 4 pixels, 1 x 1 kernels."""
    net = builder((16, 4, 4), norm)
    first = net.conv(16, kernel=1)
    second = net.conv(16, kernel=1)
    net.conv(16, kernel=1, sources=(first, second))
    return workload(net.layers, steps, batch)


def test_a_residual_sum_counted_by_hand():
    """One core, everything set: sums of two spikes are 2, two bits wide and worth a multiply.

    16 positions of one 16 x 16 tile: 16 slots, 16 x 16 x 16 multiply-accumulates, operands read
    and held in 2 bits; 256 additions bring the two sources together in FP and again in WG.
    conv0 gets two partial dS, from conv1 and conv2: one addition an element.
    """
    job = residual()
    recorded = recording(job, density=1.1)
    plan, program = built(job, recorded, "cores=1")
    assert [layer_plan.operand_bits for layer_plan in plan.layers] == [1, 1, 2]
    assert [layer_plan.partials for layer_plan in plan.layers] == [2, 1, 1]
    (fp,) = tiles_of(program, Phase.FP, 2)
    assert fp.work.executed == 16
    assert fp.work.energy["fp.mac_mul"] == fp.work.useful == 16 * 16 * 16
    assert "fp.mac_add" not in fp.work.energy
    assert fp.work.energy["fp.spike_read"] == 16 * 16 * 2
    assert fp.work.energy["fp.input_add"] == 256
    (wg,) = tiles_of(program, Phase.WG, 2)
    assert wg.work.energy["wg.mac_mul"] == 16 * 16 * 16
    assert wg.work.energy["wg.input_add"] == 256
    adds = {i: tile.work.energy.get("bp.reduce_add", 0) for i in (0, 1, 2)
            for tile in tiles_of(program, Phase.GRAD, i)}  # fmt: skip
    assert adds == {0: 256, 1: 0, 2: 0}
    broken, _ = broken_laws(plan, program, "cores=1")
    assert broken == []


def test_the_gradient_of_a_sum_goes_to_all_its_sources():
    """dX of the summing layer is needed where any source needs it, and sent to each as it needs."""
    job = residual()
    recorded = recording(job, density=0.3)
    plan, program = built(job, recorded, "cores=1", "mapping.split=batch")
    union = recorded.masks[0] | recorded.masks[1]
    np.testing.assert_array_equal(plan.layers[2].masks.input_need(2), union)
    (bp,) = tiles_of(program, Phase.BP, 2)
    labels = [program.completions.labels[ident] for ident in bp.signals]
    assert [label.split(" core")[0] for label in labels[:2]] == ["dS conv0", "dS conv1"]
    pairs = sum(int(recorded.dU[2][0, 0, :, y, x].sum() * union[0, 0, :, y, x].sum())
                for y in range(4) for x in range(4))  # fmt: skip
    assert bp.work.useful == pairs


@pytest.mark.parametrize("norm", [None, NORM])
def test_gradients_of_a_stage_of_residual_sums_are_added_up_once(norm):
    """Three blocks whose sum two layers read: the last of them adds up three parts for all.

    Channels are cut in two, or one of 16, so that dX comes in two parts, or one. Without sums left
    in DRAM every block would read all dX of the layers behind it.
    """
    net = builder((16, 8, 8), norm)
    blocks = [net.conv(32, 3, padding=1)]
    for _ in range(2):
        blocks.append(net.conv(32, 3, padding=1, sources=tuple(blocks)))
    blocks.append(net.conv(32, 3, padding=1, sources=tuple(blocks)))
    net.conv(16, 3, padding=1, sources=tuple(blocks))
    job = workload(net.layers, steps=2, batch=2)
    chip = (
        *SMALL_MEMORIES, "core.memory.weights=8 Kib", "cores=2", "mapping.split=k",
        "core.memory.sharing=separate",
    )  # fmt: skip
    plan, program = built(job, recording(job), *chip)
    _, second, third, fourth, _ = plan.layers
    assert [layer_plan.summed_by for layer_plan in plan.layers[:3]] == [second, third, None]
    assert [layer_plan.partials for layer_plan in plan.layers[:3]] == [3, 3, 3]
    read = Counter()
    for tile in program.all_tiles():
        for at, nbytes in tile.reads:
            read[at, tile.phase] += nbytes
    tensors = [second.addressed.tensors["dS"], third.addressed.tensors["dS"]]
    tensors += [reader.addressed.tensors["dX0"] for reader in (second, third, fourth)]
    for tensor in tensors:  # each is read once, by one layer
        inside = [n for (at, _), n in read.items() if 0 <= at - tensor.address < tensor.nbytes]
        assert sum(inside) == tensor.nbytes
    assert broken_laws(plan, program, *chip)[0] == []


def naive_need(pool, values, need):
    """Which pooled gradients are needed, window by window."""
    rows, columns = pool.pooled((1, *values.shape))[1:]
    found = np.zeros((rows, columns), bool)
    for y in range(rows):
        for x in range(columns):
            top, left = np.multiply((y, x), pool.stride) - pool.padding
            window = [
                (i, j)
                for i in range(top, top + pool.size[0])
                for j in range(left, left + pool.size[1])
                if 0 <= i < values.shape[0] and 0 <= j < values.shape[1]
            ]
            if pool.kind != "max":
                found[y, x] = any(need[at] for at in window)
            else:
                found[y, x] = need[max(window, key=lambda at: values[at])]
    return found


@settings(max_examples=40)
@given(height=st.integers(3, 8), width=st.integers(3, 8), seed=st.integers(0, 99), data=st.data())
def test_pools_of_any_kind_equal_plain_loops(height, width, seed, data):
    """Overlapping, padded and average pools: what is needed behind them, and what comes out."""
    pool = data.draw(pools_on((3, height, width)))
    net = builder((2, height, width))
    net.conv(3, kernel=1, pool=pool)
    net.conv(4, kernel=1)
    job = workload(net.layers)
    recorded = recording(job, seed)
    masks = place(job, recorded, "cores=1").layers[0].masks
    for t, b, k in np.ndindex(2, 2, 3):
        at = (t, b, k)
        wanted = naive_need(pool, recorded.spikes[0][at], recorded.masks[0][at])
        np.testing.assert_array_equal(masks.need(0)[at], wanted)
        spikes = recorded.spikes[0][at]
        fired = naive_need(replace(pool, kind="average"), spikes, spikes)
        np.testing.assert_array_equal(masks.output(0)[at], fired)


@st.composite
def random_graphs(draw):
    """A few convolutions, shortcuts, pools of all kinds, with and without batch statistics."""
    net = builder((draw(st.integers(1, 6)), draw(st.integers(5, 8)), draw(st.integers(5, 8))),
                  draw(st.sampled_from([None, NORM])))  # fmt: skip
    channels, pool = draw(st.integers(1, 9)), None
    if draw(st.booleans()):
        pool = draw(pools_on((channels, 5, 5)))
    read = [net.conv(channels, kernel=3, padding=1, pool=pool)]
    for _ in range(draw(st.integers(1, 2))):
        stride = draw(st.integers(1, 2))
        shortcut = read
        if stride == 2:
            shortcut = [net.conv(channels, kernel=1, stride=2, sources=read)]
        net.conv(channels, kernel=3, stride=stride, padding=1, sources=read)
        read = [*shortcut, net.conv(channels, kernel=1)]
    pooled = draw(st.sampled_from([None, Pool.square("average", 2, 2), Pool.square("max", 2, 1)]))
    shape = net.layers[read[0]].pooled_shape
    if min(shape[1:]) < 2:
        pooled = None
    net.linear(draw(st.integers(2, 20)), sources=read, input_pool=pooled,
               readout=draw(st.booleans()))  # fmt: skip
    return workload(net.layers, draw(st.integers(1, 3)), draw(st.integers(1, 3)))


@settings(max_examples=40)
@given(
    job=random_graphs(), seed=st.integers(0, 99), split=st.sampled_from(["auto", "k", "batch"]),
    cores=st.sampled_from([1, 3, 20]), small=st.booleans(), dense=st.booleans(),
    policy=st.sampled_from(["exact", "frozen", "folded"]),
    state=st.sampled_from(["spill", "recompute"]), live=st.sampled_from([0.5, 1.0]),
)  # fmt: skip
def test_random_graphs_run_and_keep_all_laws(
    job, seed, split, cores, small, dense, policy, state, live
):
    """Whatever the graph, cut, policies and memories: all due work once, no deadlock."""
    overrides = [*array_overrides(4, 4), f"mapping.split={split}", f"cores={cores}", IDEAL_DRAM,
                 f"mapping.batch_norm={policy}", f"mapping.state={state}"]  # fmt: skip
    overrides += [*(SMALL_MEMORIES if small else ()), *(DENSE if dense else ())]
    plan, program = built(job, recording(job, seed, live=live), *overrides)
    broken, chip = broken_laws(plan, program, *overrides)
    assert broken == []
    assert all(done.complete for done in chip.completions)
    for (phase, layer), pairs in due(plan).results.items():
        found = Counter()
        for tile in tiles_of(program, phase, layer):
            for pair in tile.pairs():
                found[pair] += tile.covers
        assert found == Counter(pairs)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["s-resnet18", "s-vgg16", "s-resnet50"])
def test_networks_at_imagenet_shape_run(name):
    """One sample and step of each description with drawn activity."""
    job = open_workload(f"{name}[B=1,T=1]:bernoulli(0.15)")
    coarse = ("noc.payload=4 KiB", "dram.interleave=4 KiB")
    plan, program = built(job, job.load(0), *coarse)
    broken, _ = broken_laws(plan, program, *coarse)
    assert broken == []

"""Exact counts from masks against plain loops and against an example counted by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.counts import naive
from tests.program.jobs import (
    NO_SLICE_SKIPPING,
    Densities,
    array_overrides,
    built,
    conv,
    job,
    linear,
    tiles_of,
)
from tlm.counts.array_pass import backward_work, product_work
from tlm.counts.engine_array import EngineArray
from tlm.counts.masks import needed
from tlm.counts.operands import OperandMasks
from tlm.counts.ways import taps
from tlm.laws.due.results import useful_pairs
from tlm.space.phase import Phase
from tlm.space.region import Block
from tlm.workload.model import Pool

PAIRS = st.tuples(st.integers(1, 4), st.integers(1, 4))
DENSITY = st.sampled_from([0.0, 0.02, 0.1, 0.4, 1.0])


@st.composite
def random_layers(draw):
    """A convolution that fits its image; large kernels on smaller images, to keep loops short."""
    kernel = draw(st.integers(1, 5))
    dilation = draw(st.integers(1, 3)) if kernel < 4 else 1
    reach = dilation * (kernel - 1) + 1
    padding = draw(st.integers(0, reach - 1))
    smallest = max(1, reach - 2 * padding)
    side = st.integers(smallest, max(smallest, 9 if kernel < 4 else 6))
    channels = st.integers(1, 40)
    shape = (draw(channels), draw(side), draw(side))
    stride = draw(st.integers(1, 3))
    return conv(shape, draw(channels), kernel, stride, padding, dilation=dilation)


@st.composite
def masks(draw, layer):
    """Random inputs [T, B, C, H, W], dU [T, B, K, E, F] and needed dS [T, B, C, H, W]."""
    pairs = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shapes = (layer.in_shape, layer.out_shape, layer.in_shape)
    return tuple(random.random((*pairs, *shape)) < draw(DENSITY) for shape in shapes)


def by_row(work, pairs, height):
    """(Executed slots, useful pairs) [T, B, column group, row group, tap, row], weights held."""
    (steps, samples) = pairs
    blocks = [
        Block((b, b + 1), (y, y + 1), (t, t + 1))
        for b in range(samples) for y in range(height) for t in range(steps)
    ]  # fmt: skip
    (group,) = work(blocks)
    (walker,) = group.walkers
    stream, useful, _ = walker.held_weight_counts
    both = np.stack([np.broadcast_to(stream.executed, useful.shape), useful])
    split = both.reshape(2, samples, height, steps, *useful.shape[1:])
    return split.transpose(0, 3, 1, 4, 5, 6, 2)


def array_of(engine, rows, cols):
    """An array that holds weights, skips by slots, and looks at both operands."""
    return EngineArray(
        engine, "weight", "vector", rows, cols, slot_cycles=1, scan=16, queue=1,
        grid="compacted" if engine == "fp" else "inserted",
    )  # fmt: skip


def fp_counts(layer, inputs, chunk):
    """(Executed slots, non-zero operands) [T, B, chunk, tap, E]."""
    layer = replace(layer, out_shape=(1, *layer.out_shape[1:]))  # the same for every output
    masks = OperandMasks(inputs, None, np.ones(inputs.shape[:2], bool))
    array, channels = array_of("fp", chunk, 1), (0, layer.in_shape[0])
    counts = by_row(lambda box: product_work(layer, array, masks, box, channels, (0, 1)),
                    inputs.shape[:2], layer.out_shape[1])  # fmt: skip
    return counts[:, :, :, 0]


def bp_counts(layer, dY, need, chunk, tile):
    """(Executed slots, useful pairs) [T, B, k tile, c chunk, tap, H]."""
    masks, k = OperandMasks(dY, need, np.ones(need.shape[:2], bool)), layer.out_shape[0]
    array = array_of("bp", tile, chunk)
    counts = by_row(lambda box: backward_work(layer, array, masks, box, (0, k)),
                    need.shape[:2], layer.in_shape[1])  # fmt: skip
    return counts.swapaxes(3, 4)


def wg_counts(layer, inputs, dY, chunk, tile):
    """(Executed slots, useful pairs) [T, B, k tile, c chunk, tap, E]."""
    masks = OperandMasks(inputs, dY, np.ones(inputs.shape[:2], bool))
    array, c, k = array_of("wg", chunk, tile), layer.in_shape[0], layer.out_shape[0]
    return by_row(lambda box: product_work(layer, array, masks, box, (0, c), (0, k)),
                  inputs.shape[:2], layer.out_shape[1])  # fmt: skip


@settings(max_examples=40)
@given(data=st.data(), layer=random_layers(), chunk=st.integers(4, 16), tile=st.integers(4, 16))
def test_counts_equal_plain_loops(data, layer, chunk, tile):
    """Executed slots and useful pairs of FP, BP and WG, element by element."""
    inputs, gradients, need = data.draw(masks(layer))
    for (executed, other), (want_executed, want_other) in (
        (fp_counts(layer, inputs, chunk), naive.forward(layer, inputs, chunk)),
        (
            bp_counts(layer, gradients, need, chunk, tile),
            naive.backward(layer, gradients, need, chunk, tile),
        ),
        (
            wg_counts(layer, inputs, gradients, chunk, tile),
            naive.weight_gradient(layer, inputs, gradients, chunk, tile),
        ),
    ):
        np.testing.assert_array_equal(executed, want_executed)
        np.testing.assert_array_equal(other, want_other)


@settings(max_examples=40)
@given(data=st.data(), layer=random_layers())
def test_useful_pairs_equal_plain_loops(data, layer):
    """The popcount by integral images, which the invariant uses, counts the same pairs."""
    inputs, gradients, need = data.draw(masks(layer))
    ones = np.ones_like(gradients)
    _, forward = naive.weight_gradient(layer, inputs, ones, 16, 16)
    _, backward = naive.backward(layer, gradients, need, 16, 16)
    _, weight = naive.weight_gradient(layer, inputs, gradients, 16, 16)
    assert useful_pairs(layer, ones, inputs) == forward.sum()
    assert useful_pairs(layer, gradients, need) == backward.sum()
    assert useful_pairs(layer, gradients, inputs) == weight.sum()


@settings(max_examples=40)
@given(data=st.data(), size=PAIRS, stride=PAIRS)
def test_pooling_equals_plain_loops(data, size, stride):
    """Pooled spikes, and the routing of the gradient to the first maximum."""
    shape = (data.draw(st.integers(1, 3)), *(data.draw(st.integers(least, 9)) for least in size))
    layer = replace(conv(shape, shape[0], 1), pool=Pool("max", size, stride))
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    spikes, masks = (random.random((2, 2, *shape)) < data.draw(DENSITY) for _ in range(2))
    pooled = np.any(taps(layer.pool, spikes), axis=0)
    np.testing.assert_array_equal(pooled, naive.pooled_spikes(layer, spikes))
    found = needed(layer.pool, spikes, masks)
    np.testing.assert_array_equal(found, naive.needed(layer, spikes, masks))


def test_the_first_of_equal_spikes_takes_the_gradient():
    """Ties in a 2 x 2 window go to the first in scan order, also when no neuron fired."""
    layer = conv((3, 2, 2), 3, 1, pool=2)
    spikes = np.zeros((1, 1, 3, 2, 2), bool)
    spikes[0, 0, 1, 0, 1] = spikes[0, 0, 1, 1, 0] = True  # channel 1: two fired
    spikes[0, 0, 2] = True  # channel 2: all fired
    masks = np.zeros_like(spikes)
    masks[0, 0, 0, 0, 0] = True  # channel 0: none fired, its first neuron passes
    masks[0, 0, 1, 1, 0] = True  # channel 1: only the loser would pass
    masks[0, 0, 2, 0, 0] = True  # channel 2: its first neuron passes
    assert needed(layer.pool, spikes, masks).ravel().tolist() == [True, False, True]


def worked_example():
    """A 4 x 4 array, 2 x 2 pixels, a kernel of 1 x 2 with padding 0 x 1: 2 x 3 outputs.

    Channels: 6 in (chunks 0-3 and 4-5), 5 out (tiles 0-3 and 4). One sample, one step.

        input pixels      (0,0): ch 1        (0,1): ch 5
                          (1,0): -           (1,1): ch 0, ch 2
        dU pixels         (0,0): k 0, k 4    (0,1): -          (0,2): -
                          (1,0): -           (1,1): k 3        (1,2): k 1
        needed dS         (0,0): ch 1, ch 4  (0,1): -
                          (1,0): ch 5        (1,1): ch 0
    Output (y, x) reads input (y, x - 1) with tap 0 and (y, x) with tap 1.
    """
    layer = replace(conv((6, 2, 2), 5, 1), kernel=(1, 2), padding=(0, 1), out_shape=(5, 2, 3))
    inputs = np.zeros((1, 1, 6, 2, 2), bool)
    gradients = np.zeros((1, 1, 5, 2, 3), bool)
    need = np.zeros_like(inputs)
    for c, y, x in ((1, 0, 0), (5, 0, 1), (0, 1, 1), (2, 1, 1)):
        inputs[0, 0, c, y, x] = True
    for k, y, x in ((0, 0, 0), (4, 0, 0), (3, 1, 1), (1, 1, 2)):
        gradients[0, 0, k, y, x] = True
    for c, y, x in ((1, 0, 0), (4, 0, 0), (5, 1, 0), (0, 1, 1)):
        need[0, 0, c, y, x] = True
    return layer, inputs, gradients, need


def test_worked_example_of_fp():
    """Each non-zero pixel of a chunk is one slot for each tap, because padding is wide enough.

    Chunk 0 (ch 0-3) is non-zero at pixels (0,0) and (1,1): rows 0 and 1 have one slot a tap.
    Chunk 1 (ch 4-5) is non-zero at pixel (0,1): row 0 has one slot a tap, row 1 none.
    Of 2 chunks x 2 taps x 6 positions = 24 slots 6 are executed; the 4 spikes are seen by 2 taps
    each, which is 8 operands.
    """
    layer, inputs, _, _ = worked_example()
    executed, events = fp_counts(layer, inputs, 4)
    assert executed[0, 0].tolist() == [[[1, 1], [1, 1]], [[1, 0], [1, 0]]]
    assert events[0, 0].tolist() == [[[1, 2], [1, 2]], [[1, 0], [1, 0]]]
    assert executed.sum() == 6
    assert events.sum() == 8


def test_worked_example_of_bp():
    """dS (y, x) takes dU (y, x + 1) with tap 0 and dU (y, x) with tap 1, where dS is needed.

    Pixel (0,0), needed by ch 1 (chunk 0) and ch 4 (chunk 1): tap 0 takes dU (0,1), zero; tap 1
    takes dU (0,0), set in tile 0 and in tile 1: four slots, one pair each.
    Pixel (1,0), needed by ch 5 (chunk 1): tap 0 takes dU (1,1), k 3 (tile 0): one slot; tap 1
    takes dU (1,0), zero.
    Pixel (1,1), needed by ch 0 (chunk 0): tap 0 takes dU (1,2), k 1; tap 1 takes dU (1,1), k 3:
    two slots of tile 0.
    Of 2 tiles x 2 chunks x 2 taps x 4 positions = 32 slots 7 are executed.
    """
    layer, _, gradients, need = worked_example()
    executed, useful = bp_counts(layer, gradients, need, 4, 4)
    # [tile][chunk][tap][input row]
    by_hand = [
        [[[0, 1], [1, 1]], [[0, 1], [1, 0]]],
        [[[0, 0], [1, 0]], [[0, 0], [1, 0]]],
    ]
    assert executed[0, 0].tolist() == by_hand
    assert useful[0, 0].tolist() == by_hand  # every slot holds exactly one pair
    assert executed.sum() == 7


def test_worked_example_of_wg():
    """At output (y, x) the spikes of (y, x - 1) meet dU with tap 0, those of (y, x) with tap 1.

    dU (0,0), tiles 0 and 1: tap 0 looks at padding; tap 1 at pixel (0,0), ch 1 (chunk 0): two
    slots, one pair each.
    dU (1,1), tile 0: tap 0 looks at pixel (1,0), empty; tap 1 at (1,1), ch 0 and 2: one slot of
    two pairs.
    dU (1,2), tile 0: tap 0 looks at pixel (1,1): one slot of two pairs; tap 1 at padding.
    Of 2 tiles x 2 chunks x 2 taps x 6 positions = 48 slots 4 are executed, with 6 pairs.
    """
    layer, inputs, gradients, _ = worked_example()
    executed, useful = wg_counts(layer, inputs, gradients, 4, 4)
    # [tile][chunk][tap][output row]
    assert executed[0, 0].tolist() == [
        [[[0, 1], [1, 1]], [[0, 0], [0, 0]]],
        [[[0, 0], [1, 0]], [[0, 0], [0, 0]]],
    ]
    assert useful[0, 0].tolist() == [
        [[[0, 2], [1, 2]], [[0, 0], [0, 0]]],
        [[[0, 0], [1, 0]], [[0, 0], [0, 0]]],
    ]


def test_stride_two_meets_inserted_zeros():
    """With stride 2 and one tap, BP of 3 x 3 inputs has only 4 places where dU can be.

    A kernel of 1 x 1 without padding: outputs (0,0), (0,1), (1,0), (1,1) sit at the even pixels.
    """
    layer = conv((1, 3, 3), 1, 1, stride=2)
    ones = np.ones((1, 1, 1, 2, 2), bool)
    executed, _ = bp_counts(layer, ones, np.ones((1, 1, 1, 3, 3), bool), 4, 4)
    assert executed[0, 0, 0, 0, 0].tolist() == [2, 0, 2]


@settings(max_examples=15)
@given(
    seed=st.integers(0, 99),
    split=st.sampled_from(["auto", "k", "batch", "spatial"]),
    cores=st.sampled_from([1, 3, 20]),
    stride=st.integers(1, 2),
    pool=st.sampled_from([None, 2]),
    density=DENSITY,
)
def test_programs_hold_the_counts_of_plain_loops(seed, split, cores, stride, pool, density):
    """However a layer is cut, its tiles together execute what the definition says."""
    densities = Densities(density, density, density, density, live=0.6)
    first = conv((3, 7, 6), 9, 3, padding=1, pool=pool)
    second = conv(first.pooled_shape, 10, 3, stride=stride, padding=2)
    workload, recording = job(first, second, linear(int(np.prod(second.out_shape)), 6), seed=seed,
                              densities=densities)  # fmt: skip
    overrides = (*array_overrides(4, 4), f"mapping.split={split}", f"cores={cores}")
    plan, program = built(workload, recording, *overrides)
    inputs, need = recording.inputs, np.empty(0)
    for layer_plan in plan.layers:
        layer, gradients = layer_plan.layer, recording.dU[layer_plan.layer.index]
        inputs = inputs.reshape(*inputs.shape[:2], *layer.in_shape)
        executed, events = naive.forward(layer, inputs, 4)
        tiles = -(-layer.out_shape[0] // 4)
        wanted = {Phase.FP: (executed.sum() * tiles, events.sum() * layer.out_shape[0])}
        wanted[Phase.WG] = tuple(
            count.sum() for count in naive.weight_gradient(layer, inputs, gradients, 4, 4)
        )
        if layer.index:
            wanted[Phase.BP] = tuple(
                count.sum() for count in naive.backward(layer, gradients, need, 4, 4)
            )
        for phase, (slots, useful) in wanted.items():
            work = [tile.work for tile in tiles_of(program, phase, layer.index)]
            assert sum(one.executed for one in work) == slots, (phase, layer.name)
            assert sum(one.useful for one in work) == useful, (phase, layer.name)
        spikes, mask = recording.spikes[layer.index], recording.masks[layer.index]
        inputs = naive.pooled_spikes(layer, spikes) if layer.pool else spikes
        need = naive.needed(layer, spikes, mask) if layer.pool else mask
        if layer.index == 1:  # the linear layer takes them flattened
            need = need.reshape(*need.shape[:2], -1, 1, 1)


@settings(max_examples=20)
@given(seed=st.integers(0, 99), density=DENSITY, scan=st.sampled_from([1, 4, 16]))
def test_cycles_of_skipping_are_the_longer_of_scanning_and_executing(seed, density, scan):
    """A tile of weights: load, then max(slots left, slots / scan); once each drain and soma."""
    densities = Densities(density, density, density, density, live=1.0)
    first = conv((6, 6, 5), 9, 3, padding=1)
    workload, recording = job(first, conv(first.out_shape, 7, 3, padding=1), seed=seed,
                              densities=densities)  # fmt: skip
    overrides = (NO_SLICE_SKIPPING, "cores=1", f"core.scan_slots={scan}")
    _, program = built(workload, recording, *overrides, *array_overrides(4, 4))
    layer, gradients = workload.layers[1], recording.dU[1]
    spikes, need = recording.spikes[0], recording.masks[0]
    positions, depth, lanes = 2 * 2 * 30, 8, 16
    fewest = -(-positions // scan)

    def streams(executed, axes):
        return int(sum(4 + max(left, fewest) for left in executed.sum(axis=axes).ravel().tolist()))

    fp, _ = naive.forward(layer, spikes, 4)
    bp, _ = naive.backward(layer, gradients, need, 4, 4)
    wg, _ = naive.weight_gradient(layer, spikes, gradients, 4, 4)
    soma = sum(-(-positions * width // lanes) for width in (4, 3))
    cycles = {
        Phase.FP: 2 * streams(fp, (0, 1, 4)) + 2 * depth + soma,
        Phase.BP: streams(bp, (0, 1, 5)) + 3 * depth,
        Phase.WG: streams(wg, (0, 1, 5)) + 2 * depth,
    }
    for phase, wanted in cycles.items():
        assert sum(tile.cycles for tile in tiles_of(program, phase, 1)) == wanted, phase


def test_a_slice_that_is_skipped_executes_no_slot():
    """Without gradient skipping a live slice executes all its slots, a zero slice still none."""
    first = conv((3, 6, 6), 8, 3, padding=1)
    workload, recording = job(first, conv(first.out_shape, 8, 3, padding=1), linear(288, 4),
                              densities=Densities(live=0.5), steps=3, batch=3)  # fmt: skip
    policies = [f"core.engines.{e}.skip_{what}=false" for e in ("bp", "wg")
                for what in ("spikes", "gradients", "outputs")]  # fmt: skip
    plan, program = built(workload, recording, *policies)
    dead = sum(int((~layer_plan.live).sum()) for layer_plan in plan.layers)
    assert dead > 0
    for phase in (Phase.BP, Phase.WG):
        for tile in tiles_of(program, phase):
            pairs = tile.samples * tile.steps
            live = pairs - len(tile.skipped)
            assert tile.work.executed * pairs <= tile.work.slots * live


def test_policies_leave_only_what_they_look_for():
    """An engine that skips nothing executes every slot that is not padding."""
    first = conv((4, 6, 6), 8, 1)
    workload, recording = job(first, linear(288, 4))
    policies = [f"core.engines.{e}.skip_{what}=false" for e in ("fp", "bp", "wg")
                for what in ("spikes", "gradients", "outputs")]  # fmt: skip
    _, program = built(workload, recording, NO_SLICE_SKIPPING, *policies)
    for phase in (Phase.FP, Phase.BP, Phase.WG):
        for tile in tiles_of(program, phase):
            assert tile.work.executed == tile.work.slots


@pytest.mark.parametrize(("static_input", "times"), [("once", 1), ("every_step", 3)])
def test_a_directly_coded_frame_is_multiplied_once_or_at_every_step(static_input, times):
    """The frame is the same at all three steps: its currents may be repeated."""
    workload, recording = job(linear(20, 4), steps=3, batch=2, encoding="direct")
    _, program = built(workload, recording, f"mapping.static_input={static_input}")
    useful = sum(tile.work.useful for tile in tiles_of(program, Phase.FP, 0))
    assert useful == times * 4 * recording.inputs.sum()

"""Masks behind pools found a second way are those that the engines see."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pools import pools_on
from tests.program.graphs import NORM, builder, recording, workload
from tests.program.loops import LOOPS
from tlm.counts.masks import Masks
from tlm.laws.due.masks import PooledMasks, input_needs, layer_inputs, product_gradients
from tlm.workload.golden.operand import source_gradients, summed


@settings(max_examples=40)
@given(data=st.data(), seed=st.integers(0, 99), density=st.floats(0, 1))
def test_both_ways_agree(data, seed, density):
    """Sums of two pooled layers, pooled again; ties, windows without a spike, and padding."""
    net, outer = builder((3, 9, 8)), data.draw(pools_on((5, 9, 8)))
    inner = data.draw(st.none() | pools_on(outer.pooled((5, 9, 8))))
    first = net.conv(5, 3, padding=1, pool=outer)
    second = net.conv(5, 3, padding=1, pool=outer, sources=(-1,))
    net.linear(4, sources=(first, second), input_pool=inner)
    job = workload(net.layers)
    masks = recording(job, seed, density)
    counted, last = Masks(job, masks, sparse_norm=False), job.layers[-1]
    pooled = PooledMasks(job, masks)
    assert np.array_equal(layer_inputs(pooled, last), counted.inputs(last.index))
    assert np.array_equal(input_needs(pooled, last), counted.input_need(last.index))


@settings(max_examples=25)
@given(pool=pools_on((4, 9, 8), ("average",)), seed=st.integers(0, 99), density=st.floats(0, 1))
def test_dY_through_a_pool_of_currents(pool, seed, density):
    """Frozen statistics keep the zeros of dI, which average-pooling sends to whole windows."""
    net = builder((3, 9, 8), NORM)
    layer = net.layers[net.conv(4, 3, padding=1)]
    layer = replace(layer, current_pool=pool, out_shape=pool.pooled(layer.product_shape))
    job = workload([layer])
    masks = recording(job, seed, density)
    counted = Masks(job, masks, sparse_norm=True)
    assert np.array_equal(product_gradients(job.layers, layer, masks, exact=False), counted.dY(0))


@settings(max_examples=40)
@given(
    loop=st.sampled_from(sorted(LOOPS)), steps=st.integers(1, 5), seed=st.integers(0, 99),
    density=st.floats(0, 1),
)  # fmt: skip
def test_both_ways_agree_on_what_is_read_of_steps_before(loop, steps, seed, density):
    """Inputs are those of the golden model; dX that is not needed brings nothing to a slope."""
    job = LOOPS[loop](steps)
    masks = recording(job, seed, density)
    counted, pooled = Masks(job, masks, sparse_norm=False), PooledMasks(job, masks)
    outputs = {-1: masks.inputs, **dict(enumerate(masks.spikes))}
    outputs = {index: spikes.astype(np.float32) for index, spikes in outputs.items()}
    for layer in (each for each in job.layers if each.recurrent):
        inputs, need = counted.inputs(layer.index), counted.input_need(layer.index)
        read = summed(layer, outputs)
        assert np.array_equal(inputs, read.reshape(inputs.shape) != 0)
        assert np.array_equal(layer_inputs(pooled, layer), inputs)
        assert np.array_equal(input_needs(pooled, layer), need)
        needless = (~need).reshape(read.shape).astype(np.float32)
        for source, gradient in source_gradients(layer, outputs, needless):
            assert not (masks.masks[source] & (gradient != 0)).any()

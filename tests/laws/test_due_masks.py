"""Masks behind pools found a second way are those that the engines see."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.program.graphs import NORM, builder, recording, workload
from tlm.counts.masks import Masks
from tlm.laws.due.masks import PooledMasks, input_needs, layer_inputs, product_gradients
from tlm.workload.model import Pool

POOLS = st.builds(
    lambda kind, size, stride, pad: Pool(kind, size, stride, min(pad, size // 2)),
    st.sampled_from(("max", "average", "sum")),
    st.integers(1, 3), st.integers(1, 3), st.integers(0, 1),
)  # fmt: skip


@settings(max_examples=25)
@given(outer=POOLS, inner=st.none() | POOLS, seed=st.integers(0, 99), density=st.floats(0, 1))
def test_both_ways_agree(outer, inner, seed, density):
    """Sums of two pooled layers, pooled again; ties, windows without a spike, and padding."""
    net = builder((3, 9, 8))
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
@given(
    size=st.integers(1, 3), stride=st.integers(1, 3), padding=st.integers(0, 1),
    seed=st.integers(0, 99), density=st.floats(0, 1),
)  # fmt: skip
def test_dY_through_a_pool_of_currents(size, stride, padding, seed, density):
    """Frozen statistics keep the zeros of dI, which average-pooling sends to whole windows."""
    net = builder((3, 9, 8), NORM)
    pool = Pool("average", size, stride, min(padding, size // 2))
    layer = net.layers[net.conv(4, 3, padding=1)]
    layer = replace(layer, current_pool=pool, out_shape=pool.pooled(layer.product_shape))
    job = workload([layer])
    masks = recording(job, seed, density)
    counted = Masks(job, masks, sparse_norm=True)
    assert np.array_equal(product_gradients(job.layers, layer, masks, exact=False), counted.dY(0))

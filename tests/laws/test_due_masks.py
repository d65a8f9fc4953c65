"""Masks behind pools found a second way are those that the engines see."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.program.graphs import builder, recording, workload
from tests.program.jobs import place
from tlm.laws.due.masks import entering, needed
from tlm.workload.model import Pool

POOLS = st.builds(
    lambda kind, size, stride, pad: Pool(kind, size, stride, min(pad, size // 2)),
    st.sampled_from(("max", "average")), st.integers(1, 3), st.integers(1, 3), st.integers(0, 1),
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
    last = place(job, recording(job, seed, density)).layers[-1]
    assert np.array_equal(entering(last), last.masks.inputs(last.layer.index))
    assert np.array_equal(needed(last), last.masks.input_need(last.layer.index))

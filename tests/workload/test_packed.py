"""Masks kept as bits: they come back as they were, one at a time."""

from __future__ import annotations

import weakref

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tlm.workload.packed import LazyMasks, packed, samples_of

MASKS = st.lists(arrays.arrays(np.bool_, arrays.array_shapes(min_dims=2, max_dims=5)), max_size=4)


@given(MASKS)
def test_masks_come_back(masks):
    """By their place from either end, in a slice, and in turn; of any shape."""
    kept = packed(masks)
    assert len(kept) == len(masks)
    for place, mask in enumerate(masks):
        assert np.array_equal(kept[place], mask)
        assert np.array_equal(kept[place - len(masks)], mask)
        assert np.array_equal(samples_of(kept, slice(0, 1))[place], mask[:, :1])
    for some in (kept, kept[:], [*reversed(kept[::-1])]):
        assert all(map(np.array_equal, some, masks))


def test_one_array_is_alive():
    """The one that was asked for last, and it is not made again."""
    kept = LazyMasks()
    for layer in range(2):
        kept.append(np.arange(10_000) % 3 == layer)
    first = weakref.ref(kept[0])
    assert kept[0] is first()
    assert kept[1].any()
    assert first() is None


def test_constant_masks_stay_as_they_are():
    """All true in the memory of a single element: bits would take more."""
    ones = np.broadcast_to(np.True_, (2, 3, 4))
    assert packed([ones])[0] is ones

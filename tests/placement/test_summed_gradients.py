"""Summed gradients: every dX of a residual sum reaches every layer of the sum, once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tlm.placement.summed_gradients import summed_by

READERS = st.lists(st.frozensets(st.integers(0, 5)), min_size=1, max_size=6)


def test_layers_of_a_residual_stage_take_up_the_sum_of_the_next():
    """Four blocks whose outputs are added up, and a layer behind that reads them all."""
    readers = [frozenset(range(block, 5)) for block in range(1, 5)] + [frozenset()]
    parts, through_dram = [1, 2, 2, 2, 2], [True] * 5
    # The last block has only two parts to add up: a write and a read would stand for them.
    plain, three = [True] * 5, [3] * 5
    assert summed_by(readers, plain, parts, through_dram) == [1, 2, None, None, None]
    assert summed_by(readers, plain, three, through_dram) == [1, 2, 3, None, None]
    some = [True, False, True, True, True]
    assert summed_by(readers, plain, three, some) == [2, None, 3, None, None]
    # What a layer reads of several parts is no sum that another dX could stand for.
    assert summed_by(readers, [*plain[:-1], False], three, through_dram) == [None] * 5


@given(READERS, st.integers(1, 3), st.data())
def test_every_reader_is_counted_once(readers, parts, data):
    """A layer's own readers and those of the sum that it takes up are all of its readers."""
    through_dram = data.draw(st.lists(st.booleans(), min_size=len(readers), max_size=len(readers)))
    plain = data.draw(st.lists(st.booleans(), min_size=6, max_size=6))
    chosen = summed_by(readers, plain, [parts] * 6, through_dram)
    for at, later in enumerate(chosen):
        if later is not None:
            assert later > at
            assert readers[later] <= readers[at]
            assert through_dram[at] and through_dram[later]
            assert parts * len(readers[later]) > 2
            assert all(plain[reader] for reader in readers[later])

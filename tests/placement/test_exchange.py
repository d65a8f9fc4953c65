"""The exchange of shares between replicas, against closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlm.placement.exchange import exchanged


@pytest.mark.parametrize("replicas", [2, 3, 7, 20])
def test_a_crowd_that_begins_together_goes_from_port_to_port(replicas):
    """Port j takes those of all that have not passed it: R - 1, R - 2, ... shares in turn."""
    times = exchanged(np.zeros(replicas), 1.0, reach=1)
    expected = np.cumsum(replicas - 1 - np.arange(replicas))
    assert times == pytest.approx(expected)


def test_those_who_begin_one_by_one_are_never_in_each_others_way():
    """Far apart, the last has R - 1 shares to send when all others are through."""
    starts = 100.0 * np.arange(5)
    assert exchanged(starts, 1.0, reach=1).max() == pytest.approx(400 + 4)


@given(starts=st.lists(st.integers(0, 50), min_size=2, max_size=9), reach=st.integers(1, 4))
def test_no_port_takes_more_than_a_share_at_a_time(starts, reach):
    """R - 1 shares enter every port and leave every sender; a crowd delays, but does not stop."""
    begin, others = np.array(starts, float), len(starts) - 1
    times = exchanged(begin, 3.0, reach)
    assert times.max() >= begin.max() + 3.0 * others - 1e-6
    assert times.max() <= begin.max() + 3.0 * others * (others + 1)

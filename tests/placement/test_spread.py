"""What is simulated: the best by estimate first, then the farthest of those about as good."""

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlm.placement.estimate import MappingEstimate
from tlm.placement.search import Candidate
from tlm.placement.spread import SLACK, distance, spread
from tlm.space.grid import Grid


def grid(parts, first_core=0):
    """A layer of 60 channels in equal parts, on cores from the first one on."""
    cuts = tuple(range(0, 61, 60 // parts))
    return Grid(cuts, (0, 1), (0, 1), (0, 1), tuple(range(first_core, first_core + parts)))


def candidate(time_ps, *parts, first_core=0):
    """A mapping of an estimated time, its layers in so many parts."""
    grids = tuple(grid(n, first_core) for n in parts)
    return Candidate("test", grids, MappingEstimate(time_ps, 1.0, 1, 0))


def times(candidates):
    return [each.estimate.time_ps for each in candidates]


def test_other_cores_are_a_near_copy_and_another_split_is_not():
    """Distance counts the layers that are split into other parts."""
    assert distance([grid(2), grid(3)], [grid(2, 5), grid(3)]) == 0
    assert distance([grid(2), grid(3)], [grid(2), grid(4)]) == 1
    assert distance([grid(2), grid(3)], [grid(3), grid(2)]) == 2


def test_near_copies_wait_until_what_differs_was_taken():
    """Best; then the one that differs in both layers, in one; then copies; then the slow one."""
    ranked = [
        candidate(100, 2, 2),
        candidate(101, 2, 2, first_core=1),
        candidate(102, 2, 3),
        candidate(103, 3, 4),
        candidate(104, 2, 2, first_core=2),
        candidate(200, 5, 5),
    ]
    assert times(spread(ranked, [], "time")) == [100, 103, 102, 101, 104, 200]


def test_what_is_known_counts_as_taken():
    """The best comes first whatever is known; after it, what is as the known ones comes late."""
    ranked = [candidate(100, 2, 2), candidate(101, 3, 4), candidate(102, 5, 6)]
    assert times(spread(ranked, [[grid(3), grid(4)]], "time")) == [100, 102, 101]


@given(
    st.lists(
        st.tuples(st.integers(50, 200), st.sampled_from([1, 2, 3]), st.sampled_from([1, 2, 3])),
        min_size=1,
        max_size=12,
    )
)
def test_everything_is_taken_once_and_what_is_within_the_slack_first(drawn):
    """A permutation that begins with the best; nothing beyond the slack before all within it."""
    ranked = sorted((candidate(*each) for each in drawn), key=lambda c: c.estimate.time_ps)
    order = times(spread(ranked, [], "time"))
    assert sorted(order) == times(ranked)
    assert order[0] == min(order)
    within = [time_ps <= SLACK * order[0] for time_ps in order]
    assert within == sorted(within, reverse=True)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_no_more_is_worked_out_than_asked(count):
    """An iterator: the first few cost no more than they must."""
    ranked = [candidate(100 + n, 2, 2, first_core=n) for n in range(5)]
    assert times(islice(spread(ranked, [], "time"), count)) == list(range(100, 100 + count))

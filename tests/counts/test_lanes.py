"""Lanes out of step: the recurrence of mode ``element`` against a loop and by hand."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tlm.counts.lanes import lane_cycles


def by_loop(work, depth):
    """The recurrence, group by group and lane by lane; ``work`` [group][lane]."""
    entered, ends, slowest = 0, [0] * len(work[0]), []
    for own in work:
        room = slowest[-depth] if len(slowest) >= depth else 0
        entered = max(entered + 1, room)
        ends = [max(end, entered) + count for end, count in zip(ends, own, strict=True)]
        slowest.append(max(ends))
    return max(ends)


@settings(max_examples=200)
@given(
    groups=st.integers(1, 12), lanes=st.integers(1, 5), depth=st.integers(1, 14),
    most=st.integers(0, 16), seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_the_scan_equals_the_loop(groups, lanes, depth, most, seed):
    """Several passes at once, queues shorter and longer than the pass."""
    work = np.random.default_rng(seed).integers(0, most + 1, (groups, 3, lanes))
    found = lane_cycles(work, depth).tolist()
    assert found == [by_loop(work[:, i].tolist(), depth) for i in range(3)]


def test_two_lanes_with_a_short_and_a_long_queue():
    """Lane 0 has 3, 0, 0, lane 1 has 0, 0, 3 non-zeros in three groups.

    Queues of one group: group 0 enters at 1, lane 0 ends at 4; group 1 waits for that, so enters
    at 4, group 2 at 5; lane 1 works from 5 to 8. Queues of three groups: the groups enter at 1, 2
    and 3, lane 1 works from 3 to 6 beside lane 0.
    """
    work = np.array([[3, 0], [0, 0], [0, 3]])
    assert lane_cycles(work, 1) == 8
    assert lane_cycles(work, 3) == 6


def test_nothing_to_do_takes_the_scan():
    """Empty groups pass at one a cycle; full lanes work without a gap after the first scan."""
    assert lane_cycles(np.zeros((7, 4), int), 2) == 7
    assert lane_cycles(np.full((7, 4), 16), 2) == 7 * 16 + 1

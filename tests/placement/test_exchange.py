"""The exchange of shares between replicas, against closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlm.config.fabric import Mesh
from tlm.placement.exchange import exchanged
from tlm.placement.mesh_traffic import hops, way
from tlm.space.grid import Grid

ROW = Mesh(columns=20, rows=1)


def replicas_on(cores, channels=1):
    """A layer of as many replicas as samples on ``cores``, its outputs cut in ``channels``."""
    return Grid(
        channels=tuple(range(channels + 1)),
        samples=tuple(range(len(cores) // channels + 1)),
        rows=(0, 1),
        input_rows=(0, 1),
        cores=tuple(cores),
    )


@pytest.mark.parametrize("replicas", [2, 3, 7, 20])
def test_a_crowd_that_begins_together_goes_from_port_to_port(replicas):
    """Port j takes those of all that have not passed it: R - 1, R - 2, ... shares in turn."""
    times = exchanged(np.zeros(replicas), 1.0, 1, replicas_on(range(replicas)), ROW)
    expected = np.cumsum(replicas - 1 - np.arange(replicas))
    assert times == pytest.approx(expected)


def test_those_who_begin_one_by_one_are_never_in_each_others_way():
    """Far apart, the last has R - 1 shares to send when all others are through."""
    starts = 100.0 * np.arange(5)
    assert exchanged(starts, 1.0, 1, replicas_on(range(5)), ROW).max() == pytest.approx(400 + 4)


def test_two_flows_on_the_same_link_take_twice_as_long():
    """Cores 0 and 1 of a row send to 2 and 3; on two rows each pair has links of its own."""
    grid, begin = replicas_on([0, 1, 2, 3], channels=2), np.zeros(4)
    assert exchanged(begin, 1.0, 1, grid, ROW) == pytest.approx([2, 2, 2, 2])
    rows = replicas_on([0, 20, 2, 22], channels=2)
    assert exchanged(begin, 1.0, 1, rows, Mesh(columns=20, rows=2)) == pytest.approx([1, 1, 1, 1])


@given(starts=st.lists(st.integers(0, 50), min_size=2, max_size=9), reach=st.integers(1, 4))
def test_no_port_takes_more_than_a_share_at_a_time(starts, reach):
    """R - 1 shares enter every port and leave every sender; a crowd delays, but does not stop."""
    begin, others = np.array(starts, float), len(starts) - 1
    times = exchanged(begin, 3.0, reach, replicas_on(range(len(starts))), ROW)
    assert times.max() >= begin.max() + 3.0 * others - 1e-6
    assert times.max() <= begin.max() + 3.0 * others * (others + 1)


@given(source=st.integers(0, 19), target=st.integers(0, 19))
def test_a_way_is_two_ports_and_a_link_a_hop(source, target):
    """No link twice; the way back uses none of them, as each direction has links of its own."""
    mesh = Mesh(columns=5, rows=4)
    there, back = way(source, target, mesh), way(target, source, mesh)
    assert len(set(there)) == len(there) == hops([source], [target], mesh)[0, 0] + 2
    assert source == target or not set(there) & set(back)

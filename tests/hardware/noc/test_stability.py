"""What a load-latency curve is made of: the bound of a pattern, and whether a load is stable."""

import pytest

from tlm.hardware.noc.driver import BATCHES, NocRun, _growing, _settled, converged, drive
from tlm.hardware.noc.router.shape import RouterShape
from tlm.hardware.noc.traffic import TrafficPattern

BOUNDS = [  # pattern, side, rate at which the busiest link or node is busy: by hand
    ("hotspot1", 5, 1 / 25),  # 25 nodes into one
    ("hotspot4", 4, 4 / 16),
    ("uniform", 4, 1.0),  # the middle links carry k / 4
    ("uniform", 8, 0.5),
    ("transpose", 4, 1 / 3),  # k - 1 nodes of a row turn in its corner
    ("bitcomp", 4, 1 / 2),  # half of a row crosses its middle
]


@pytest.mark.parametrize(("pattern", "side", "expected"), BOUNDS)
def test_bound_is_the_load_of_the_busiest_link(pattern, side, expected):
    """Closed forms of Dally and Towles, section 3.3."""
    assert TrafficPattern(pattern, side, side, 1, 0.1).bound() == pytest.approx(expected)


@pytest.mark.parametrize("pattern", ["uniform", "hotspot1", "transpose", "bitcomp", "tornado"])
def test_nothing_passes_beyond_the_bound(pattern):
    """Unbounded buffers accept what a pattern allows, and not a packet a window more."""
    bound = TrafficPattern(pattern, 4, 4, 2, 0.1).bound()
    offered = TrafficPattern(pattern, 4, 4, 2, min(2.0, 1.5 * bound))
    measured = drive(offered, RouterShape(2, 2, 8), NocRun(300, 3000, 0), "packet")
    if bound < 1:
        assert measured.accepted_max_node <= 1.001
    assert measured.accepted <= min(1.5 * bound, 1.0) + 0.01


def test_a_load_keeps_its_verdict_whatever_the_window():
    """Half of the bound is stable and settles to one latency; above it queues grow."""
    for window in (2000, 8000):
        run = NocRun(500, window, 3000)
        low = converged(TrafficPattern("hotspot1", 5, 5, 5, 0.012), RouterShape(4, 1, 8), run)
        high = converged(TrafficPattern("hotspot1", 5, 5, 5, 0.05), RouterShape(4, 1, 8), run)
        assert (low.stable, high.stable) == (True, False)
        assert low.latency == pytest.approx(33.2, rel=0.05)


def test_settled_and_growing():
    """Parts that agree have settled; parts each slower than the one before grow."""
    level = [[30.0 + i % 2] * 20 for i in range(BATCHES)]
    rising = [[30.0 * (i + 1)] * 20 for i in range(BATCHES)]
    assert _settled(level) and not _growing(level)
    assert _growing(rising) and not _settled(rising)
    assert _growing([*rising[:-1], []])  # nothing of the last part has arrived

"""Little's law at the queues of a DRAM channel."""

import pytest

from tlm.config.tables.dram_timing import load_dram_timing
from tlm.hardware.dram.patterns import PatternGeometry, requests


@pytest.mark.parametrize(("pattern", "gap_clk"), [("rand_rd", 16), ("mix21_rand", 12)])
def test_littles_law_at_the_queues(kernel, pattern, gap_clk):
    """Bursts waiting, integrated over time clock by clock, equal the sum of their waiting times."""
    timing = load_dram_timing("DDR4-2400")
    env = kernel.environment()
    channel = kernel.channel(env, timing, lambda transaction: None)
    for i, (command, address) in enumerate(requests(pattern, 1200, PatternGeometry())):
        transaction = kernel.transaction(i, command, address, 64, 0, None)
        kernel.schedule(env, transaction, channel, i * gap_clk * timing.tck_ps)
    occupancy = 0
    for clock in range(1200 * gap_clk + 3000):
        env.run(until=clock * timing.tck_ps + timing.tck_ps // 2)  # between two clock edges
        channel.settle()
        occupancy += channel.waiting * timing.tck_ps
    counters = channel.counters
    assert channel.waiting == 0 and counters.reads + counters.writes == 1200
    assert occupancy == pytest.approx(counters.queue_time_ps, rel=0.01)

"""Little's law at the queues of a DRAM channel."""

import pytest

from tlm.config.tables.dram_timing import load_dram_timing
from tlm.hardware.dram.channel import DramChannel
from tlm.hardware.dram.patterns import PatternGeometry, requests
from tlm.kernel import Environment, Transaction


@pytest.mark.parametrize(("pattern", "gap_clk"), [("rand_rd", 16), ("mix21_rand", 12)])
def test_littles_law_at_the_queues(pattern, gap_clk):
    """Bursts waiting, integrated over time clock by clock, equal the sum of their waiting times."""
    timing = load_dram_timing("DDR4-2400")
    env = Environment()
    channel = DramChannel(env, timing, lambda transaction: None)
    for i, (command, address) in enumerate(requests(pattern, 1200, PatternGeometry())):
        transaction = Transaction(i, command, address, 64, 0, None)
        transaction.callbacks = channel.callbacks
        env.schedule(transaction, delay=i * gap_clk * timing.tck_ps)
    occupancy = 0
    for clock in range(1200 * gap_clk + 3000):
        env.run(until=clock * timing.tck_ps + timing.tck_ps // 2)  # between two clock edges
        channel.settle()
        occupancy += channel.waiting * timing.tck_ps
    counters = channel.counters
    assert channel.waiting == 0 and counters.reads + counters.writes == 1200
    assert occupancy == pytest.approx(counters.queue_time_ps, rel=0.01)

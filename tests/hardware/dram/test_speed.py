"""Speed of the DRAM channel, as a share of what SimPy itself does in the same run."""

import time

import pytest
import simpy

from tlm.config.tables.dram_timing import load_dram_timing
from tlm.hardware.dram.driver import DramLoad, drive
from tlm.hardware.dram.patterns import PatternGeometry, requests


def bare_timeouts_per_s(n=100_000, processes=100):
    """Events a second of processes that do nothing but wait."""
    env = simpy.Environment()

    def waiter(delay):
        while True:
            yield env.timeout(delay)

    for i in range(processes):
        env.process(waiter(100 + i))
    start = time.process_time()
    for _ in range(n):
        env.step()
    return n / (time.process_time() - start)


@pytest.mark.parametrize(
    ("device", "pattern", "nbytes"),
    [("DDR4-2400", "rand_rd", 64), ("LPDDR4-3200", "seq_rd", 256)],
)
def test_share_of_bare_simpy(device, pattern, nbytes):
    """A request costs about 11 bare timeouts; 25 would mean that something went wrong."""
    offered = requests(pattern, 8000, PatternGeometry(line=nbytes))
    timing = load_dram_timing(device)
    best = 0.0
    for _ in range(3):
        start = time.process_time()
        measured = drive(timing, offered, DramLoad(), nbytes=nbytes)
        rate = len(offered) / (time.process_time() - start)
        best = max(best, rate / bare_timeouts_per_s())
    assert best > 1 / 25
    assert measured.events / len(offered) < 2.3

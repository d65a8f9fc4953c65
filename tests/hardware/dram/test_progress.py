"""The DRAM scheduler always has a next command for what it serves, and is woken in time for it."""

import random

import pytest

from tlm.config.tables.dram_timing import load_dram_timing
from tlm.hardware.dram.bank import NEVER
from tlm.hardware.dram.policy import DramPolicy
from tlm.hardware.dram.scheduler import Scheduler
from tlm.kernel import Transaction


def traffic(seed, count):
    """(time in ps, transaction) of reads and writes that each fill most of a queue."""
    generator, now = random.Random(seed), 0
    for ident in range(count):
        now += generator.choice([0, 5_000, 40_000, 100_000, 300_000])
        command = int(generator.random() < 0.5)
        address = generator.randrange(1 << 18) // 1792 * 1792
        nbytes = generator.choice([1792, 1792, 3584, 64, 6144])
        yield now, Transaction(ident, command, address, nbytes, 0, None)


@pytest.mark.parametrize("seed", [10, 18, 38])
def test_what_waits_is_woken_for(seed):
    """A row opened for a read that is no longer served must not keep a bank from its writes."""
    timing = load_dram_timing("LPDDR4-3200")
    scheduler = Scheduler(timing, DramPolicy())
    for now, transaction in traffic(seed, 2000):
        scheduler.advance(now)
        if len(scheduler.entries.blocked) < 20:
            scheduler.offer(transaction, now + -now % timing.tck_ps)
            scheduler.advance(now)
        if scheduler.entries.waiting[scheduler.mode]:
            assert scheduler.wake_at() < NEVER


@pytest.mark.parametrize("seed", range(5))
def test_no_answer_falls_due_before_the_wake_up(seed):
    """Going on from wake-up to wake-up, nothing is found that should have been given before."""
    timing = load_dram_timing("LPDDR4-3200")
    scheduler = Scheduler(timing, DramPolicy())
    woken = late = 0
    for now, transaction in traffic(seed, 2000):
        while (due := scheduler.wake_at()) <= now:
            scheduler.advance(due)
            late += sum(time < due for time, _ in scheduler.finished)
            woken += len(scheduler.finished)
            scheduler.finished.clear()
        scheduler.advance(now)
        late += sum(time < now for time, _ in scheduler.finished)
        scheduler.finished.clear()
        if len(scheduler.entries.blocked) < 20:
            scheduler.offer(transaction, now + -now % timing.tck_ps)
            scheduler.advance(now)
            scheduler.finished.clear()
    assert woken > 500
    assert not late

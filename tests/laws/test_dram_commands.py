"""The DRAM command checker: every rule to the clock, and a healthy channel breaks none."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.laws.test_laws import Run
from tlm.config.tables.dram_timing import dram_devices, load_dram_timing
from tlm.hardware.dram.channel import DramChannel
from tlm.hardware.dram.commands import CommandLog, DramCommand, IssuedCommand
from tlm.hardware.dram.patterns import PatternGeometry, requests
from tlm.hardware.dram.policy import DramPolicy
from tlm.kernel import Environment, Transaction
from tlm.laws.dram_commands import illegal

READ, WRITE, ACTIVATE, PRECHARGE, ALL, REFRESH = DramCommand
DDR4 = load_dram_timing("DDR4-2400")
FAR = 10_000  # clocks: no rule reaches so far
LAST_BANK = DDR4.banks - 1  # of another group than bank 0
T = DDR4

# Rule: commands (kind, bank, clock) that are legal, and as early as the rule lets the last one be.
WRITTEN = T.cwl_clk + T.wr_extra_clk + T.burst_clk
EDGES = {
    "tRCD": [(ACTIVATE, 0, 0), (READ, 0, T.trcd_clk)],
    "tRC": [(ACTIVATE, 0, 0), (PRECHARGE, 0, T.trc_clk - T.trp_clk), (ACTIVATE, 0, T.trc_clk)],
    "tRP": [(ACTIVATE, 0, 0), (PRECHARGE, 0, 500), (ACTIVATE, 0, 500 + T.trp_clk)],
    "tRAS": [(ACTIVATE, 0, 0), (PRECHARGE, 0, T.tras_clk)],
    "tRTP": [(ACTIVATE, 0, 0), (READ, 0, 500), (PRECHARGE, 0, 500 + T.trtp_clk)],
    "tWR": [(ACTIVATE, 0, 0), (WRITE, 0, 500), (PRECHARGE, 0, 500 + WRITTEN + T.twr_clk)],
    "tRRD_S": [(ACTIVATE, 0, 0), (ACTIVATE, LAST_BANK, T.trrd_s_clk)],
    "tRRD_L": [(ACTIVATE, 0, 0), (ACTIVATE, 1, T.trrd_l_clk)],
    "tFAW": [
        *((ACTIVATE, bank, bank * T.trrd_l_clk) for bank in range(4)),
        (ACTIVATE, LAST_BANK, max(T.tfaw_clk, 3 * T.trrd_l_clk + T.trrd_s_clk)),
    ],
    "tCCD_S": [
        (ACTIVATE, 0, 0), (ACTIVATE, LAST_BANK, 100), (READ, 0, 500),
        (READ, LAST_BANK, 500 + T.tccd_s_clk),
    ],
    "tCCD_L": [(ACTIVATE, 0, 0), (WRITE, 0, 500), (WRITE, 0, 500 + T.tccd_l_clk)],
    "tRTW": [(ACTIVATE, 0, 0), (READ, 0, 500), (WRITE, 0, 500 + T.trtw_clk)],
    "tWTR_S": [
        (ACTIVATE, 0, 0), (ACTIVATE, LAST_BANK, 100), (WRITE, 0, 500),
        (READ, LAST_BANK, 500 + WRITTEN + T.twtr_s_clk),
    ],
    "tWTR_L": [(ACTIVATE, 0, 0), (WRITE, 0, 500), (READ, 0, 500 + WRITTEN + T.twtr_l_clk)],
    "tRFC": [(REFRESH, -1, 0), (ACTIVATE, 0, T.trfc_clk)],
    "tRP of all banks": [(ACTIVATE, 0, 0), (ALL, -1, 500), (REFRESH, -1, 500 + T.trp_all_clk)],
}  # fmt: skip


def issued(commands):
    """Commands at their clocks, all to row 3."""
    return [IssuedCommand(clock * T.tck_ps, kind, bank, 3) for kind, bank, clock in commands]


def rules_broken(commands):
    """The rules that some commands break, by their names."""
    return {text.split(" ps: ")[1].split(" ends at")[0] for text in illegal(T, commands)}


@pytest.mark.parametrize("rule", list(EDGES))
def test_a_command_at_the_edge_of_a_rule_and_a_clock_before(rule):
    """At the least time that the data sheet gives a command is legal, a clock sooner not."""
    commands = issued(EDGES[rule])
    assert rules_broken(commands) == set()
    early = commands[-1]._replace(time=commands[-1].time - T.tck_ps)
    assert rule in rules_broken([*commands[:-1], early])


@pytest.mark.parametrize(
    ("rule", "commands"),
    [
        ("open row", [(ACTIVATE, 0, 0), (ACTIVATE, 0, FAR)]),
        ("open row", [(ACTIVATE, 0, 0), (REFRESH, -1, FAR)]),
        ("closed row", [(ACTIVATE, 0, 0), (PRECHARGE, 0, 500), (PRECHARGE, 0, FAR)]),
        ("other row", [(READ, 0, FAR)]),
        ("other row", [(ACTIVATE, 0, 0), (PRECHARGE, 0, 500), (WRITE, 0, FAR)]),
    ],
)
def test_a_command_to_a_bank_in_the_wrong_state(rule, commands):
    """No time is late enough for it."""
    assert rules_broken(issued(commands)) == {rule}


def test_two_bursts_on_the_data_bus():
    """A device whose tCCD is shorter than its burst is held by the bus."""
    short = T.model_copy(update={"tccd_s_clk": 1, "tccd_l_clk": 1})
    commands = issued([(ACTIVATE, 0, 0), (READ, 0, 500), (READ, 0, 500 + T.burst_clk - 1)])
    assert any("data bus" in fault for fault in illegal(short, commands))


def test_a_command_between_two_clock_edges():
    """Commands are given at edges of the device's clock."""
    between = IssuedCommand(T.tck_ps + 1, ACTIVATE, 0, 3)
    assert rules_broken([between]) == {"clock"}


def intervals_of(timing, pattern, page):
    """The sampled intervals of a channel under a saturating source, in full."""
    env = Environment()
    channel = DramChannel(env, timing, lambda _: None, DramPolicy(page=page))
    for at, (command, address) in enumerate(requests(pattern, 300, PatternGeometry(span=1 << 22))):
        transaction = Transaction(at, command, address, timing.burst_bytes, 0, None)
        transaction.callbacks = channel.callbacks
        env.schedule(transaction, delay=0)
    env.run(until=3 * timing.trefi_clk * timing.tck_ps)
    channel.settle()
    return channel.scheduler


@settings(max_examples=25)
@given(
    st.sampled_from(dram_devices()),
    st.sampled_from(("seq_rd", "rand_rd", "rand_wr", "mix21_seq", "mix21_rand", "burst4k_mix")),
    st.sampled_from(("open", "closed")),
)
def test_a_healthy_channel_breaks_no_rule(device, pattern, page):
    """All commands of an interval are written down, and all are legal, on every device."""
    timing = load_dram_timing(device)
    scheduler = intervals_of(timing, pattern, page)
    first = scheduler.log.intervals[0]
    columns = [command for command in first if command.command in (READ, WRITE)]
    assert columns
    assert len(columns) <= sum(scheduler.counters.bursts)
    for interval in scheduler.log.intervals:
        assert list(illegal(timing, interval)) == []


def crowd_before_a_refresh(timing, policy, draw):
    """Sampled intervals of a channel to which 40 random requests come as its refresh falls due."""
    env = Environment()
    channel = DramChannel(env, timing, lambda _: None, policy)
    due = timing.trefi_clk
    for at in sorted(draw.randint(due - 150, due + 20) for _ in range(40)):
        address, nbytes = (timing.burst_bytes * draw.choice(n) for n in (range(1 << 16), (1, 1, 4)))
        transaction = Transaction(at, draw.randint(0, 1), address, nbytes, 0, None)
        transaction.callbacks = channel.callbacks
        env.schedule(transaction, delay=at * timing.tck_ps)
    env.run(until=3 * due * timing.tck_ps)
    channel.settle()
    return channel.scheduler.log.intervals


@pytest.mark.parametrize("page", ["open", "closed"])
def test_a_refresh_waits_for_whatever_the_banks_are_about(page):
    """Rows that are open, have just been opened or close by themselves: none is cut off."""
    for seed in range(30):
        draw = Random(seed)
        timing, high = load_dram_timing(draw.choice(dram_devices())), draw.randint(1, 32)
        kind = draw.choice(("ready-first", "hits-first"))
        policy = DramPolicy(page=page, policy=kind, write_high=high, write_low=high // 2)
        for interval in crowd_before_a_refresh(timing, policy, draw):
            assert list(illegal(timing, interval)) == [], (seed, timing.name)


def test_intervals_are_few_and_spread_over_the_run():
    """A log of a thousand refreshes holds the first interval, and some late ones."""
    log = CommandLog()
    for refresh in range(1, 1001):
        log.refresh(refresh)
    assert [interval[0].time for interval in log.intervals[1:]] == [7, 63, 511]


def test_a_run_with_a_command_that_is_too_early():
    """One activate of one channel, one clock sooner."""
    run = Run()
    interval = run.chip.channels[0].scheduler.log.intervals[0]
    at = next(i for i, command in enumerate(interval) if command.command == READ)
    interval[at] = interval[at]._replace(time=0)
    assert run.broken() == ["DRAM commands legal"]

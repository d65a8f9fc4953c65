"""Every command that the scheduler issues respects the device's timing."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlm.config.tables.dram_timing import dram_devices, load_dram_timing
from tlm.hardware.dram.driver import DramLoad, drive
from tlm.hardware.dram.patterns import PatternGeometry, requests
from tlm.hardware.dram.policy import DramPolicy
from tlm.hardware.dram.scheduler import Scheduler


def commands_of(timing, offered, load, policy):
    """Log (clock, kind, bank, row) of every command but refreshes, one burst at a time."""
    log = []
    activate, precharge = Scheduler._issue_activate, Scheduler._issue_precharge
    column = Scheduler._issue_column

    def logged_activate(self, time):
        bank = self._candidates.next_row[1][1]
        log.append((time, "ACT", self.banks.index(bank), bank.misses[self.mode][0].row))
        activate(self, time)

    def logged_precharge(self, time):
        bank = self._candidates.next_row[1][1]
        log.append((time, "PRE", self.banks.index(bank), bank.row))
        precharge(self, time)

    def logged_column(self, command, until):
        time, (_, bank) = self._candidates.next_columns[command]
        log.append((time, ("RD", "WR")[command], self.banks.index(bank), bank.row))
        assert bank.row == bank.hits[command][0].row
        column(self, command, until)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Scheduler, "_issue_activate", logged_activate)
        patch.setattr(Scheduler, "_issue_precharge", logged_precharge)
        patch.setattr(Scheduler, "_issue_column", logged_column)
        patch.setattr(Scheduler, "_bursts_at_once", lambda *_: 1)
        drive(timing, offered, load, policy)
    assert all(time % timing.tck_ps == 0 for time, *_ in log)
    return [(time // timing.tck_ps, *rest) for time, *rest in log]


def length(timing, kind):
    """Clocks that a command occupies the command bus."""
    return {"ACT": timing.activate_clk, "PRE": timing.precharge_clk}.get(kind, timing.column_clk)


def last_clock(timing, clock, kind):
    """The clock that the data sheet's parameters count from and to."""
    return clock + length(timing, kind) - 1


def least_gap(timing, first, then, same_group):
    """Clocks between two column commands, from the data sheet's parameters."""
    if first == then:
        return max(timing.burst_clk, timing.tccd_l_clk if same_group else timing.tccd_s_clk)
    if first == "RD":
        return timing.trtw_clk
    turn = timing.twtr_l_clk if same_group else timing.twtr_s_clk
    return timing.cwl_clk + timing.wr_extra_clk + timing.burst_clk + turn


def check_columns(timing, log):
    """Data bus, bank groups and turn-around, between every two of the last eight columns."""
    columns = [entry for entry in log if entry[1] in ("RD", "WR")]
    for i, (clock, kind, bank, _) in enumerate(columns):
        for before, earlier, other, _ in columns[max(0, i - 8) : i]:
            same = bank // timing.banks_per_group == other // timing.banks_per_group
            assert clock - before >= least_gap(timing, earlier, kind, same)


def check_activates(timing, log):
    """tRRD within and between groups, and no more than four in tFAW."""
    activates = sorted(entry for entry in log if entry[1] == "ACT")
    for (before, _, other, _), (clock, _, bank, _) in pairwise(activates):
        same = bank // timing.banks_per_group == other // timing.banks_per_group
        assert clock - before >= (timing.trrd_l_clk if same else timing.trrd_s_clk)
    for first, fifth in zip(activates, activates[4:], strict=False):
        assert fifth[0] - first[0] >= timing.tfaw_clk


def check_bank(timing, log):
    """tRCD, the right row, tRC, recovery before a precharge, tRP before an activate."""
    recovery = {
        "RD": timing.trtp_clk,
        "WR": timing.cwl_clk + timing.wr_extra_clk + timing.burst_clk + timing.twr_clk,
        "ACT": timing.tras_clk,
    }
    edge = (timing.activate_edge_clk or timing.activate_clk) - 1
    opened, may_precharge, may_activate = None, 0, 0
    for clock, kind, _, row in log:
        at = last_clock(timing, clock, kind)
        if kind == "ACT":
            assert clock - opened[0] >= timing.trc_clk if opened else True
            assert clock + edge >= may_activate
            opened, at = (clock, row), clock + edge
        elif kind == "PRE":
            assert at >= may_precharge
            may_activate = at + timing.trp_clk
        else:
            assert row == opened[1]
            assert at - last_clock(timing, opened[0], "ACT") >= timing.trcd_clk
        may_precharge = max(may_precharge, at + recovery.get(kind, 0))


def check_command_bus(timing, log):
    """One command at a time."""
    for (before, kind, *_), (clock, *_) in pairwise(log):
        assert clock - before >= length(timing, kind)


@settings(max_examples=40)
@given(
    st.sampled_from(dram_devices()),
    st.sampled_from(("seq_rd", "rand_rd", "rand_wr", "mix21_seq", "mix21_rand", "burst4k_mix")),
    st.sampled_from(("sat", "int:7", "win:4")),
    st.sampled_from(("open", "closed")),
    st.sampled_from(("ready-first", "hits-first")),
)
def test_commands_are_legal(device, pattern, load, page, policy):
    """No pair of commands is closer than the device allows, whatever the load."""
    timing = load_dram_timing(device)
    offered = requests(pattern, 400, PatternGeometry(span=1 << 22))
    log = commands_of(timing, offered, DramLoad.parse(load), DramPolicy(policy=policy, page=page))
    check_command_bus(timing, log)
    check_columns(timing, log)
    check_activates(timing, log)
    for bank in range(timing.banks):
        check_bank(timing, [entry for entry in log if entry[2] == bank])

"""DRAM commands: no two of them closer than the device's data sheet allows.

The rules are JEDEC's (JESD79-4, tables "timing parameters by speed bin", and JESD209-4), each as
the least time from one command to another, read off the parameters of the device alone; the
controller under test combines them in its own way. Where a command takes several clocks, they count
from its last clock to the last of the next. Some intervals of every channel are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

from tlm.config.tables.dram_timing import DramTiming
from tlm.hardware.chip import Chip
from tlm.hardware.dram.commands import DramCommand, IssuedCommand
from tlm.laws.check import Check

LONG_AGO = -(1 << 62)  # ps
NO_ROW = -1
FIRST = 100  # commands of all other intervals
ACTIVATES_IN_WINDOW = 4  # of tFAW
COLUMNS = (DramCommand.READ, DramCommand.WRITE)

TimingRule = tuple[str, int]  # a rule, and the earliest time in ps that it allows


def dram_commands(chip: Chip) -> Iterator[Check]:
    """Sampled commands keep the timing of the device: all of the first channel's first interval."""
    channels = chip.controllers
    wrong, looked_at = [], 0
    for channel in channels:
        for index, interval in enumerate(channel.scheduler.log.intervals):
            if index or channel is not channels[0]:
                interval = sorted(interval)[:FIRST]
            looked_at += len(interval)
            wrong += [f"{channel.name}: {fault}" for fault in illegal(chip.timing, interval)]
    if channels:
        yield Check("DRAM commands legal", not wrong, f"{looked_at} looked at; {wrong[:3]}")


def illegal(timing: DramTiming, commands: list[IssuedCommand]) -> Iterator[str]:
    """What is too early, or to a bank in the wrong state; all banks are closed at first."""
    device = DeviceState(timing)
    for command in sorted(commands, key=lambda issued: issued.time):
        issued = device.counted(command)
        for rule, time in device.legal_from(issued):
            if issued.time < time:
                name = issued.command.name.lower()
                yield f"{name} of bank {issued.bank} at {issued.time} ps: {rule} ends at {time} ps"
        device.take(issued)


class _BankState:
    """A bank as its commands leave it: its row, and when it had which command last."""

    def __init__(self) -> None:
        self.row = NO_ROW
        self.last = dict.fromkeys(DramCommand, LONG_AGO)


class DeviceState:
    """What a device remembers of the commands it got; times in ps."""

    def __init__(self, timing: DramTiming) -> None:
        self.timing = timing
        self.ps: dict[str, int] = {
            name: clocks * timing.tck_ps for name, clocks in timing if name.endswith("_clk")
        }
        edge = timing.activate_edge_clk or timing.activate_clk
        self._second_activate = (timing.activate_clk - edge) * timing.tck_ps  # ACT-2 of LPDDR5
        clocks = dict.fromkeys(DramCommand, timing.precharge_clk)
        clocks |= {DramCommand.ACTIVATE: edge} | dict.fromkeys(COLUMNS, timing.column_clk)
        self._counted_after = {kind: (n - 1) * timing.tck_ps for kind, n in clocks.items()}
        self._data_after = {  # from a column command to the first beat of its data
            DramCommand.READ: self.ps["cl_clk"] + self.ps["dqsck_clk"],
            DramCommand.WRITE: self.ps["cwl_clk"],
        }
        self.banks = [_BankState() for _ in range(timing.banks)]
        self.group_last = [dict.fromkeys(DramCommand, LONG_AGO) for _ in range(timing.bank_groups)]
        self.last = dict.fromkeys(DramCommand, LONG_AGO)
        self.activates: list[int] = []
        self.data_until = LONG_AGO

    def counted(self, issued: IssuedCommand) -> IssuedCommand:
        """The command at the clock of it that the data sheet's parameters count from and to."""
        time, command, bank, row = issued
        return IssuedCommand(time + self._counted_after[command], command, bank, row)

    def legal_from(self, issued: IssuedCommand) -> list[TimingRule]:
        """Earliest legal times of a command; never, where the bank is in the wrong state."""
        command, time = issued.command, issued.time
        if command in COLUMNS:
            limits = self._column(issued)
        elif command == DramCommand.ACTIVATE:
            limits = self._activate(issued.bank)
        elif command == DramCommand.PRECHARGE:
            limits = self._precharge(self.banks[issued.bank])
        elif command == DramCommand.PRECHARGE_ALL:
            limits = [
                limit
                for bank in self.banks
                if bank.row != NO_ROW
                for limit in self._precharge(bank)
            ]
        else:
            limits = self._refresh()
        limits.append(("tRFC", self.last[DramCommand.REFRESH] + self.ps["trfc_clk"]))
        limits.append(("clock", time + time % self.timing.tck_ps))
        return limits

    def take(self, issued: IssuedCommand) -> None:
        """Remember a command."""
        time, command = issued.time, issued.command
        self.last[command] = time
        if command in (DramCommand.PRECHARGE_ALL, DramCommand.REFRESH):
            for bank in self.banks:
                bank.row = NO_ROW
                bank.last[command] = time
            return
        bank = self.banks[issued.bank]
        bank.last[command] = time
        self.group_last[self._group(issued.bank)][command] = time
        if command == DramCommand.ACTIVATE:
            bank.row = issued.row
            self.activates = [*self.activates[1 - ACTIVATES_IN_WINDOW :], time]
        elif command == DramCommand.PRECHARGE:
            bank.row = NO_ROW
        else:
            self.data_until = time + self._data_after[command] + self.ps["burst_clk"]

    def _activate(self, index: int) -> list[TimingRule]:
        ps, bank, group = self.ps, self.banks[index], self.group_last[self._group(index)]
        limits = [
            ("open row", never_if(bank.row != NO_ROW)),
            ("tRC", bank.last[DramCommand.ACTIVATE] + ps["trc_clk"]),
            ("tRP", bank.last[DramCommand.PRECHARGE] + ps["trp_clk"]),
            ("tRRD_S", self.last[DramCommand.ACTIVATE] + ps["trrd_s_clk"]),
            ("tRRD_L", group[DramCommand.ACTIVATE] + ps["trrd_l_clk"]),
        ]
        if len(self.activates) == ACTIVATES_IN_WINDOW:
            limits.append(("tFAW", self.activates[0] + ps["tfaw_clk"]))
        return limits

    def _column(self, issued: IssuedCommand) -> list[TimingRule]:
        ps, bank, command = self.ps, self.banks[issued.bank], issued.command
        last, group = self.last, self.group_last[self._group(issued.bank)]
        opened = bank.last[DramCommand.ACTIVATE] + self._second_activate
        limits = [
            ("other row", never_if(bank.row != issued.row)),
            ("tRCD", opened + ps["trcd_clk"]),
            ("tCCD_S", last[command] + ps["tccd_s_clk"]),
            ("tCCD_L", group[command] + ps["tccd_l_clk"]),
            ("data bus", self.data_until - self._data_after[command]),
        ]
        if command == DramCommand.WRITE:
            limits.append(("tRTW", last[DramCommand.READ] + ps["trtw_clk"]))
        else:
            limits.append(("tWTR_S", self._written(last) + ps["twtr_s_clk"]))
            limits.append(("tWTR_L", self._written(group) + ps["twtr_l_clk"]))
        return limits

    def _precharge(self, bank: _BankState) -> list[TimingRule]:
        ps = self.ps
        return [
            ("closed row", never_if(bank.row == NO_ROW)),
            ("tRAS", bank.last[DramCommand.ACTIVATE] + ps["tras_clk"]),
            ("tRTP", bank.last[DramCommand.READ] + ps["trtp_clk"]),
            ("tWR", self._written(bank.last) + ps["twr_clk"]),
        ]

    def _refresh(self) -> list[TimingRule]:
        ps = self.ps
        all_banks = ("tRP of all banks", self.last[DramCommand.PRECHARGE_ALL] + ps["trp_all_clk"])
        limits = [all_banks]
        for bank in self.banks:
            limits.append(("open row", never_if(bank.row != NO_ROW)))
            limits.append(("tRP", bank.last[DramCommand.PRECHARGE] + ps["trp_clk"]))
        return limits

    def _written(self, last: dict[DramCommand, int]) -> int:
        """When the last write's data had been taken in."""
        ps = self.ps
        return last[DramCommand.WRITE] + ps["cwl_clk"] + ps["wr_extra_clk"] + ps["burst_clk"]

    def _group(self, bank: int) -> int:
        return bank // self.timing.banks_per_group


def never_if(wrong_state: bool) -> int:
    """The earliest legal time of a command that the bank's state forbids, or that it allows."""
    return -LONG_AGO if wrong_state else LONG_AGO

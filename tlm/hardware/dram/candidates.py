"""Which banks have a DRAM command to issue, and which of these commands comes next.

A bank offers a column command (RD, WR) while a run waits for its open row, or an activate while
its oldest run wants another row. A precharge has no constraint beside its own bank's, so it is
placed in closed form when a bank starts to want another row, and a hit that arrives before it is
issued cancels it.
"""

from __future__ import annotations

from bisect import insort

from tlm.config.tables.dram_timing import DramTiming
from tlm.hardware.dram.bank import CLOSED, NEVER, Bank, RowRun
from tlm.hardware.dram.bus import Bus, CommandCandidate
from tlm.hardware.dram.commands import CommandLog, DramCommand
from tlm.hardware.dram.counters import DramCounters
from tlm.hardware.dram.delays import DramDelays

READ, WRITE = 0, 1


class Candidates:
    """The banks of a channel by the command they offer, oldest first; all times in ps.

    ``mode`` is the queue being served. Column commands may lag behind it (``command``): rows
    already opened for the other queue are used before the bus turns, so that no activate is
    wasted and the bus turns once. ``next_column`` and ``next_row`` are the first legal command of
    each kind with its time, valid after ``choose``; what changes a list marks it as stale.
    """

    __slots__ = (
        "_counters",
        "_delays",
        "banks",
        "bus",
        "columns",
        "columns_stale",
        "command",
        "log",
        "mode",
        "next_column",
        "next_row",
        "rows",
        "rows_stale",
    )

    def __init__(self, timing: DramTiming, delays: DramDelays, counters: DramCounters) -> None:
        self._delays = delays
        self._counters = counters
        self.log = CommandLog()
        size = timing.banks_per_group
        self.banks = [Bank(index, index // size) for index in range(timing.banks)]
        self.bus = Bus(delays, timing.bank_groups)
        self.mode = self.command = READ
        self.columns: list[CommandCandidate] = []  # banks with an open row to use
        self.rows: list[CommandCandidate] = []  # banks that want another row
        self.next_column: tuple[int, CommandCandidate] = (NEVER, (0, self.banks[0]))
        self.next_row = self.next_column
        self.columns_stale = self.rows_stale = False

    def choose(self) -> None:
        """Bring ``next_column`` and ``next_row`` up to date."""
        if self.columns_stale:
            self.columns_stale = False
            if self.columns:
                self.next_column = self.bus.first_column(self.columns, self.command)
            else:
                self.next_column = (NEVER, self.next_column[1])
        if self.rows_stale:
            self.rows_stale = False
            if self.rows:
                self.next_row = self.bus.first_activate(self.rows)
            else:
                self.next_row = (NEVER, self.next_row[1])

    # -- one bank ---------------------------------------------------------------------------

    def add(self, run: RowRun, bank: Bank, command: int, at: int) -> None:
        """File a run that arrives at ``at`` as hit or miss of its bank; it may be an offer."""
        served = command == self.mode and not self._reserved(bank)
        if run.row == bank.row and at < bank.closes:
            bank.hits[command].append(run)
            if served and len(bank.hits[command]) == 1:
                self._use_row(bank, run, at)
        else:
            bank.misses[command].append(run)
            if served and len(bank.misses[command]) == 1 and not bank.hits[command]:
                if not self._still_used(bank):
                    self._want_row(bank, at)

    def after_run(self, bank: Bank, command: int, time: int) -> None:
        """A run has been served: offer the bank's next hit, its next row, or nothing."""
        mode, hits = self.mode, bank.hits[command]
        if command == mode and hits:
            insort(self.columns, (hits[0].order, bank))
            return
        if bank.misses[mode] and (command == mode or not bank.hits[mode]):
            self._want_row(bank, time)
        if command != mode and not self.columns:
            self._turn_bus(time)

    def settle_precharge(self, bank: Bank) -> None:
        """The precharge that a bank waited for has been issued, but its activate has not."""
        if self.log.on:
            self.log.add(bank.closes, DramCommand.PRECHARGE, bank.index)
        bank.close_row(bank.closes + self._delays.precharge)
        self._counters.precharges += 1

    def _reserved(self, bank: Bank) -> bool:
        """Whether the bank's row was opened for the kind of command that lags behind the mode."""
        return bank.opened_for == self.command != self.mode

    def _still_used(self, bank: Bank) -> bool:
        """Whether column commands that lag behind the mode are still to come for the bank's row."""
        return self.command != self.mode and any(user is bank for _, user in self.columns)

    def _use_row(self, bank: Bank, run: RowRun, at: int) -> None:
        """A first hit for an open row: keep the row open and offer its column command."""
        if bank.closes != NEVER:
            bank.closes = NEVER
            self.rows.remove((bank.misses[self.mode][0].order, bank))
            self.rows_stale = True
        if bank.column_at < at:
            bank.column_at = at
        if self.command == self.mode:
            insort(self.columns, (run.order, bank))
            self.columns_stale = True

    def _want_row(self, bank: Bank, at: int) -> None:
        """A bank whose oldest run needs another row: place its precharge, offer its activate."""
        if bank.row != CLOSED:
            bank.closes = closes = bank.precharge_at if bank.precharge_at > at else at
            at = closes + self._delays.precharge
        if bank.activate_at < at:
            bank.activate_at = at
        insort(self.rows, (bank.misses[self.mode][0].order, bank))
        self.rows_stale = True

    # -- all banks --------------------------------------------------------------------------

    def serve(self, mode: int, time: int) -> None:
        """Make ``mode`` the queue being served; rows opened for the other are used first."""
        self.mode = mode
        self.rows.clear()
        self.rows_stale = True
        for bank in self.banks:
            if bank.closes <= time:
                self.settle_precharge(bank)
            bank.closes = NEVER
            if bank.misses[mode] and not bank.hits[mode] and not self._reserved(bank):
                self._want_row(bank, time)
        self._keep_columns(self.command)
        if self.command == mode or not self.columns:
            self._turn_bus(time)

    def use_opened_rows(self) -> bool:
        """Leave only column commands for which rows were opened on purpose; False if none is."""
        self._keep_columns(READ, WRITE)
        self.choose()
        return bool(self.columns)

    def _keep_columns(self, *commands: int) -> None:
        """Drop the offers of rows that were not opened for one of these commands."""
        self.columns = [offer for offer in self.columns if offer[1].opened_for in commands]
        self.columns_stale = True

    def _turn_bus(self, time: int) -> None:
        """Column commands follow the mode from ``time`` on."""
        mode = self.command = self.mode
        self.bus.no_column_before(mode, time)
        self.columns = sorted(
            (bank.hits[mode][0].order, bank)
            for bank in self.banks
            if bank.hits[mode] and bank.closes == NEVER
        )
        self.columns_stale = True

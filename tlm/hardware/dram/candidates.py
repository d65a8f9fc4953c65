"""Which banks have a DRAM command to issue, and which of these commands comes next.

A bank offers a column command (RD, WR) while a run waits for its open row, and while its oldest
miss wants another row the command that leads there: a precharge, or an activate once it is closed.
"""

from __future__ import annotations

from bisect import insort

from tlm.config.tables.dram_timing import DramTiming
from tlm.hardware.dram.bank import NEVER, Bank, RowRun
from tlm.hardware.dram.bus import Bus, CommandCandidate, CommandChoice
from tlm.hardware.dram.delays import DramDelays

READ, WRITE = 0, 1
OPENED = -NEVER  # added to the rank of a run whose row was opened for it: before all others


class Candidates:
    """The banks of a channel by the command they offer, in order of rank; all times in ps.

    A rank is the order of acceptance of the run a command is for. ``mode`` is the queue being
    served. A row that was opened for a run is used by it before anything else, even if the mode
    has changed since, so that no activate is wasted: this is the "active buffer" of Ramulator 2.
    ``next_columns`` (by command) and ``next_row`` are the first legal command of each kind, valid
    after ``choose``; what changes a list marks it as stale.

    Where ``hits_first``, a bank keeps its row while a run of the mode waits for it.
    """

    __slots__ = (
        "_hits_first",
        "_idle",
        "banks",
        "bus",
        "columns",
        "mode",
        "next_columns",
        "next_row",
        "rows",
        "rows_stale",
        "stale",
    )

    def __init__(self, timing: DramTiming, delays: DramDelays, hits_first: bool) -> None:
        self._hits_first = hits_first
        size = timing.banks_per_group
        self.banks = [Bank(index, index // size) for index in range(timing.banks)]
        self.bus = Bus(delays, timing.bank_groups)
        self.mode = READ
        self.columns: tuple[list[CommandCandidate], list[CommandCandidate]] = ([], [])
        self.rows: list[CommandCandidate] = []  # banks that want another row
        self._idle: CommandChoice = (NEVER, (0, self.banks[0]))
        self.next_columns = [self._idle, self._idle]
        self.next_row = self._idle
        self.stale = [False, False]
        self.rows_stale = False

    def choose(self) -> None:
        """Bring ``next_columns`` and ``next_row`` up to date."""
        bus, stale, columns, chosen = self.bus, self.stale, self.columns, self.next_columns
        free = bus.free_at
        if stale[0] or chosen[0][0] < free:
            stale[0] = False
            chosen[0] = bus.first_column(columns[0], 0) if columns[0] else self._idle
        if stale[1] or chosen[1][0] < free:
            stale[1] = False
            chosen[1] = bus.first_column(columns[1], 1) if columns[1] else self._idle
        if self.rows_stale or self.next_row[0] < free:
            self.rows_stale = False
            self.next_row = bus.first_row(self.rows) if self.rows else self._idle

    # -- one bank ---------------------------------------------------------------------------

    def add(self, run: RowRun, bank: Bank, command: int) -> None:
        """File a run as hit or miss of its bank; it may be an offer."""
        if run.row != bank.row:
            bank.misses[command].append(run)
            if command == self.mode and bank.offer < 0:
                self._review_row(bank)
            return
        hits = bank.hits[command]
        hits.append(run)
        if command == self.mode and len(hits) == 1:
            insort(self.columns[command], (run.order, bank))
            self.stale[command] = True
            if self._hits_first:
                self._review_row(bank)

    def opened(self, bank: Bank) -> None:
        """A bank of the mode has been activated for its oldest run."""
        mode = self.mode
        self._review_row(bank)
        insort(self.columns[mode], (OPENED + bank.hits[mode][0].order, bank))
        self.stale[mode] = True

    def closed(self, bank: Bank) -> None:
        """A bank has been precharged while runs of the mode wait: hits have become misses."""
        columns = self.columns[self.mode]
        for index, (_, user) in enumerate(columns):
            if user is bank:
                del columns[index]
                self.stale[self.mode] = True
                break
        self._review_row(bank)

    def used(self, choice: CommandCandidate, command: int) -> None:
        """A candidate's run has ended, or had the burst its row was opened for: what is next."""
        bank = choice[1]
        self.columns[command].remove(choice)
        self.stale[command] = True
        if command == self.mode and bank.hits[command]:
            insort(self.columns[command], (bank.hits[command][0].order, bank))
        self._review_row(bank)

    def _review_row(self, bank: Bank) -> None:
        """Offer the command towards the row that a bank's oldest miss wants, or take it back."""
        mode = self.mode
        misses, offer = bank.misses[mode], -1
        if misses and bank.opened_for < 0 and not (self._hits_first and bank.hits[mode]):
            offer = misses[0].order
        if offer != bank.offer:
            if bank.offer >= 0:
                self.rows.remove((bank.offer, bank))
            if offer >= 0:
                insort(self.rows, (offer, bank))
            bank.offer = offer
        elif offer < 0:
            return
        self.rows_stale = True

    # -- all banks --------------------------------------------------------------------------

    def serve(self, mode: int) -> None:
        """Make ``mode`` the queue being served; rows opened for the other are still used."""
        self.mode = mode
        self._keep_opened()
        self.rows.clear()
        self.rows_stale = True
        columns = self.columns[mode]
        for bank in self.banks:
            bank.offer = -1
            if bank.hits[mode] and bank.opened_for != mode:
                columns.append((bank.hits[mode][0].order, bank))
            self._review_row(bank)
        columns.sort()

    def use_opened_rows(self) -> bool:
        """Leave only column commands for which rows were opened on purpose; False if none is."""
        self._keep_opened()
        self.choose()
        return bool(self.columns[0] or self.columns[1])

    def _keep_opened(self) -> None:
        for command in (READ, WRITE):
            columns = self.columns[command]
            columns[:] = [offer for offer in columns if offer[0] < 0]
            self.stale[command] = True

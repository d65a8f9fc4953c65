"""FR-FCFS over banks and open rows: which DRAM command is issued when, without a clock.

The scheduler jumps from command to command. Each step issues the earlier of two candidates: a
column command (RD, WR) for an open row, or an activate for the oldest run of a bank that wants
another row; among commands legal at the same time the oldest run wins, which is "first ready,
first come, first served" (Rixner et al., ISCA 2000). A precharge has no constraint beside its
own bank's, so it is placed in closed form when a bank starts to want another row, and a hit that
arrives before it is issued cancels it. Consecutive bursts of one run are issued together as far
as nothing else can come between. Not modelled: conflicts on the command bus (one command a
clock), and reads answered from the write queue.

``advance(until)`` settles everything up to a time; calling it late changes nothing, so the
channel calls it only when an arrival or an answer needs it.
"""

from __future__ import annotations

from bisect import insort

from tlm.config.tables.dram_timing import DramTiming
from tlm.hardware.dram.address import AddressMap
from tlm.hardware.dram.bank import CLOSED, NEVER, Bank, Join, RowRun
from tlm.hardware.dram.bus import Bus, CommandCandidate
from tlm.hardware.dram.counters import DramCounters
from tlm.hardware.dram.delays import DramDelays
from tlm.hardware.dram.policy import DramPolicy
from tlm.hardware.dram.queues import Entries, Waiting
from tlm.kernel import Transaction

READ, WRITE = 0, 1


class Scheduler:
    """Queues, banks and bus of one channel; all times in ps.

    ``finished`` collects (time, transaction) of answers that are due; its owner empties it.
    ``mode`` is the queue being served. Column commands may lag behind it (``_command``): rows
    already opened for the other queue are used before the bus turns, so that no activate is
    wasted and the bus turns once.
    """

    def __init__(self, timing: DramTiming, policy: DramPolicy) -> None:
        self._policy = policy
        self._delays = delays = DramDelays.of(timing, policy)
        self._map = AddressMap(timing, policy.address_map)
        self.counters = DramCounters(delays.burst)
        self.finished: list[tuple[int, Transaction]] = []
        self.entries = Entries(policy.read_queue, policy.write_queue)
        self.banks = [Bank(index // timing.banks_per_group) for index in range(timing.banks)]
        self._bus = Bus(delays, timing.bank_groups)
        self._accepted = 0
        self.mode = self._command = READ
        self._columns: list[CommandCandidate] = []  # banks with an open row to use, oldest first
        self._rows: list[CommandCandidate] = []  # banks that want another row, oldest first
        self._next_column: tuple[int, CommandCandidate] = (NEVER, (0, self.banks[0]))
        self._next_row = self._next_column
        self._columns_stale = self._rows_stale = False
        self._refresh_due = delays.refresh_interval

    # -- arrivals ---------------------------------------------------------------------------

    def offer(self, transaction: Transaction, at: int) -> int:
        """Take a transaction at clock edge ``at``, or keep it waiting in front of the queues.

        Returns the least time at which its arrival can make an answer due.
        """
        shift, address = self._map.burst_shift, transaction.address
        bursts = (address + transaction.nbytes - 1 >> shift) - (address >> shift) + 1
        arrival = (transaction, WRITE if transaction.command else READ, bursts)
        mode, first = self.mode, not self.entries.waiting[READ]
        if self.entries.admits(arrival):
            self._accept(arrival, at)
            self._review_mode(at)
        # A first read while writes drain: the low watermark may now cut a run of writes short,
        # and writes to other open rows are answered sooner than that run would have been.
        if arrival[1] or self.mode != mode or (mode == WRITE and first):
            return at
        return at + self._delays.answer[READ]

    def _accept(self, arrival: Waiting, at: int) -> None:
        """Put the runs of a transaction into the bank queues."""
        transaction, command, bursts = arrival
        transaction.end_req = at
        self.entries.waiting[command] += bursts
        self.entries.transactions[command] += 1
        runs = self._map.runs(transaction.address, bursts)
        join = Join(len(runs)) if len(runs) > 1 else None
        for index, row, count in runs:
            self._accepted = order = self._accepted + 1
            run = RowRun(transaction, row, count, order, at, join)
            self._add(run, self.banks[index], command, at)

    def _add(self, run: RowRun, bank: Bank, command: int, at: int) -> None:
        """File a run as hit or miss of its bank and tell the candidate lists."""
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

    def _reserved(self, bank: Bank) -> bool:
        """Whether the bank's row was opened for the kind of command that lags behind the mode."""
        return bank.opened_for == self._command != self.mode

    def _still_used(self, bank: Bank) -> bool:
        """Whether column commands that lag behind the mode are still to come for the bank's row."""
        return self._command != self.mode and any(c[1] is bank for c in self._columns)

    def _use_row(self, bank: Bank, run: RowRun, at: int) -> None:
        """A first hit for an open row: keep the row open and offer its column command."""
        if bank.closes != NEVER:
            bank.closes = NEVER
            self._rows.remove((bank.misses[self.mode][0].order, bank))
            self._rows_stale = True
        if bank.column_at < at:
            bank.column_at = at
        if self._command == self.mode:
            insort(self._columns, (run.order, bank))
            self._columns_stale = True

    def _want_row(self, bank: Bank, at: int) -> None:
        """A bank whose oldest run needs another row: place its precharge, offer its activate."""
        if bank.row != CLOSED:
            bank.closes = closes = bank.precharge_at if bank.precharge_at > at else at
            at = closes + self._delays.precharge
        if bank.activate_at < at:
            bank.activate_at = at
        insort(self._rows, (bank.misses[self.mode][0].order, bank))
        self._rows_stale = True

    # -- decisions --------------------------------------------------------------------------

    def advance(self, until: int) -> None:
        """Issue every command that is due up to ``until``."""
        while True:
            if self._columns_stale:
                self._choose_column()
            if self._rows_stale:
                self._choose_row()
            column, row = self._next_column[0], self._next_row[0]
            time = row if row <= column else column
            if self._refresh_due <= until and time >= self._refresh_due:
                self._refresh(until)
            elif time > until:
                return
            elif row <= column:
                self._issue_activate(row)
            else:
                self._issue_column(column, until)

    def _choose_column(self) -> None:
        self._columns_stale = False
        if self._columns:
            self._next_column = self._bus.first_column(self._columns, self._command)
        else:
            self._next_column = (NEVER, self._next_column[1])

    def _choose_row(self) -> None:
        self._rows_stale = False
        if self._rows:
            self._next_row = self._bus.first_activate(self._rows)
        else:
            self._next_row = (NEVER, self._next_row[1])

    def _issue_activate(self, time: int) -> None:
        """Open the row of a bank's oldest waiting run."""
        delays, counters, mode = self._delays, self.counters, self.mode
        choice = self._next_row[1]
        self._rows.remove(choice)
        self._rows_stale = True
        bank = choice[1]
        counters.activates += 1
        if bank.row != CLOSED:
            counters.precharges += 1
        bank.open_row(bank.misses[mode][0].row, mode)
        bank.column_at = time + delays.row_to_column
        bank.precharge_at = time + delays.row_to_precharge
        bank.activate_at = time + delays.row_cycle
        self._bus.after_activate(bank.group, time)
        if self._command == mode:
            insort(self._columns, (bank.hits[mode][0].order, bank))
            if bank.column_at <= self._next_column[0]:
                self._columns_stale = True

    def _issue_column(self, time: int, until: int) -> None:
        """Move bursts of the chosen run; answer its transaction if they were the last."""
        counters, command, entries = self.counters, self._command, self.entries
        choice = self._next_column[1]
        bank = choice[1]
        run = bank.hits[command][0]
        gap = self._delays.column
        count, waited = 1, time - run.accepted
        streams = gap == self._delays.column_group and choice is self._columns[0]
        if streams and run.left > 1:
            count = self._bursts_at_once(run, time, until)
            time += gap * (count - 1)
        counters.queue_time_ps += count * waited + gap * (count * (count - 1) // 2)
        counters.bursts[command] += count
        run.left -= count
        entries.waiting[command] -= count
        if bank.opened_for >= 0:
            bank.opened_for = -1
            counters.row_misses += 1
        precharge_at = time + self._delays.column_to_precharge[command]
        if bank.precharge_at < precharge_at:
            bank.precharge_at = precharge_at
        self._bus.after_column(bank.group, command, time)
        if not run.left:
            self._columns_stale = True
            self._finish(run, time)
            self._next_for(bank, command, time)
        elif streams:  # the oldest candidate stays the first one legal, one gap later
            self._next_column = (time + gap, choice)
        else:
            self._columns_stale = True
        if entries.blocked:
            self._admit(time)
        if entries.waiting[WRITE] or self.mode == WRITE:
            self._review_mode(time)

    def _bursts_at_once(self, run: RowRun, time: int, until: int) -> int:
        """Bursts that no other decision can come between; 1 where that is not certain.

        The run is the oldest candidate and every gap is the same, so none overtakes it. The end
        is set by the next activate or refresh, by ``until`` (arrivals), by the next acceptance
        from in front of the queues, and by the low watermark while reads wait.
        """
        entries, last = self.entries, until
        if last >= self._next_row[0]:
            last = self._next_row[0] - 1
        if last >= self._refresh_due:
            last = self._refresh_due - 1
        count = (last - time) // self._delays.column + 1
        if count > run.left:
            count = run.left
        if entries.blocked and entries.blocked[0][1] == self._command:
            count = min(count, entries.missing(entries.blocked[0]))
        if self._command == WRITE and entries.waiting[READ]:
            count = min(count, entries.waiting[WRITE] - self._policy.write_low)
        return count if count > 1 else 1

    def _finish(self, run: RowRun, time: int) -> None:
        """Count off a served run; the last of its transaction makes the answer due."""
        join, transaction = run.join, run.transaction
        if join is not None:
            join.runs_left -= 1
            if join.runs_left:
                return
        command = WRITE if transaction.command else READ
        self.counters.nbytes[command] += transaction.nbytes
        self.entries.transactions[command] -= 1
        self.finished.append((time + self._delays.answer[command], transaction))

    def _next_for(self, bank: Bank, command: int, time: int) -> None:
        """A run is served: offer the bank's next hit, its next row, or nothing."""
        mode, hits = self.mode, bank.hits[command]
        self._columns.remove(self._next_column[1])
        del hits[0]
        if self._policy.page == "closed":
            self._auto_precharge(bank)
        if command == mode and hits:
            insort(self._columns, (hits[0].order, bank))
            return
        if bank.misses[mode] and (command == mode or not bank.hits[mode]):
            self._want_row(bank, time)
        if command != mode and not self._columns:
            self._turn_bus(time)

    def _auto_precharge(self, bank: Bank) -> None:
        """Close the row with the last column command of a run (RDA, WRA)."""
        bank.close_row(bank.precharge_at + self._delays.precharge)
        self.counters.precharges += 1

    def _admit(self, time: int) -> None:
        """Accept transactions into freed entries, in order of arrival."""
        while (arrival := self.entries.release()) is not None:
            self._accept(arrival, time)

    # -- reads and writes -------------------------------------------------------------------

    def _review_mode(self, time: int) -> None:
        """Start to drain writes, or go back to reads, by the watermarks of the policy."""
        reads, writes = self.entries.waiting
        if self.mode == READ:
            if writes and (not reads or writes >= self._policy.write_high):
                self._serve(WRITE, time)
        elif reads and writes <= self._policy.write_low:
            self._serve(READ, time)

    def _serve(self, mode: int, time: int) -> None:
        """Make ``mode`` the queue being served; rows opened for the other are used first."""
        self.mode = mode
        self._rows.clear()
        self._rows_stale = True
        for bank in self.banks:
            if bank.closes <= time:
                self._settle_precharge(bank)
            bank.closes = NEVER
            if bank.misses[mode] and not bank.hits[mode] and not self._reserved(bank):
                self._want_row(bank, time)
        self._columns = [c for c in self._columns if c[1].opened_for == self._command]
        self._columns_stale = True
        if self._command == mode or not self._columns:
            self._turn_bus(time)

    def _settle_precharge(self, bank: Bank) -> None:
        """The precharge that a bank waited for has been issued, but its activate has not."""
        bank.close_row(bank.closes + self._delays.precharge)
        self.counters.precharges += 1

    def _turn_bus(self, time: int) -> None:
        """Column commands follow the mode from ``time`` on."""
        mode = self._command = self.mode
        self._bus.no_column_before(mode, time)
        self._columns = sorted(
            (bank.hits[mode][0].order, bank)
            for bank in self.banks
            if bank.hits[mode] and bank.closes == NEVER
        )
        self._columns_stale = True

    # -- refresh ----------------------------------------------------------------------------

    def _refresh(self, until: int) -> None:
        """All-bank refresh: precharge as soon as every open bank may, then tRFC for all."""
        self._use_opened_rows()
        delays, due = self._delays, self._refresh_due
        precharge, start = -1, due
        for bank in self.banks:
            if bank.closes <= due:
                self._settle_precharge(bank)
            if bank.row == CLOSED:
                start = max(start, bank.activate_at)
            else:
                precharge = max(precharge, bank.precharge_at, due)
                self.counters.precharges += 1
        if precharge >= 0:
            start = max(start, precharge + delays.precharge_all)
        self.counters.refreshes += 1
        self._refresh_due = due + delays.refresh_interval
        if not any(self.entries.waiting):
            start = max(start, self._skip_idle_refreshes(until))
        for bank in self.banks:
            bank.close_row(start + delays.refresh)
        self._columns.clear()
        self._serve(self.mode, due)

    def _use_opened_rows(self) -> None:
        """Issue the column commands for which rows were opened on purpose, and no others."""
        while True:
            self._columns = [c for c in self._columns if c[1].opened_for >= 0]
            if not self._columns:
                return
            self._choose_column()
            time = self._next_column[0]
            self._issue_column(time, time)

    def _skip_idle_refreshes(self, until: int) -> int:
        """Count the refreshes of an idle stretch at once; return the time of the last."""
        interval, due = self._delays.refresh_interval, self._refresh_due
        missed = (until - due) // interval + 1 if due <= until else 0
        self.counters.refreshes += missed
        self._refresh_due = due + missed * interval
        return self._refresh_due - interval

    # -- waking -----------------------------------------------------------------------------

    def wake_at(self) -> int:
        """Latest time to call ``advance`` so that no answer falls due unseen.

        A read's data comes long after its command, so several reads are settled in one call. A
        write answered at its WR needs a call at that time, unless the bus is still reading: then
        no WR can follow sooner than the turn-around, after the reads that come before it.
        """
        delays, entries, command = self._delays, self.entries, self._command
        column, opens = self._next_column[0], self._next_row[0] + delays.row_to_column
        first = column if column < opens else opens
        if first >= NEVER:
            return NEVER
        turn = self._before_turn()
        turned = first + delays.column * (turn - 1) + delays.turn[command]
        answered = first + delays.column * (entries.before_answer(command, turn) - 1)
        answered = max(answered, min(self._end_of_run(turn), opens))
        read, lag = delays.answer[READ], self._write_lag()
        if command == READ:
            return min(answered + read, turned + lag)
        return min(answered + lag, turned + read)

    def _end_of_run(self, turn: int) -> int:
        """Least time of the chosen run's last column command, before which no other run ends.

        Up to ``turn`` commands, the refresh, or the activate for another run (left to the caller),
        the oldest candidate goes on undisturbed if it never has to wait longer than the others.
        """
        time, choice = self._next_column
        gap = self._delays.column
        if not self._columns or choice is not self._columns[0] or gap != self._delays.column_group:
            return time
        left = choice[1].hits[self._command][0].left
        end = time + gap * ((left if left < turn else turn) - 1)
        return max(time, min(end, self._refresh_due))

    def _before_turn(self) -> int:
        """Least number of column commands before one of the other kind can follow."""
        if self._command != self.mode:
            return 1
        if self.mode == READ:
            before = self.entries.reads_before_write()
        else:
            before = self.entries.writes_before_read(self._policy.write_low)
        return before if before > 1 else 1

    def _write_lag(self) -> int:
        """Least time from a column command that concerns a write to that write's answer."""
        entries = self.entries
        if entries.waiting[WRITE] or entries.blocked_writes:
            return self._delays.answer[WRITE]
        return NEVER

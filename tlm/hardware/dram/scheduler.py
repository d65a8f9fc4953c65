"""FR-FCFS over banks and open rows: which DRAM command is issued when, without a clock.

The scheduler jumps from command to command. Each step issues the earlier of two candidates: a
column command (RD, WR) for an open row, or an activate for the oldest run of a bank that wants
another row; among commands legal at the same time the oldest run wins, which is "first ready,
first come, first served" (Rixner et al., ISCA 2000). Consecutive bursts of one run are issued
together as far as nothing else can come between. Not modelled: conflicts on the command bus (one
command per clock), and reads answered from the write queue.

``advance(until)`` settles everything up to a time; calling it late changes nothing, so the
channel calls it only when an arrival or an answer needs it.
"""

from __future__ import annotations

from bisect import insort

from tlm.config.tables.dram_timing import DramTiming
from tlm.hardware.dram.address import AddressMap
from tlm.hardware.dram.bank import CLOSED, Bank, Join, RowRun
from tlm.hardware.dram.candidates import READ, WRITE, Candidates
from tlm.hardware.dram.commands import CommandLog, DramCommand
from tlm.hardware.dram.counters import DramCounters
from tlm.hardware.dram.delays import DramDelays
from tlm.hardware.dram.outlook import Outlook
from tlm.hardware.dram.policy import DramPolicy
from tlm.hardware.dram.queues import Entries, Waiting
from tlm.kernel import Transaction


class Scheduler:
    """Queues, banks and bus of one channel; all times in ps.

    ``finished`` collects (time, transaction) of answers that are due; its owner empties it.
    """

    def __init__(self, timing: DramTiming, policy: DramPolicy) -> None:
        self._policy = policy
        self._delays = delays = DramDelays.of(timing, policy)
        self._map = AddressMap(timing, policy.address_map)
        self.counters = DramCounters(delays.burst)
        self.finished: list[tuple[int, Transaction]] = []
        self.entries = Entries(policy.read_queue, policy.write_queue)
        self._candidates = Candidates(timing, delays, self.counters)
        self._outlook = Outlook(self._candidates, self.entries, delays, policy.write_low)
        self._accepted = 0  # runs so far
        self._refresh_due = delays.refresh_interval

    @property
    def banks(self) -> list[Bank]:
        """The channel's banks, by number."""
        return self._candidates.banks

    @property
    def log(self) -> CommandLog:
        """Some of the commands that were issued."""
        return self._candidates.log

    @property
    def mode(self) -> int:
        """The queue being served: 0 the reads, 1 the writes."""
        return self._candidates.mode

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
            self._candidates.add(run, self.banks[index], command, at)

    # -- commands ---------------------------------------------------------------------------

    def advance(self, until: int) -> None:
        """Issue every command that is due up to ``until``."""
        candidates = self._candidates
        while True:
            candidates.choose()
            column, row = candidates.next_column[0], candidates.next_row[0]
            time = row if row <= column else column
            if self._refresh_due <= until and time >= self._refresh_due:
                self._refresh(until)
            elif time > until:
                return
            elif row <= column:
                self._issue_activate(row)
            else:
                self._issue_column(column, until)

    def _issue_activate(self, time: int) -> None:
        """Open the row of a bank's oldest waiting run."""
        delays, counters, candidates = self._delays, self.counters, self._candidates
        mode, choice = candidates.mode, candidates.next_row[1]
        candidates.rows.remove(choice)
        candidates.rows_stale = True
        bank = choice[1]
        counters.activates += 1
        row, log = bank.misses[mode][0].row, candidates.log
        if bank.row != CLOSED:
            counters.precharges += 1
            if log.on:
                log.add(bank.closes, DramCommand.PRECHARGE, bank.index)
        if log.on:
            log.add(time, DramCommand.ACTIVATE, bank.index, row)
        bank.open_row(row, mode)
        bank.column_at = time + delays.row_to_column
        bank.precharge_at = time + delays.row_to_precharge
        bank.activate_at = time + delays.row_cycle
        candidates.bus.after_activate(bank.group, time)
        if candidates.command == mode:
            insort(candidates.columns, (bank.hits[mode][0].order, bank))
            if bank.column_at <= candidates.next_column[0]:
                candidates.columns_stale = True

    def _issue_column(self, time: int, until: int) -> None:
        """Move bursts of the chosen run; answer its transaction if they were the last."""
        counters, candidates, entries = self.counters, self._candidates, self.entries
        command, choice = candidates.command, candidates.next_column[1]
        bank = choice[1]
        run = bank.hits[command][0]
        gap = self._delays.column
        count, waited = 1, time - run.accepted
        streams = gap == self._delays.column_group and choice is candidates.columns[0]
        if streams and run.left > 1:
            count = self._bursts_at_once(run, time, until)
        if candidates.log.on:
            for burst in range(count):
                kind = DramCommand(command)
                candidates.log.add(time + gap * burst, kind, bank.index, run.row)
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
        candidates.bus.after_column(bank.group, command, time)
        if not run.left:
            candidates.columns_stale = True
            self._finish(run, time)
            self._end_run(bank, command, time)
        elif streams:  # the oldest candidate stays the first legal, one gap later
            candidates.next_column = (time + gap, choice)
        else:
            candidates.columns_stale = True
        if entries.blocked:
            self._admit(time)
        if entries.waiting[WRITE] or candidates.mode == WRITE:
            self._review_mode(time)

    def _bursts_at_once(self, run: RowRun, time: int, until: int) -> int:
        """Bursts that no other decision can come between; 1 where that is not certain.

        The run is the oldest candidate and every gap is the same, so none overtakes it. The end
        is set by the next activate or refresh, by ``until`` (arrivals), by the next acceptance
        from in front of the queues, and by the low watermark while reads wait.
        """
        entries, command, last = self.entries, self._candidates.command, until
        if last >= self._candidates.next_row[0]:
            last = self._candidates.next_row[0] - 1
        if last >= self._refresh_due:
            last = self._refresh_due - 1
        count = (last - time) // self._delays.column + 1
        if count > run.left:
            count = run.left
        if entries.blocked and entries.blocked[0][1] == command:
            count = min(count, entries.missing(entries.blocked[0]))
        if command == WRITE and entries.waiting[READ]:
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

    def _end_run(self, bank: Bank, command: int, time: int) -> None:
        """The chosen run is served: its bank may go on with another."""
        candidates = self._candidates
        candidates.columns.remove(candidates.next_column[1])
        del bank.hits[command][0]
        if self._policy.page == "closed":
            self._auto_precharge(bank)
        candidates.after_run(bank, command, time)

    def _auto_precharge(self, bank: Bank) -> None:
        """Close the row with the last column command of a run (RDA, WRA)."""
        if self.log.on:
            self.log.add(bank.precharge_at, DramCommand.PRECHARGE, bank.index)
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
                self._candidates.serve(WRITE, time)
        elif reads and writes <= self._policy.write_low:
            self._candidates.serve(READ, time)

    # -- refresh ----------------------------------------------------------------------------

    def _refresh(self, until: int) -> None:
        """All-bank refresh: precharge as soon as every open bank may, then tRFC for all.

        Rows that were opened on purpose are used before.
        """
        candidates = self._candidates
        while candidates.use_opened_rows():
            time = candidates.next_column[0]
            self._issue_column(time, time)
        delays, due = self._delays, self._refresh_due
        precharge, start = -1, due
        for bank in self.banks:
            if bank.closes <= due:
                candidates.settle_precharge(bank)
            if bank.row == CLOSED:
                start = max(start, bank.activate_at)
            else:
                precharge = max(precharge, bank.precharge_at, due)
                self.counters.precharges += 1
        if precharge >= 0:
            start = max(start, precharge + delays.precharge_all)
            if candidates.log.on:
                candidates.log.add(precharge, DramCommand.PRECHARGE_ALL)
        self.counters.refreshes += 1
        self._refresh_due = due + delays.refresh_interval
        if not any(self.entries.waiting):
            start = max(start, self._skip_idle_refreshes(until))
        candidates.log.refresh(start)
        for bank in self.banks:
            bank.close_row(start + delays.refresh)
        candidates.columns.clear()
        candidates.serve(candidates.mode, due)

    def _skip_idle_refreshes(self, until: int) -> int:
        """Count the refreshes of an idle stretch at once; return the time of the last."""
        interval, due = self._delays.refresh_interval, self._refresh_due
        missed = (until - due) // interval + 1 if due <= until else 0
        self.counters.refreshes += missed
        self._refresh_due = due + missed * interval
        return self._refresh_due - interval

    # -- waking -----------------------------------------------------------------------------

    def wake_at(self) -> int:
        """Latest time in ps to call ``advance`` so that no answer falls due unseen."""
        return self._outlook.wake_at(self._refresh_due)

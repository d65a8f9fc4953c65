"""FR-FCFS over banks and open rows: which DRAM command is issued when, without a clock.

The scheduler jumps from command to command. Each step issues the earliest of all candidates: a
column command (RD, WR) for an open row, or the precharge or activate towards another; among those
legal at the same time the oldest run's, which is "first ready, first come, first served" (Rixner
et al., ISCA 2000). Consecutive bursts of one run are issued together as far as nothing else can
come between. Not modelled: reads answered from the write queue.

``advance(until)`` settles everything up to a time; calling it late changes nothing, so the
channel calls it only when an arrival or an answer needs it.
"""

from __future__ import annotations

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
        self.log = CommandLog()
        self.entries = Entries(policy.read_queue, policy.write_queue)
        self._candidates = Candidates(timing, delays, policy.policy == "hits-first")
        self._outlook = Outlook(self._candidates, self.entries, delays)
        self._accepted = 0  # runs so far
        self._refresh_due = delays.refresh_interval

    @property
    def banks(self) -> list[Bank]:
        """The channel's banks, by number."""
        return self._candidates.banks

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
            self._review_mode()
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
        bus = self._candidates.bus
        if bus.free_at < at:  # what came before this arrival has been settled
            bus.free_at = at
        runs = self._map.runs(transaction.address, bursts)
        join = Join(len(runs)) if len(runs) > 1 else None
        for index, row, count in runs:
            self._accepted = order = self._accepted + 1
            run = RowRun(transaction, row, count, order, at, join)
            self._candidates.add(run, self.banks[index], command)

    # -- commands ---------------------------------------------------------------------------

    def advance(self, until: int) -> None:
        """Issue every command that is due up to ``until``."""
        candidates = self._candidates
        columns = candidates.next_columns
        while True:
            candidates.choose()
            row = candidates.next_row
            command = READ if columns[READ] < columns[WRITE] else WRITE
            opens = row < columns[command]  # legal sooner, or at once and for an older run
            time = row[0] if opens else columns[command][0]
            if self._refresh_due <= until and time >= self._refresh_due:
                self._refresh(until)
            elif time > until:
                return
            elif not opens:
                self._issue_column(command, until)
            elif row[1][1].row == CLOSED:
                self._issue_activate(time)
            else:
                self._issue_precharge(time)

    def _issue_precharge(self, time: int) -> None:
        """Close a bank whose oldest waiting run wants another row."""
        delays, candidates = self._delays, self._candidates
        bank = candidates.next_row[1][1]
        candidates.bus.free_at = time + delays.precharge_clocks
        self.counters.precharges += 1
        if self.log.on:
            self.log.add(time, DramCommand.PRECHARGE, bank.index)
        bank.close_row(time + delays.precharge)
        candidates.closed(bank)

    def _issue_activate(self, time: int) -> None:
        """Open the row of a bank's oldest waiting run."""
        delays, candidates = self._delays, self._candidates
        mode, bank = candidates.mode, candidates.next_row[1][1]
        self.counters.activates += 1
        bank.open_row(bank.misses[mode][0].row, mode)
        if self.log.on:
            self.log.add(time, DramCommand.ACTIVATE, bank.index, bank.row)
        bank.column_at = time + delays.row_to_column
        bank.precharge_at = time + delays.row_to_precharge
        bank.activate_at = time + delays.row_cycle
        candidates.bus.after_activate(bank.group, time)
        candidates.opened(bank)
        self.entries.waiting[mode] -= 1
        self._review_entries(time)

    def _issue_column(self, command: int, until: int) -> None:
        """Move bursts of the chosen run; answer its transaction if they were the last."""
        candidates = self._candidates
        time, choice = candidates.next_columns[command]
        rank, bank = choice
        run, gap, count = bank.hits[command][0], self._delays.column, 1
        streams = gap == self._delays.column_group and choice is candidates.columns[command][0]
        if rank < 0:
            bank.opened_for = -1
            self.counters.row_misses += 1
        else:
            if streams and run.left > 1:
                count = self._bursts_at_once(run, command, until)
            self.entries.waiting[command] -= count
        self._move(bank, command, time, count)
        time += gap * (count - 1)
        if not run.left:
            del bank.hits[command][0]
            self._end_run(run, command, time)
        if not run.left or rank < 0:
            candidates.used(choice, command)
            if not run.left and self._policy.page == "closed" and bank.opened_for < 0:
                self._auto_precharge(bank)
        elif streams:  # the first candidate stays the first legal, one gap later
            candidates.next_columns[command] = (time + gap, choice)
        else:
            candidates.stale[command] = True
        self._review_entries(time)

    def _move(self, bank: Bank, command: int, time: int, count: int) -> None:
        """Bursts of a bank's oldest hit from ``time`` on: what they count, what they hold up."""
        counters, candidates, gap = self.counters, self._candidates, self._delays.column
        run = bank.hits[command][0]
        counters.queue_time_ps += count * (time - run.accepted) + gap * (count * (count - 1) // 2)
        counters.bursts[command] += count
        run.left -= count
        if self.log.on:
            for burst in range(count):
                kind = DramCommand(command)
                self.log.add(time + gap * burst, kind, bank.index, run.row)
        time += gap * (count - 1)
        precharge_at = time + self._delays.column_to_precharge[command]
        if bank.precharge_at < precharge_at:
            bank.precharge_at = precharge_at
            if bank.offer >= 0:
                candidates.rows_stale = True
        candidates.bus.after_column(bank.group, command, time)
        if candidates.columns[1 - command]:
            candidates.stale[1 - command] = True

    def _bursts_at_once(self, run: RowRun, command: int, until: int) -> int:
        """Bursts that no other decision can come between; 1 where that is not certain.

        The run is the first candidate and every gap is the same, so none overtakes it. The end
        is set by the next activate, precharge, refresh or column command of the other kind, by
        ``until`` (arrivals), by the next acceptance from in front of the queues, and by the low
        watermark while reads wait.
        """
        entries, candidates = self.entries, self._candidates
        last = min(
            until,
            candidates.next_row[0] - 1,
            candidates.next_columns[1 - command][0] - 1,
            self._refresh_due - 1,
        )
        count = (last - candidates.next_columns[command][0]) // self._delays.column + 1
        if count > run.left:
            count = run.left
        if entries.blocked and entries.blocked[0][1] == command:
            count = min(count, entries.missing(entries.blocked[0]))
        if command == WRITE and entries.waiting[READ]:
            count = min(count, entries.waiting[WRITE] - self._policy.write_low)
        return count if count > 1 else 1

    def _auto_precharge(self, bank: Bank) -> None:
        """Close the row with the last column command of a run (RDA, WRA)."""
        if self.log.on:
            self.log.add(bank.precharge_at, DramCommand.PRECHARGE, bank.index)
        bank.close_row(bank.precharge_at + self._delays.precharge)
        self.counters.precharges += 1
        self._candidates.closed(bank)

    def _end_run(self, run: RowRun, command: int, time: int) -> None:
        """A run is served: the last of its transaction makes the answer due."""
        join, transaction = run.join, run.transaction
        if join is not None:
            join.runs_left -= 1
            if join.runs_left:
                return
        self.counters.nbytes[command] += transaction.nbytes
        self.entries.transactions[command] -= 1
        self.finished.append((time + self._delays.answer[command], transaction))

    # -- queues -----------------------------------------------------------------------------

    def _review_entries(self, time: int) -> None:
        """Accept transactions into freed entries, in order of arrival; turn at the watermarks."""
        entries = self.entries
        if entries.blocked:
            while (arrival := entries.release()) is not None:
                self._accept(arrival, time)
        if entries.waiting[WRITE] or self._candidates.mode == WRITE:
            self._review_mode()

    def _review_mode(self) -> None:
        """Start to drain writes, or go back to reads, by the watermarks of the policy."""
        reads, writes = self.entries.waiting
        if self.mode == READ:
            if writes and (not reads or writes >= self._policy.write_high):
                self._candidates.serve(WRITE)
        elif reads and writes <= self._policy.write_low:
            self._candidates.serve(READ)

    # -- refresh ----------------------------------------------------------------------------

    def _refresh(self, until: int) -> None:
        """All-bank refresh: precharge as soon as every bank may, then tRFC for all.

        Rows that were opened on purpose are used before.
        """
        candidates = self._candidates
        columns = candidates.next_columns
        while candidates.use_opened_rows():
            command = READ if columns[READ] < columns[WRITE] else WRITE
            self._issue_column(command, columns[command][0])
        delays, due = self._delays, self._refresh_due
        precharge, start = -1, max(due, candidates.bus.free_at)
        last = max(bank.precharge_at for bank in self.banks)  # a row may close by itself
        for bank in self.banks:
            if bank.row == CLOSED:
                start = max(start, bank.activate_at + delays.activate_lead)
            else:
                precharge = max(last, start)
                self.counters.precharges += 1
        if precharge >= 0:
            start = max(start, precharge + delays.precharge_all)
            if self.log.on:
                self.log.add(precharge, DramCommand.PRECHARGE_ALL)
        self.counters.refreshes += 1
        self._refresh_due = due + delays.refresh_interval
        if not any(self.entries.waiting):
            start = max(start, self._skip_idle_refreshes(until))
        self.log.refresh(start)
        for bank in self.banks:
            bank.close_row(start + delays.refresh)
        candidates.serve(candidates.mode)

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

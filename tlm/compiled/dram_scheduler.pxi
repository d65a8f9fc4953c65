# FR-FCFS over banks and open rows: which DRAM command is issued when, without a clock; as
# ``tlm.hardware.dram.scheduler``, method for method.


@cython.final
@cython.no_gc_clear  # what is left in the banks is taken out at the end
cdef class Scheduler:
    """Queues, banks and bus of one channel; all times in ps.

    ``finished`` collects answers that are due; its owner empties it. ``spare`` is where requests
    come from and, answered, go back to.
    """

    cdef readonly CommandLog log
    cdef Candidates candidates
    cdef Entries entries
    cdef Counters counters
    cdef Answers finished
    cdef Spare spare
    cdef bint owns  # a reference to the owner of each request, which is a Python object
    cdef Delays _delays
    cdef AddressFields _fields
    cdef Outlook _outlook
    cdef bint _closed_page
    cdef int64_t _write_high, _write_low
    cdef int64_t _accepted  # runs so far
    cdef int64_t _refresh_due

    def __cinit__(self, timing, policy):
        self._delays = delays_of(timing, policy)
        self._fields = fields_of(timing, policy.address_map)
        self.counters.burst_ps = DramDelays.of(timing, policy).burst
        self.log = CommandLog()
        self.entries.capacity[READ] = policy.read_queue
        self.entries.capacity[WRITE] = policy.write_queue
        self.candidates = Candidates(
            timing.banks, timing.banks_per_group, policy.policy == "hits-first"
        )
        self.candidates.bus.start(&self._delays)
        self._outlook = Outlook()
        self._outlook._candidates = self.candidates
        self._outlook._entries = &self.entries
        self._outlook._delays = &self._delays
        self._closed_page = policy.page == "closed"
        self._write_high, self._write_low = policy.write_high, policy.write_low
        self._refresh_due = self._delays.refresh_interval

    def __dealloc__(self):
        self.release()
        free(self.finished.at)
        free_spare(&self.spare)

    cdef void release(self) noexcept:
        """Let go of all requests; none can be served any more."""
        cdef Request* request
        while (request := abandoned(&self.entries, self.candidates, &self.spare)) is not NULL:
            if self.owns:
                Py_DECREF(<object>request.owner)
            free(request)

    # -- arrivals ---------------------------------------------------------------------------

    cdef int64_t offer(self, Request* arrival, int64_t at) except -1:
        """Take a request at clock edge ``at``, or keep it waiting in front of the queues.

        Returns the least time at which its arrival can make an answer due.
        """
        cdef int shift = self._fields.burst_shift, mode = self.candidates.mode
        cdef int64_t address = arrival.address
        cdef bint first = not self.entries.waiting[READ]
        arrival.bursts = ((address + arrival.nbytes - 1) >> shift) - (address >> shift) + 1
        if admits(&self.entries, arrival):
            self._accept(arrival, at)
            self._review_mode()
        # A first read while writes drain: the low watermark may now cut a run of writes short,
        # and writes to other open rows are answered sooner than that run would have been.
        if arrival.command == WRITE or self.candidates.mode != mode or (mode == WRITE and first):
            return at
        return at + self._delays.answer[READ]

    cdef int _accept(self, Request* arrival, int64_t at) except -1:
        """Put the runs of a request into the bank queues."""
        cdef Bus bus = self.candidates.bus
        cdef int command = arrival.command
        cdef int64_t mask = self._fields.run_mask
        cdef int64_t burst = arrival.address >> self._fields.burst_shift
        cdef int64_t left = arrival.bursts, count, address
        cdef RowRun* run
        arrival.accepted = at
        self.entries.waiting[command] += left
        self.entries.transactions[command] += 1
        if bus.free_at < at:  # what came before this arrival has been settled
            bus.free_at = at
        while left:
            count = min(left, mask + 1 - (burst & mask))
            address = burst << self._fields.burst_shift
            run = new_run(&self.spare)
            self._accepted += 1
            run.request, run.order, run.left = arrival, self._accepted, count
            run.row = row_of(&self._fields, address)
            arrival.runs_left += 1
            self.candidates.add(
                run, &self.candidates.banks[bank_of(&self._fields, address)], command
            )
            burst += count
            left -= count
        return 0

    # -- queues -----------------------------------------------------------------------------

    cdef int _review_entries(self, int64_t time) except -1:
        """Accept requests into freed entries, in order of arrival; turn at the watermarks."""
        cdef Request* arrival
        while (arrival := release(&self.entries)) is not NULL:
            self._accept(arrival, time)
        if self.entries.waiting[WRITE] or self.candidates.mode == WRITE:
            self._review_mode()
        return 0

    cdef void _review_mode(self) noexcept:
        """Start to drain writes, or go back to reads, by the watermarks of the policy."""
        cdef int64_t reads = self.entries.waiting[READ], writes = self.entries.waiting[WRITE]
        if self.candidates.mode == READ:
            if writes and (not reads or writes >= self._write_high):
                self.candidates.serve(WRITE)
        elif reads and writes <= self._write_low:
            self.candidates.serve(READ)

    # -- commands ---------------------------------------------------------------------------

    cdef int advance(self, int64_t until) except -1:
        """Issue every command that is due up to ``until``."""
        cdef Candidates candidates = self.candidates
        cdef Choice* columns = candidates.next_columns
        cdef const Choice* row = &candidates.next_row
        cdef int64_t time
        cdef int command
        cdef bint opens
        while True:
            candidates.choose()
            command = READ if sooner(&columns[READ], &columns[WRITE]) else WRITE
            opens = sooner(row, &columns[command])  # legal sooner, or for an older run
            time = row.time if opens else columns[command].time
            if self._refresh_due <= until and time >= self._refresh_due:
                self._refresh(until)
            elif time > until:
                return 0
            elif not opens:
                self._issue_column(command, until)
            elif row.candidate.bank.row == CLOSED:
                self._issue_activate(time)
            else:
                self._issue_precharge(time)

    cdef int _issue_precharge(self, int64_t time) except -1:
        """Close a bank whose oldest waiting run wants another row."""
        cdef Bank* bank = self.candidates.next_row.candidate.bank
        self.candidates.bus.free_at = time + self._delays.precharge_clocks
        self.counters.precharges += 1
        if self.log.on:
            self.log.add(time, PRECHARGE, bank.index, NO_ROW)
        close_row(bank, time + self._delays.precharge)
        self.candidates.closed(bank)
        return 0

    cdef int _issue_activate(self, int64_t time) except -1:
        """Open the row of a bank's oldest waiting run."""
        cdef int mode = self.candidates.mode
        cdef Bank* bank = self.candidates.next_row.candidate.bank
        self.counters.activates += 1
        open_row(bank, bank.misses[mode].first.row, mode)
        if self.log.on:
            self.log.add(time, ACTIVATE, bank.index, bank.row)
        bank.column_at = time + self._delays.row_to_column
        bank.precharge_at = time + self._delays.row_to_precharge
        bank.activate_at = time + self._delays.row_cycle
        self.candidates.bus.after_activate(bank.group, time)
        self.candidates.opened(bank)
        self.entries.waiting[mode] -= 1
        return self._review_entries(time)

    cdef int _issue_column(self, int command, int64_t until) except -1:
        """Move bursts of the chosen run; answer its request if they were the last."""
        cdef Candidates candidates = self.candidates
        cdef Choice* choice = &candidates.next_columns[command]
        cdef Bank* bank = choice.candidate.bank
        cdef RowRun* run = bank.hits[command].first
        cdef int64_t time = choice.time, gap = self._delays.column, count = 1
        cdef bint opened = choice.candidate.rank < 0, ended
        cdef bint streams = (
            gap == self._delays.column_group
            and choice.candidate.rank == candidates.columns[command].at[0].rank
        )
        if opened:
            bank.opened_for = -1
            self.counters.row_misses += 1
        else:
            if streams and run.left > 1:
                count = self._bursts_at_once(run, command, until)
            self.entries.waiting[command] -= count
        self._move(bank, command, time, count)
        time += gap * (count - 1)
        ended = not run.left
        if ended:
            bank.hits[command].first = run.next
            self._end_run(run, command, time)
        if ended or opened:
            candidates.used(bank, command)
            if ended and self._closed_page and bank.opened_for < 0:
                self._auto_precharge(bank)
        elif streams:  # the first candidate stays the first legal, one gap later
            choice.time = time + gap
        else:
            candidates.stale[command] = True
        return self._review_entries(time)

    cdef int _move(self, Bank* bank, int command, int64_t time, int64_t count) except -1:
        """Bursts of a bank's oldest hit from ``time`` on: what they count, what they hold up."""
        cdef Candidates candidates = self.candidates
        cdef RowRun* run = bank.hits[command].first
        cdef int64_t gap = self._delays.column, precharge_at, burst
        self.counters.queue_time_ps += count * (time - run.request.accepted)
        self.counters.queue_time_ps += gap * (count * (count - 1) // 2)
        self.counters.bursts[command] += count
        run.left -= count
        if self.log.on:
            for burst in range(count):
                self.log.add(time + gap * burst, command, bank.index, run.row)
        time += gap * (count - 1)
        precharge_at = time + self._delays.column_to_precharge[command]
        if bank.precharge_at < precharge_at:
            bank.precharge_at = precharge_at
            if bank.offer >= 0:
                candidates.rows_stale = True
        candidates.bus.after_column(bank.group, command, time)
        if candidates.columns[1 - command].count:
            candidates.stale[1 - command] = True
        return 0

    cdef int64_t _bursts_at_once(self, RowRun* run, int command, int64_t until) except -1:
        """Bursts that no other decision can come between; 1 where that is not certain."""
        cdef Candidates candidates = self.candidates
        cdef int64_t last = min(
            until,
            candidates.next_row.time - 1,
            candidates.next_columns[1 - command].time - 1,
            self._refresh_due - 1,
        )
        cdef int64_t time = candidates.next_columns[command].time
        cdef int64_t count = min((last - time) // self._delays.column + 1, run.left)
        cdef const Request* blocked = self.entries.blocked
        if blocked is not NULL and blocked.command == command:
            count = min(count, missing(&self.entries, blocked))
        if command == WRITE and self.entries.waiting[READ]:
            count = min(count, self.entries.waiting[WRITE] - self._write_low)
        return max(count, 1)

    cdef int _auto_precharge(self, Bank* bank) except -1:
        """Close the row with the last column command of a run (RDA, WRA)."""
        if self.log.on:
            self.log.add(bank.precharge_at, PRECHARGE, bank.index, NO_ROW)
        close_row(bank, bank.precharge_at + self._delays.precharge)
        self.counters.precharges += 1
        self.candidates.closed(bank)
        return 0

    cdef int _end_run(self, RowRun* run, int command, int64_t time) except -1:
        """A run is served: the last of its request makes the answer due."""
        cdef Request* request = run.request
        spare_run(&self.spare, run)
        request.runs_left -= 1
        if request.runs_left:
            return 0
        self.counters.nbytes[command] += request.nbytes
        self.entries.transactions[command] -= 1
        return add_answer(&self.finished, time + self._delays.answer[command], request)

    # -- refresh ----------------------------------------------------------------------------

    cdef int _refresh(self, int64_t until) except -1:
        """All-bank refresh: precharge as soon as every bank may, then tRFC for all."""
        cdef Candidates candidates = self.candidates
        cdef Choice* columns = candidates.next_columns
        cdef int64_t due = self._refresh_due, start, last, precharge = -1
        cdef Bank* bank
        cdef int command, index
        while candidates.use_opened_rows():
            command = READ if sooner(&columns[READ], &columns[WRITE]) else WRITE
            self._issue_column(command, columns[command].time)
        start, last = max(due, candidates.bus.free_at), 0
        for index in range(candidates.count):  # a row may close by itself
            last = max(last, candidates.banks[index].precharge_at)
        for index in range(candidates.count):
            bank = &candidates.banks[index]
            if bank.row == CLOSED:
                start = max(start, bank.activate_at + self._delays.activate_lead)
            else:
                precharge = max(last, start)
                self.counters.precharges += 1
        if precharge >= 0:
            start = max(start, precharge + self._delays.precharge_all)
            if self.log.on:
                self.log.add(precharge, PRECHARGE_ALL, EVERY_BANK, NO_ROW)
        self.counters.refreshes += 1
        self._refresh_due = due + self._delays.refresh_interval
        if not self.entries.waiting[READ] and not self.entries.waiting[WRITE]:
            start = max(start, self._skip_idle_refreshes(until))
        self.log.refresh(start)
        for index in range(candidates.count):
            close_row(&candidates.banks[index], start + self._delays.refresh)
        candidates.serve(candidates.mode)
        return 0

    cdef int64_t _skip_idle_refreshes(self, int64_t until) except -1:
        """Count the refreshes of an idle stretch at once; return the time of the last."""
        cdef int64_t interval = self._delays.refresh_interval, missed = 0
        if self._refresh_due <= until:
            missed = (until - self._refresh_due) // interval + 1
        self.counters.refreshes += missed
        self._refresh_due += missed * interval
        return self._refresh_due - interval

    # -- waking -----------------------------------------------------------------------------

    cdef int64_t wake_at(self) noexcept:
        """Latest time in ps to call ``advance`` so that no answer falls due unseen."""
        return self._outlook.wake_at(self._refresh_due)

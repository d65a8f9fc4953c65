# A DRAM channel: the server in front of the scheduler; as ``tlm.hardware.dram.channel``.


cdef class Controller(Server):
    """A channel that decides late, whoever its requests come from.

    It runs at arrivals and when an answer could fall due, not at every command.
    """

    cdef readonly Scheduler scheduler
    cdef readonly object timing
    cdef readonly int64_t late  # answers given after they were due: a fault if not 0
    cdef EventQueue _queue
    cdef int64_t _clock_ps, _wake_at

    def __init__(self, env, timing, policy):
        self.timing = timing
        self.scheduler = Scheduler(timing, policy or DramPolicy())
        self._queue = env.events
        self._clock_ps, self._wake_at = timing.tck_ps, NEVER

    @property
    def counters(self):
        """Counts up to the last event; ``settle`` first for counts up to now."""
        return dram_counters(&self.scheduler.counters)

    @property
    def bytes_read(self):
        """Bytes of answered read transactions."""
        return self.scheduler.counters.nbytes[READ]

    @property
    def bytes_written(self):
        """Bytes of write transactions whose last WR was issued."""
        return self.scheduler.counters.nbytes[WRITE]

    @property
    def busy_ps(self):
        """Time the data bus carried data."""
        return self.counters.busy_ps

    @property
    def waiting(self):
        """Bursts not yet served and requests not yet accepted."""
        cdef Candidates candidates = self.scheduler.candidates
        cdef const Entries* entries = &self.scheduler.entries
        cdef const Request* blocked = entries.blocked
        cdef int64_t count = entries.waiting[READ] + entries.waiting[WRITE]
        cdef int index
        for index in range(candidates.count):
            count += candidates.banks[index].opened_for >= 0
        while blocked is not NULL:
            count += 1
            blocked = blocked.next
        return count

    def settle(self):
        """Bring counters, idle refreshes included, up to the present time."""
        self.scheduler.advance(self._queue.now)

    cdef int take(
        self, void* owner, int command, int64_t address, int64_t nbytes
    ) except -1:
        """A request has arrived."""
        cdef Scheduler scheduler = self.scheduler
        cdef int64_t now = self._queue.now, late = now % self._clock_ps, soonest
        cdef Request* request
        if now >= self._wake_at:
            self._wake_at = NEVER
        scheduler.advance(now)
        request = new_request(&scheduler.spare)
        request.owner, request.command = owner, WRITE if command else READ
        request.address, request.nbytes = address, nbytes
        soonest = scheduler.offer(request, now + self._clock_ps - late if late else now)
        if self._wake_at > soonest:
            scheduler.advance(now)
        return self._go_on(now, soonest)

    cdef int wake(self) except -1:
        cdef int64_t now = self._queue.now
        if now >= self._wake_at:
            self._wake_at = NEVER
        self.scheduler.advance(now)
        return self._go_on(now, now)

    cdef int _go_on(self, int64_t now, int64_t soonest) except -1:
        """Wake up when another answer could be due, and give those that are."""
        cdef int64_t due
        if self._wake_at > soonest:
            due = self.scheduler.wake_at()
            if due < self._wake_at:
                self._wake_at = due
                self._queue.call(self, due, NORMAL)
        if self.scheduler.finished.count:
            self._send(now)
        return 0

    cdef int _send(self, int64_t now) except -1:
        """Give each answer; its request may be used again."""
        cdef Answers* finished = &self.scheduler.finished
        cdef int index
        for index in range(finished.count):
            self.late += finished.at[index].time < now
            self.answer(finished.at[index].request, finished.at[index].time, now)
            spare_request(&self.scheduler.spare, finished.at[index].request)
        finished.count = 0
        return 0

    cdef int answer(self, const Request* request, int64_t time, int64_t now) except -1:
        """Answer a request at ``time``; now, if that is over."""
        raise NotImplementedError


@cython.final
cdef class DramChannel(Controller):
    """One channel with its controller, as ``tlm.hardware.dram.channel.DramChannel``.

    ``respond``, a server or a function, may not deliver to this same channel at once.

    Raises:
        ConfigError: the address map does not fit the device.
    """

    cdef readonly str name
    cdef Server _respond

    def __init__(self, env, timing, respond, policy=None, name="dram"):
        super().__init__(env, timing, policy)
        self.name = name
        self._respond = server_of(respond)
        self.scheduler.owns = True
        self._queue.add_holder(self)

    def release(self):
        """Let go of all transactions, when the run is over."""
        self.scheduler.release()

    @property
    def callbacks(self):
        """Where a transaction arrives."""
        return self

    def held(self):
        """The transactions that have arrived and are not answered, accepted or not."""
        cdef Candidates candidates = self.scheduler.candidates
        cdef const Request* blocked = self.scheduler.entries.blocked
        cdef const RowRun* run
        cdef int index, queue
        cdef list transactions = []
        while blocked is not NULL:
            transactions.append(<Transaction>blocked.owner)
            blocked = blocked.next
        for index in range(candidates.count):
            for queue in range(QUEUES):
                run = queue_of(&candidates.banks[index], queue).first
                while run is not NULL:
                    transactions.append(<Transaction>run.request.owner)
                    run = run.next
        return transactions

    cdef int receive(self, Transaction txn) except -1:
        Py_INCREF(txn)
        return self.take(<void*>txn, txn.command, txn.address, txn.nbytes)

    cdef int answer(self, const Request* request, int64_t time, int64_t now) except -1:
        cdef Transaction txn = <Transaction>request.owner
        Py_DECREF(txn)
        txn.end_req, txn.begin_resp = request.accepted, time
        if time <= now:
            return self._respond.receive(txn)
        return self._queue.deliver(self._respond, txn, time)


# Which banks have a DRAM command to issue, and which of these commands comes next; as
# ``tlm.hardware.dram.candidates``.

cdef int64_t OPENED = -NEVER  # added to the rank of a run whose row was opened for it


cdef void insert(Ranking* ranking, int64_t rank, Bank* bank) noexcept:
    """File a candidate by its rank; most come last."""
    cdef int index = ranking.count
    while index and ranking.at[index - 1].rank > rank:
        ranking.at[index] = ranking.at[index - 1]
        index -= 1
    ranking.at[index].rank, ranking.at[index].bank = rank, bank
    ranking.count += 1


cdef bint remove(Ranking* ranking, Bank* bank) noexcept:
    """Take a bank out; False if it was not in."""
    cdef int index
    for index in range(ranking.count):
        if ranking.at[index].bank is bank:
            ranking.count -= 1
            memmove(
                &ranking.at[index],
                &ranking.at[index + 1],
                (ranking.count - index) * sizeof(Candidate),
            )
            return True
    return False


@cython.final
cdef class Candidates:
    """The banks of a channel by the command they offer, in order of rank; all times in ps.

    ``mode``, ``next_columns``, ``next_row`` and ``stale`` are those of the reference.
    """

    cdef Bank* banks
    cdef int count
    cdef Bus bus
    cdef int mode
    cdef Ranking columns[2]
    cdef Ranking rows  # banks that want another row
    cdef Choice next_columns[2]
    cdef Choice next_row
    cdef bint stale[2]
    cdef bint rows_stale
    cdef bint _hits_first
    cdef Choice _idle

    def __cinit__(self, int count, int banks_per_group, bint hits_first):
        cdef int index
        self._hits_first = hits_first
        self.count = count
        self.banks = <Bank*>calloc(count, sizeof(Bank))
        self.columns[READ].at = <Candidate*>calloc(count, sizeof(Candidate))
        self.columns[WRITE].at = <Candidate*>calloc(count, sizeof(Candidate))
        self.rows.at = <Candidate*>calloc(count, sizeof(Candidate))
        if (
            self.banks is NULL
            or self.columns[READ].at is NULL
            or self.columns[WRITE].at is NULL
            or self.rows.at is NULL
        ):
            raise MemoryError
        for index in range(count):
            self.banks[index].index = index
            self.banks[index].group = index // banks_per_group
            self.banks[index].row = CLOSED
            self.banks[index].offer = self.banks[index].opened_for = -1
        self.bus = Bus(count // banks_per_group)
        self._idle.time, self._idle.candidate.rank = NEVER, 0
        self._idle.candidate.bank = self.banks
        self.next_columns[READ] = self.next_columns[WRITE] = self.next_row = self._idle

    def __dealloc__(self):
        free(self.banks)
        free(self.columns[READ].at)
        free(self.columns[WRITE].at)
        free(self.rows.at)

    cdef void choose(self) noexcept:
        """Bring ``next_columns`` and ``next_row`` up to date."""
        cdef int64_t free_at = self.bus.free_at
        cdef int command
        for command in range(2):
            if self.stale[command] or self.next_columns[command].time < free_at:
                self.stale[command] = False
                if self.columns[command].count:
                    self.next_columns[command] = self.bus.first_column(
                        &self.columns[command], command
                    )
                else:
                    self.next_columns[command] = self._idle
        if self.rows_stale or self.next_row.time < free_at:
            self.rows_stale = False
            self.next_row = self.bus.first_row(&self.rows) if self.rows.count else self._idle

    # -- one bank ---------------------------------------------------------------------------

    cdef void add(self, RowRun* run, Bank* bank, int command) noexcept:
        """File a run as hit or miss of its bank; it may be an offer."""
        if run.row != bank.row:
            append_run(&bank.misses[command], run)
            if command == self.mode and bank.offer < 0:
                self._review_row(bank)
            return
        append_run(&bank.hits[command], run)
        if command == self.mode and bank.hits[command].first is run:
            insert(&self.columns[command], run.order, bank)
            self.stale[command] = True
            if self._hits_first:
                self._review_row(bank)

    cdef void opened(self, Bank* bank) noexcept:
        """A bank of the mode has been activated for its oldest run."""
        self._review_row(bank)
        insert(&self.columns[self.mode], OPENED + bank.hits[self.mode].first.order, bank)
        self.stale[self.mode] = True

    cdef void closed(self, Bank* bank) noexcept:
        """A bank has been precharged while runs of the mode wait: hits have become misses."""
        if remove(&self.columns[self.mode], bank):
            self.stale[self.mode] = True
        self._review_row(bank)

    cdef void used(self, Bank* bank, int command) noexcept:
        """A candidate's run has ended, or had the burst its row was opened for: what is next."""
        remove(&self.columns[command], bank)
        self.stale[command] = True
        if command == self.mode and bank.hits[command].first is not NULL:
            insert(&self.columns[command], bank.hits[command].first.order, bank)
        self._review_row(bank)

    cdef void _review_row(self, Bank* bank) noexcept:
        """Offer the command towards the row that a bank's oldest miss wants, or take it back."""
        cdef RowRun* miss = bank.misses[self.mode].first
        cdef int64_t offer = -1
        if (
            miss is not NULL
            and bank.opened_for < 0
            and not (self._hits_first and bank.hits[self.mode].first is not NULL)
        ):
            offer = miss.order
        if offer != bank.offer:
            if bank.offer >= 0:
                remove(&self.rows, bank)
            if offer >= 0:
                insert(&self.rows, offer, bank)
            bank.offer = offer
        elif offer < 0:
            return
        self.rows_stale = True

    # -- all banks --------------------------------------------------------------------------

    cdef void serve(self, int mode) noexcept:
        """Make ``mode`` the queue being served; rows opened for the other are still used."""
        cdef Bank* bank
        cdef int index
        self.mode = mode
        self._keep_opened()
        self.rows.count = 0
        self.rows_stale = True
        for index in range(self.count):
            bank = &self.banks[index]
            bank.offer = -1
            if bank.hits[mode].first is not NULL and bank.opened_for != mode:
                insert(&self.columns[mode], bank.hits[mode].first.order, bank)
            self._review_row(bank)

    cdef bint use_opened_rows(self) noexcept:
        """Leave only column commands for which rows were opened on purpose; False if none is."""
        self._keep_opened()
        self.choose()
        return self.columns[READ].count or self.columns[WRITE].count

    cdef void _keep_opened(self) noexcept:
        cdef int command, index
        for command in range(2):  # opened ones have the lowest ranks
            index = 0
            while index < self.columns[command].count and self.columns[command].at[index].rank < 0:
                index += 1
            self.columns[command].count = index
            self.stale[command] = True

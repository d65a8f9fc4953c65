# What the banks of a DRAM channel share: command and data bus, and limits on activates; as
# ``tlm.hardware.dram.bus``. Times in ps.

cdef enum:
    WINDOW = 4  # activates that tFAW looks back on


cdef struct Candidate:
    int64_t rank  # the lower the sooner
    Bank* bank


cdef struct Choice:
    int64_t time  # the earliest
    Candidate candidate


cdef struct Ranking:
    # Candidates in order of rank; there is room for every bank.
    Candidate* at
    int count


cdef inline bint sooner(const Choice* choice, const Choice* other) noexcept:
    """By time, then by rank; no two commands that are offered have both in common."""
    if choice.time != other.time:
        return choice.time < other.time
    return choice.candidate.rank < other.candidate.rank


@cython.final
cdef class Bus:
    """Earliest times in ps of the next RD, WR and ACT anywhere and within each bank group.

    ``free_at`` is when the command bus takes another command, of whatever kind.
    """

    cdef int64_t free_at
    cdef int64_t column_floor[2]
    cdef Delays _delays
    cdef int64_t* _column_group_floor[2]
    cdef int64_t _row_floor, _strobe_until
    cdef int64_t* _row_group_floor
    cdef int64_t _activates[WINDOW]  # the last four, for tFAW: a ring
    cdef int _oldest

    def __cinit__(self, int bank_groups):
        cdef int number
        for number in range(2):
            self._column_group_floor[number] = <int64_t*>calloc(bank_groups, sizeof(int64_t))
            if self._column_group_floor[number] is NULL:
                raise MemoryError
        self._row_group_floor = <int64_t*>calloc(bank_groups, sizeof(int64_t))
        if self._row_group_floor is NULL:
            raise MemoryError
        for number in range(WINDOW):
            self._activates[number] = -NEVER

    def __dealloc__(self):
        free(self._column_group_floor[READ])
        free(self._column_group_floor[WRITE])
        free(self._row_group_floor)

    cdef void start(self, const Delays* delays) noexcept:
        self._delays = delays[0]
        self._strobe_until = -1 if delays.strobe_start else NEVER

    cdef Choice first_column(self, const Ranking* candidates, int command) noexcept:
        """The first legal column command; there must be a candidate."""
        cdef Choice choice
        cdef Bank* bank
        cdef int64_t time, started, floor = self.column_floor[command]
        cdef const int64_t* group_floor = self._column_group_floor[command]
        cdef int index
        if floor < self.free_at:
            floor = self.free_at
        choice.time, choice.candidate = NEVER, candidates.at[0]
        for index in range(candidates.count):
            bank = candidates.at[index].bank
            time = max(group_floor[bank.group], floor, bank.column_at)
            if time < choice.time:
                choice.time, choice.candidate = time, candidates.at[index]
                if time == floor:
                    break
        if choice.time > self._strobe_until:  # the strobe is started while the command waits
            started = self.free_at + self._delays.strobe_start
            if choice.time < started:
                choice.time = started
        return choice

    cdef Choice first_row(self, const Ranking* candidates) noexcept:
        """The first legal activate or precharge; there must be a candidate."""
        cdef Choice choice
        cdef Bank* bank
        cdef int64_t time
        cdef int index
        choice.time, choice.candidate = NEVER, candidates.at[0]
        for index in range(candidates.count):
            bank = candidates.at[index].bank
            if bank.row != CLOSED:
                time = bank.precharge_at
            else:
                time = max(self._row_group_floor[bank.group], self._row_floor, bank.activate_at)
            if time <= self.free_at:
                choice.time, choice.candidate = self.free_at, candidates.at[index]
                break
            if time < choice.time:
                choice.time, choice.candidate = time, candidates.at[index]
        return choice

    cdef void after_column(self, int group, int command, int64_t time) noexcept:
        """A RD or WR at ``time``: burst spacing for its kind, turn-around for the other."""
        cdef const Delays* delays = &self._delays
        cdef int other = 1 - command
        self.free_at = time + delays.column_clocks
        if delays.strobe_start:
            self._strobe_until = time + delays.strobe_held[command]
        self.column_floor[command] = time + delays.column
        self._column_group_floor[command][group] = time + delays.column_group
        self.column_floor[other] = max(self.column_floor[other], time + delays.turn[command])
        self._column_group_floor[other][group] = max(
            self._column_group_floor[other][group], time + delays.turn_group[command]
        )

    cdef void after_activate(self, int group, int64_t time) noexcept:
        """An ACT at ``time``: tRRD, and tFAW from the fourth last."""
        cdef const Delays* delays = &self._delays
        self.free_at = time + delays.activate_clocks
        self._row_group_floor[group] = time + delays.row_to_row_group
        self._activates[self._oldest] = time
        self._oldest = (self._oldest + 1) & (WINDOW - 1)
        self._row_floor = max(
            time + delays.row_to_row, self._activates[self._oldest] + delays.four_rows
        )

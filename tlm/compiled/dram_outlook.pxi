# How long a DRAM channel may leave its scheduler alone without missing an answer; as
# ``tlm.hardware.dram.outlook``.


@cython.final
cdef class Outlook:
    """Bounds on the commands to come, from the candidates and the queues as they are."""

    cdef Candidates _candidates
    cdef const Entries* _entries  # of the scheduler that has this outlook
    cdef const Delays* _delays

    cdef int64_t wake_at(self, int64_t refresh_due) noexcept:
        """Latest time in ps to advance the scheduler so that no answer falls due unseen."""
        cdef const Entries* entries = self._entries
        cdef const Delays* delays = self._delays
        cdef int64_t due = NEVER
        if entries.transactions[READ] or entries.blocked is not NULL:
            due = self._next_end(READ, refresh_due) + delays.answer[READ]
        if entries.transactions[WRITE] or entries.blocked_writes:
            due = min(due, self._next_end(WRITE, refresh_due) + delays.answer[WRITE])
        return due

    cdef int64_t _next_end(self, int command, int64_t refresh_due) noexcept:
        """Least time of a column command of this kind that ends a run."""
        cdef Candidates candidates = self._candidates
        cdef const Choice* choice = &candidates.next_columns[command]
        cdef const Ranking* columns = &candidates.columns[command]
        cdef int64_t row = candidates.next_row.time, column = choice.time
        cdef int64_t other = candidates.next_columns[1 - command].time, opens, end, gap
        cdef bint blocked = self._entries.blocked is not NULL
        if command != candidates.mode:  # served after a turn, which takes a command of the mode
            return min(column, max(min(row, other), candidates.bus.column_floor[command]))
        # An activate frees an entry, and what takes it may hit another open row at once.
        opens = row if blocked else row + self._delays.row_to_column
        gap = self._delays.column
        if (
            not columns.count
            or choice.candidate.rank != columns.at[0].rank
            or choice.candidate.rank < 0
            or column >= opens
            or gap != self._delays.column_group
        ):
            return min(column, opens)
        # The first candidate goes on undisturbed up to another command or the refresh.
        end = column + gap * (choice.candidate.bank.hits[command].first.left - 1)
        if blocked:  # a column command frees an entry, and a row is opened for what takes it
            end = min(end, column + self._delays.row_to_column)
        return max(column, min(end, row, other, refresh_due))

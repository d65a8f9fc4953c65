# The commands of a DRAM channel, written down in some intervals between two refreshes; as
# ``tlm.hardware.dram.commands``.

cdef enum:  # as in ``DramCommand``, where RD and WR are 0 and 1
    ACTIVATE = 2
    PRECHARGE = 3
    PRECHARGE_ALL = 4
    REFRESH = 5
    EVERY_BANK = -1
    NO_ROW = -1

cdef int SPREAD_OF_INTERVALS = SPREAD
cdef tuple COMMANDS = tuple(DramCommand)


cdef struct Issued:
    int64_t time, row
    int command, bank


@cython.final
cdef class CommandLog:
    """A sample of the commands of a channel; ``intervals`` are made when they are asked for."""

    cdef bint on
    cdef Issued* _commands
    cdef Py_ssize_t _count, _room
    cdef list _starts  # of the intervals, in ``_commands``
    cdef int64_t _intervals

    def __cinit__(self):
        self.on = True
        self._intervals = 1
        self._starts = [0]

    def __dealloc__(self):
        free(self._commands)

    @property
    def intervals(self):
        """A list of ``IssuedCommand`` for each interval, not in order of time."""
        ends = [*self._starts[1:], self._count]
        return [
            [
                IssuedCommand(
                    self._commands[index].time,
                    COMMANDS[self._commands[index].command],
                    self._commands[index].bank,
                    self._commands[index].row,
                )
                for index in range(start, end)
            ]
            for start, end in zip(self._starts, ends)
        ]

    cdef int add(self, int64_t time, int command, int bank, int64_t row) except -1:
        """Write a command down."""
        cdef Issued* commands
        if self._count == self._room:
            commands = <Issued*>realloc(self._commands, (2 * self._room + 256) * sizeof(Issued))
            if commands is NULL:
                raise MemoryError
            self._commands, self._room = commands, 2 * self._room + 256
        commands = &self._commands[self._count]
        commands.time, commands.command, commands.bank, commands.row = time, command, bank, row
        self._count += 1
        return 0

    cdef int refresh(self, int64_t time) except -1:
        """A refresh at ``time``, with which an interval ends and another begins."""
        cdef int64_t count
        if self.on:
            self.add(time, REFRESH, EVERY_BANK, NO_ROW)
        self._intervals += 1
        count = self._intervals
        while count % SPREAD_OF_INTERVALS == 0:
            count //= SPREAD_OF_INTERVALS
        self.on = count == 1
        if self.on:
            self._starts.append(self._count)
            self.add(time, REFRESH, EVERY_BANK, NO_ROW)
        return 0

# One DRAM bank: its open row, when it may do what, and the bursts that wait for it; as
# ``tlm.hardware.dram.bank``. Times in ps.

cdef int64_t NEVER = <int64_t>1 << 62  # a time beyond every run (53 days)

cdef enum:
    READ = 0
    WRITE = 1
    CLOSED = -1  # the open row of a precharged bank


cdef struct Request:
    # What arrives: ``owner`` is whatever its sender knows it by, ``accepted`` the time of it in
    # ps, ``runs_left`` counts down the runs that its bursts are spread over.
    Request* next
    void* owner
    int64_t address, nbytes, bursts, accepted, runs_left
    int command


cdef struct RowRun:
    # Consecutive bursts of one request in one row; ``order`` is its place in order of acceptance.
    RowRun* next
    Request* request
    int64_t row, left, order


cdef struct Runs:
    RowRun* first
    RowRun* last


cdef struct Bank:
    # As the class of the reference; ``hits`` and ``misses`` by command.
    int64_t activate_at, column_at, precharge_at, offer, row
    int index, group, opened_for
    Runs hits[2]
    Runs misses[2]


cdef enum:
    QUEUES = 4  # of a bank


cdef inline Runs* queue_of(Bank* bank, int number) noexcept:
    """Hits of reads and of writes, then misses."""
    return &bank.hits[number] if number < 2 else &bank.misses[number - 2]


cdef inline void append_run(Runs* runs, RowRun* run) noexcept:
    run.next = NULL
    if runs.first is NULL:
        runs.first = run
    else:
        runs.last.next = run
    runs.last = run


cdef void open_row(Bank* bank, int64_t row, int command) noexcept:
    """Activate ``row`` for a run of ``command``; waiting runs become hits or misses of it."""
    bank.row = row
    bank.opened_for = command
    sort_runs(bank)


cdef void close_row(Bank* bank, int64_t activate_at) noexcept:
    """Precharge; the next activate is legal at ``activate_at`` or later."""
    bank.row = CLOSED
    bank.opened_for = -1
    if bank.activate_at < activate_at:
        bank.activate_at = activate_at
    if bank.hits[READ].first is not NULL or bank.hits[WRITE].first is not NULL:
        sort_runs(bank)


cdef void sort_runs(Bank* bank) noexcept:
    """Sort every waiting run into hits and misses of the present row, in order of acceptance."""
    cdef RowRun *hit
    cdef RowRun *miss
    cdef RowRun *run
    cdef int command
    for command in range(2):
        hit, miss = bank.hits[command].first, bank.misses[command].first
        bank.hits[command].first = bank.misses[command].first = NULL
        while hit is not NULL or miss is not NULL:
            if miss is NULL or (hit is not NULL and hit.order < miss.order):
                run, hit = hit, hit.next
            else:
                run, miss = miss, miss.next
            if run.row == bank.row:
                append_run(&bank.hits[command], run)
            else:
                append_run(&bank.misses[command], run)

# The memory of requests and runs, which are used again and again, and of the answers due.


cdef struct Spare:
    Request* requests
    RowRun* runs


cdef Request* new_request(Spare* spare) except NULL:
    """An arrival to be filled in."""
    cdef Request* request = spare.requests
    if request is not NULL:
        spare.requests = request.next
    else:
        request = <Request*>malloc(sizeof(Request))
        if request is NULL:
            raise MemoryError
    request.next, request.runs_left = NULL, 0
    return request


cdef RowRun* new_run(Spare* spare) except NULL:
    """A run to be filled in."""
    cdef RowRun* run = spare.runs
    if run is not NULL:
        spare.runs = run.next
        return run
    run = <RowRun*>malloc(sizeof(RowRun))
    if run is NULL:
        raise MemoryError
    return run


cdef inline void spare_request(Spare* spare, Request* request) noexcept:
    request.next = spare.requests
    spare.requests = request


cdef inline void spare_run(Spare* spare, RowRun* run) noexcept:
    run.next = spare.runs
    spare.runs = run


cdef void free_spare(Spare* spare) noexcept:
    cdef Request* request
    cdef RowRun* run
    while spare.requests is not NULL:
        request = spare.requests
        spare.requests = request.next
        free(request)
    while spare.runs is not NULL:
        run = spare.runs
        spare.runs = run.next
        free(run)


cdef Request* abandoned(Entries* entries, Candidates candidates, Spare* spare) noexcept:
    """Take out a request that has not been answered; NULL once there is none."""
    cdef Request* request = entries.blocked
    cdef Runs* runs
    cdef RowRun* run
    cdef int index, queue
    if request is not NULL:
        entries.blocked = request.next
        return request
    for index in range(candidates.count):
        for queue in range(QUEUES):
            runs = queue_of(&candidates.banks[index], queue)
            while runs.first is not NULL:
                run = runs.first
                runs.first, request = run.next, run.request
                spare_run(spare, run)
                request.runs_left -= 1
                if not request.runs_left:
                    return request
    return NULL


cdef struct Answer:
    int64_t time  # due at, in ps
    Request* request


cdef struct Answers:
    Answer* at
    int count, room


cdef int add_answer(Answers* answers, int64_t time, Request* request) except -1:
    cdef Answer* at
    if answers.count == answers.room:
        at = <Answer*>realloc(answers.at, (2 * answers.room + 16) * sizeof(Answer))
        if at is NULL:
            raise MemoryError
        answers.at, answers.room = at, 2 * answers.room + 16
    answers.at[answers.count].time, answers.at[answers.count].request = time, request
    answers.count += 1
    return 0

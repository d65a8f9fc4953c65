# The read and write queues of a DRAM controller: room, and who waits in front of them; as
# ``tlm.hardware.dram.queues``.


cdef struct Entries:
    # Counts are by command; ``blocked`` is a list from its first to its last.
    int64_t capacity[2]  # bursts
    int64_t waiting[2]  # bursts
    int64_t transactions[2]  # to which they belong
    int64_t blocked_writes
    Request* blocked
    Request* last_blocked


cdef inline int64_t missing(const Entries* entries, const Request* arrival) noexcept:
    """Entries that have to be freed before the arrival fits."""
    cdef int64_t taken = entries.waiting[arrival.command]
    return min(taken + arrival.bursts - entries.capacity[arrival.command], taken)


cdef bint admits(Entries* entries, Request* arrival) noexcept:
    """True if the arrival may enter now; otherwise it is kept waiting."""
    if entries.blocked is NULL:
        if missing(entries, arrival) <= 0:
            return True
        entries.blocked = arrival
    else:
        entries.last_blocked.next = arrival
    entries.last_blocked = arrival
    entries.blocked_writes += arrival.command
    return False


cdef Request* release(Entries* entries) noexcept:
    """The first waiting request if it fits by now, else NULL."""
    cdef Request* arrival = entries.blocked
    if arrival is NULL or missing(entries, arrival) > 0:
        return NULL
    entries.blocked_writes -= arrival.command
    entries.blocked = arrival.next
    return arrival

# What a DRAM channel counts; ``DramCounters`` says what.


cdef struct Counters:
    int64_t burst_ps, activates, precharges, refreshes, row_misses, queue_time_ps
    int64_t bursts[2]
    int64_t nbytes[2]


cdef object dram_counters(const Counters* counters):
    """The counts as they are now."""
    return DramCounters(
        burst_ps=counters.burst_ps,
        bursts=[counters.bursts[READ], counters.bursts[WRITE]],
        nbytes=[counters.nbytes[READ], counters.nbytes[WRITE]],
        activates=counters.activates,
        precharges=counters.precharges,
        refreshes=counters.refreshes,
        row_misses=counters.row_misses,
        queue_time_ps=counters.queue_time_ps,
    )

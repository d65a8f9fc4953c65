# Where packets enter: at most a flit per cycle and source.

cdef enum:
    SOURCE_TO_ARRIVAL = 2  # injection register and channel: cycles to the router's buffer
    LONGEST_RUN = 48  # flits a source sends at once: what fits in the ring


cdef int _inject(RouterFabric fabric, Slot* slot, int64_t cycle) except -1:
    """Sources send: a run of flits at a time, since nobody else uses their lanes."""
    cdef Source source
    cdef int index
    for index in range(slot.wakes.count):
        source = <Source>slot.wakes.items[index]
        if source.left:
            _send_body(fabric, source, cycle)
        else:
            _next_packet(fabric, source, cycle)
    slot.wakes.count = 0
    return 0


cdef int _next_packet(RouterFabric fabric, Source source, int64_t cycle) except -1:
    """Start the next packet on the first lane with room after the last one used."""
    cdef Slot* slot = &fabric._slots[(cycle + SOURCE_TO_ARRIVAL) % RING]
    cdef PyObject* packet
    cdef int step, index = source.last
    if source.queue.first is NULL:
        source.awake = False
        return 0
    for step in range(source.lane_count):
        index = index + 1 if index + 1 < source.lane_count else 0
        if source.lanes[index].credit:
            break
    else:
        return push(&fabric._slots[(cycle + 1) % RING].wakes, <void*>source)
    packet = take(&source.queue)
    source.lanes[index].credit -= 1
    push(&slot.heads, &source.lanes[index])
    push(&slot.packets, packet)
    fabric._stay_awake(cycle + SOURCE_TO_ARRIVAL)
    source.last = index
    source.left = (<Packet>packet).flits - 1
    return _send_body(fabric, source, cycle + 1)


cdef int _send_body(RouterFabric fabric, Source source, int64_t cycle) except -1:
    """Send as many flits as there are credits for, from ``cycle`` on; then look again."""
    cdef Lane* lane = &source.lanes[source.last]
    cdef int64_t run = min(<int64_t>source.left, lane.credit, <int64_t>LONGEST_RUN)
    cdef int64_t first = cycle + SOURCE_TO_ARRIVAL, wake = cycle + run, due
    lane.credit -= run
    source.left -= run
    for due in range(first, first + run):
        push(&fabric._slots[due % RING].arrivals, lane)
    if wake == fabric.cycle:  # not a credit: look again next cycle
        wake += 1
    push(&fabric._slots[wake % RING].wakes, <void*>source)
    if run:  # waiting for a credit keeps nobody awake: what sends the credit does
        fabric._stay_awake(first + run - 1)
    return 0

# Switch allocation: one iteration of iSLIP, as tlm.hardware.noc.router.switch has it.


cdef inline int _ahead(int index, int turn, int count) noexcept:
    """Steps from a round-robin pointer, at most ``count``, on to an index."""
    return index - turn if index >= turn else index - turn + count


cdef inline void _turn_past(Lane* bidder) noexcept:
    """Move the pointers of a bidder's ports behind it."""
    bidder.out.input_turn = bidder.port.index + 1
    bidder.port.output_turn = bidder.out.index + 1
    bidder.port.lane_turn = bidder.index + 1


cdef void _turn_past_bodies(Router* router, InputPort* port, OutputPort* out) noexcept:
    """Bring the pointers up to date that bulk sending did not move, of either port; NULL: of all."""
    cdef Lane* bidder
    cdef int index
    for index in range(router.bidders.count):
        bidder = <Lane*>router.bidders.items[index]
        if not bidder.head and (port is NULL or bidder.out == out or bidder.port == port):
            _turn_past(bidder)


cdef bint _has_room(OutputPort* out, int count) noexcept:
    """Whether any of an output's lanes is free and has a credit."""
    cdef int index
    for index in range(count):
        if not out.lanes[index].taken and out.lanes[index].credit:
            return True
    return False


cdef bint _still_asks(Router* router, Lane* lane) noexcept:
    """Whether a lane is among those that ask for an output lane."""
    cdef int index
    for index in range(router.asking.count):
        if router.asking.items[index] == lane:
            return True
    return False


cdef int _allocate_switch(RouterFabric fabric, Router* router) except -1:
    """Set the winners: the lanes granted the switch; moves the round-robin pointers.

    The hopeful ask for an output lane in this same cycle and bid on the guess that they get one.
    """
    cdef Lane* bidder
    cdef int index
    fabric._offers.count = fabric._winners.count = 0
    for index in range(router.bidders.count):
        bidder = <Lane*>router.bidders.items[index]
        if bidder.buffered and bidder.down.credit:
            _offer(fabric, router, bidder, False)
    for index in range(fabric._hopeful.count):
        _offer(fabric, router, <Lane*>fabric._hopeful.items[index], True)
    _accept(fabric, router)
    for index in range(fabric._winners.count):
        _turn_past(<Lane*>fabric._winners.items[index])
    return 0


cdef int _offer(RouterFabric fabric, Router* router, Lane* bidder, bint guess) except -1:
    """Let an output know of a bidder; it keeps the one that it would grant.

    That is the first input from its pointer on, and of this input a lane that does not guess, and
    the first from the input's pointer on.
    """
    cdef OutputPort* out = bidder.out
    cdef int count = fabric.mesh.vcs
    cdef int rank = 2 * _ahead(bidder.port.index, out.input_turn, router.input_count) + guess
    rank = rank * count + _ahead(bidder.index, bidder.port.lane_turn, count)
    if out.offered is NULL:
        push(&fabric._offers, out)
    elif rank > out.rank:
        return 0
    out.offered, out.rank = bidder, rank
    return 0


cdef int _accept(RouterFabric fabric, Router* router) except -1:
    """Accept at every input one of the outputs that grant it: the first from its pointer on."""
    cdef OutputPort* out
    cdef InputPort* port
    cdef Lane* other
    cdef int index, outputs = router.output_count
    for index in range(fabric._offers.count):
        out = <OutputPort*>fabric._offers.items[index]
        port = out.offered.port
        other = port.accepted
        if other is NULL:
            push(&fabric._winners, port)
        if other is NULL or (
            _ahead(out.index, port.output_turn, outputs)
            < _ahead(other.out.index, port.output_turn, outputs)
        ):
            port.accepted = out.offered
        out.offered = NULL
    for index in range(fabric._winners.count):  # inputs so far, in the order of their first grant
        port = <InputPort*>fabric._winners.items[index]
        fabric._winners.items[index] = port.accepted
        port.accepted = NULL
    return 0

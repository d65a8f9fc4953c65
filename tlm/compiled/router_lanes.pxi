# VC allocation: one iteration of iSLIP, as tlm.hardware.noc.router.lanes has it.


cdef int _allocate_lanes(RouterFabric fabric, Router* router) except -1:
    """Match the packets that ask in this cycle with free lanes; adds to the grants."""
    cdef Lane* asker
    cdef Lane* lane
    cdef int index
    for index in range(router.asking.count):
        asker = <Lane*>router.asking.items[index]
        if not asker.out.free or asker.out.matched == fabric.cycle:
            continue
        asker.out.matched = fabric.cycle
        if _rivals(router, index):
            _match(fabric, router, index)
            continue
        lane = _first_free(asker, fabric.mesh.vcs)
        if lane is not NULL:
            _take(fabric, asker, lane)
    return 0


cdef bint _rivals(Router* router, int first) noexcept:
    """Whether somebody behind an asker asks for the same output."""
    cdef OutputPort* out = (<Lane*>router.asking.items[first]).out
    cdef int index
    for index in range(first + 1, router.asking.count):
        if (<Lane*>router.asking.items[index]).out == out:
            return True
    return False


cdef Lane* _first_free(Lane* asker, int count) noexcept:
    """The first free lane from the asker's pointer on."""
    cdef int start = _start(asker, count), index
    for index in range(start, start + count):
        if not asker.out.lanes[index % count].taken:
            return &asker.out.lanes[index % count]
    return NULL


cdef int _match(RouterFabric fabric, Router* router, int first) except -1:
    """Grant and accept between the askers of one output, from the first on, and its free lanes."""
    cdef OutputPort* out = (<Lane*>router.asking.items[first]).out
    cdef int count = fabric.mesh.vcs, index
    for index in range(count):
        out.lanes[index].granted = _nearest_asker(router, first, &out.lanes[index], count)
    for index in range(count):
        if out.lanes[index].granted is not NULL:
            _accept_lane(fabric, out, index)
    return 0


cdef Lane* _nearest_asker(Router* router, int first, Lane* lane, int vcs) noexcept:
    """To whom a free lane is granted: the first asker from its pointer on; NULL if it is taken."""
    cdef int size = router.input_count * vcs, nearest = size, index, distance
    cdef OutputPort* out = (<Lane*>router.asking.items[first]).out
    cdef Lane* asker
    cdef Lane* best = NULL
    if lane.taken:
        return NULL
    for index in range(first, router.asking.count):
        asker = <Lane*>router.asking.items[index]
        if asker.out == out:
            distance = _ahead(asker.number, lane.owner_turn, size)
            if distance < nearest:
                best, nearest = asker, distance
    return best


cdef int _accept_lane(RouterFabric fabric, OutputPort* out, int first) except -1:
    """The asker of the first lane granted to it takes the nearest of all that are."""
    cdef int count = fabric.mesh.vcs, nearest = count, index, distance, start
    cdef Lane* asker = out.lanes[first].granted
    cdef Lane* best = NULL
    start = _start(asker, count)
    for index in range(first, count):
        if out.lanes[index].granted == asker:
            out.lanes[index].granted = NULL
            distance = _ahead(index, start, count)
            if distance < nearest:
                best, nearest = &out.lanes[index], distance
    return _take(fabric, asker, best)


cdef inline int _start(Lane* asker, int count) noexcept:
    """Where the asker's pointer, which runs over the lanes of all outputs, enters this output."""
    cdef int start = asker.turn - asker.out.index * count
    return start if 0 < start < count else 0


cdef int _take(RouterFabric fabric, Lane* asker, Lane* lane) except -1:
    lane.taken = True
    asker.out.free -= 1
    lane.owner_turn = asker.number + 1
    asker.turn = asker.out.index * fabric.mesh.vcs + lane.index + 1
    asker.down = lane
    return push(&fabric._grants, asker)

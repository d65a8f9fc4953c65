"""The parts of a virtual-channel router; what they are for stands in tlm.hardware.noc.router.parts.

What a cycle touches is a struct, what Python sees of it an object. A mesh owns the structs.
"""

from cpython.ref cimport PyObject
from libc.stdint cimport int64_t
from libc.stdlib cimport realloc


cdef class Packet:
    cdef readonly int target, flits
    cdef readonly int64_t created
    cdef readonly object payload
    cdef PyObject* behind  # the next packet of the queue it is in, at most one


cdef struct PacketQueue:  # owns a reference to each of its packets
    PyObject* first
    PyObject* last


cdef class Port:
    cdef readonly str name
    cdef readonly int node, terminal
    cdef readonly int64_t flits, packets


cdef class Source(Port):
    cdef PacketQueue queue
    cdef Lane* lanes
    cdef int lane_count, last, left
    cdef bint awake


cdef struct Pointers:  # an array that grows, in order of insertion
    void** items
    int count, room


cdef struct InputPort:
    Router* router
    Lane* lanes
    int index, users, lane_turn, output_turn
    Lane* accepted  # by the switch allocator, while it works


cdef struct OutputPort:
    Lane* lanes
    PyObject* port  # its name and what it has carried: borrowed from the mesh
    int index, terminal, users, input_turn, free
    Lane* offered  # to the switch allocator, while it works
    int rank  # of that offer
    int64_t matched  # the cycle in which its lanes were matched last


cdef struct Lane:
    InputPort* port
    OutputPort* out
    Lane* down
    PyObject* packet  # at the front, an owned reference; NULL: none
    PacketQueue queue
    int64_t credit, buffered
    int index, number, left, turn, owner_turn
    bint taken, head
    Lane* granted  # the asker that the VC allocator grants it to, while it works


cdef struct Member:  # of a list of routers
    Router* router
    Member* before
    Member* after


cdef struct Members:
    Member* first
    Member* last


cdef struct Router:
    int node, x, y
    InputPort** inputs
    OutputPort** outputs
    int input_count, output_count
    OutputPort* exits[4]  # by direction
    Pointers bidders, asking  # lanes
    int contested
    Member in_bidding, in_asking


cdef int put(PacketQueue* queue, PyObject* packet) except -1
cdef PyObject* take(PacketQueue* queue) noexcept
cdef void drop(PacketQueue* queue) noexcept


cdef inline int push(Pointers* array, void* item) except -1:
    """Append an item."""
    cdef int room
    cdef void** items
    if array.count == array.room:
        room = 2 * array.room if array.room else 8
        items = <void**>realloc(array.items, room * sizeof(void*))
        if items is NULL:
            raise MemoryError
        array.items, array.room = items, room
    array.items[array.count] = item
    array.count += 1
    return 0


cdef inline void remove(Pointers* array, void* item) noexcept:
    """Take out an item that is there; the others keep their order."""
    cdef int index = 0
    while array.items[index] != item:
        index += 1
    array.count -= 1
    while index < array.count:
        array.items[index] = array.items[index + 1]
        index += 1


cdef inline void enter(Members* members, Member* member) noexcept:
    """Append a router that is not yet a member."""
    member.before, member.after = members.last, NULL
    if members.last is NULL:
        members.first = member
    else:
        members.last.after = member
    members.last = member


cdef inline void leave(Members* members, Member* member) noexcept:
    """Take out a router; the others keep their order."""
    if member.before is NULL:
        members.first = member.after
    else:
        member.before.after = member.after
    if member.after is NULL:
        members.last = member.before
    else:
        member.after.before = member.before

from libc.stdint cimport int64_t

from tlm.compiled.router_mesh cimport RouterMesh
from tlm.compiled.router_parts cimport Lane, Members, Packet, Pointers, Router

cdef enum:
    RING = 64


cdef struct Slot:  # what is due in a cycle
    Pointers credits, arrivals, asks  # lanes
    Pointers heads, packets  # lanes, and the packet of each: an owned reference
    Pointers wakes  # sources: borrowed from the mesh


cdef class RouterFabric:
    cdef readonly RouterMesh mesh
    cdef readonly object deliver
    cdef readonly int64_t in_flight, cycle, busy_until
    cdef bint _speculative
    cdef int _route_delay
    cdef Slot _slots[RING]
    cdef Members _asking, _bidding
    cdef Pointers _grants, _winners, _hopeful, _offers, _done  # lanes; outputs of _offers

    cpdef int send(self, Packet packet, int terminal) except -1
    cpdef int skip_to(self, int64_t cycle) except -1
    cpdef int step(self) except -1
    cdef int arrived(self, Packet packet, int terminal, int64_t cycle) except -1
    cdef void release(self) noexcept
    cdef void _stay_awake(self, int64_t cycle) noexcept
    cdef int _send_all(self, Router* router, int64_t cycle) except -1
    cdef int _send_flits(self, Pointers* winners, int64_t cycle) except -1
    cdef int _finish_all(self, int64_t cycle) except -1
    cdef int _speculate(self, int64_t cycle) except -1
    cdef int _guess(self, Router* router, int64_t cycle) except -1
    cdef int _receive_heads(self, Slot* slot, int64_t cycle) except -1
    cdef int _front(self, Lane* lane, int64_t cycle) except -1
    cdef int _collect_asks(self, Slot* slot) except -1
    cdef int _activate(self, int64_t cycle) except -1
    cdef int _finish(self, Lane* lane, int64_t cycle) except -1

from libc.stdint cimport int64_t

from tlm.compiled.queue cimport EventQueue
from tlm.compiled.server cimport Path, Server, Transaction


cdef class Network:
    cpdef int send(self, Transaction txn, int source) except -1
    cpdef Path path(self, int source, int target, deliver)


cdef class Crossing:
    cdef int64_t period_ps, cycles

    cdef int64_t seen_ps(self, int64_t given_ps) noexcept

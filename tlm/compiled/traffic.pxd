from libc.stdint cimport int64_t


cdef class Regions:
    cdef int64_t* _first
    cdef Py_ssize_t count

    cdef Py_ssize_t of(self, int64_t address) noexcept


cdef class Traffic:
    cdef readonly int64_t transactions, read_bytes, write_bytes, message_bytes
    cdef readonly int64_t read_bursts, write_bursts, router_flits, link_flits
    cdef Regions _regions
    cdef int64_t* _moved[2]

    cdef void move(self, int command, int64_t address, int64_t nbytes) noexcept

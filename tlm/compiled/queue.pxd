from cpython.ref cimport PyObject
from libc.stdint cimport int64_t, uint64_t

from tlm.compiled.server cimport Server, Transaction


cdef struct Entry:
    int64_t time
    uint64_t order  # priority, then order of scheduling
    PyObject* server  # NULL: a SimPy event
    PyObject* item  # the transaction; NULL: the server's own wake-up


cdef class EventQueue:
    cdef readonly int64_t now
    cdef list _holders
    cdef uint64_t _scheduled
    cdef Entry* _heap
    cdef Py_ssize_t _count, _room

    cdef int deliver(self, Server server, Transaction txn, int64_t time) except -1
    cdef int call(self, Server server, int64_t time, int priority) except -1
    cdef int add_holder(self, holder) except -1
    cdef int64_t next_time(self) noexcept
    cdef int _push(self, int64_t time, int priority, PyObject* server, PyObject* item) except -1
    cdef int _step(self) except -1
    cdef int _grow(self) except -1
    cdef int _drop(self) except -1
    cdef void _sink(self, Entry entry) noexcept

from cpython.ref cimport PyObject
from libc.stdint cimport int64_t, uint64_t

from tlm.compiled.server cimport Server, Transaction

cdef enum:
    SLOT_SHIFT = 10  # a slot of the wheel is 1,024 ps long
    SLOTS = 1024
    WORDS = 16  # of 64 slots each


cdef struct Entry:
    int64_t time
    uint64_t order  # priority, then order of scheduling
    PyObject* server  # NULL: a SimPy event
    PyObject* item  # the transaction; NULL: the server's own wake-up


cdef struct Node:  # an entry of a slot
    Entry entry
    Node* next


cdef struct Slot:
    Node* first
    Node* last


cdef struct Wheel:
    Slot slots[SLOTS]
    uint64_t busy[WORDS]  # a bit for each slot that holds something
    Py_ssize_t count
    Node* spare


cdef class EventQueue:
    cdef readonly int64_t now
    cdef list _holders
    cdef uint64_t _scheduled
    cdef Wheel* _wheel
    cdef Entry* _heap
    cdef Py_ssize_t _count, _room  # of the heap

    cdef int deliver(self, Server server, Transaction txn, int64_t time) except -1
    cdef int call(self, Server server, int64_t time, int priority) except -1
    cdef int add_holder(self, holder) except -1
    cdef int64_t next_time(self) noexcept
    cdef int _push(self, int64_t time, int priority, PyObject* server, PyObject* item) except -1
    cdef bint _pop(self, Entry* top) noexcept
    cdef int _step(self) except -1
    cdef int _put_aside(self, const Entry* entry) except -1
    cdef int _drop(self) except -1
    cdef void _sink(self, Entry entry) noexcept

from libc.stdint cimport int64_t


cdef class PairCounts:
    cdef int64_t* _counts
    cdef Py_ssize_t _samples, _steps

    cdef int add(self, Py_ssize_t sample, Py_ssize_t step, int64_t count) except -1
    cdef int _make_room(self, Py_ssize_t samples, Py_ssize_t steps) except -1


cdef class Tally:
    cdef readonly int64_t begin, end, tiles, cycles
    cdef int64_t _slots, _executed, _dense, _useful
    cdef dict _energy
    cdef PairCounts _covered

    cdef int add(self, tile, int64_t cycles, int64_t now) except -1

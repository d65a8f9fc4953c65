cimport cython
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint32_t


cdef packed struct TransactionRow:
    uint32_t ident
    int64_t begin_req, end_req, begin_resp, end_resp
    int16_t initiator, target
    uint8_t command, phase
    int16_t layer, sample, step
    uint32_t nbytes
    int64_t address


cdef packed struct ActivityRow:
    int16_t unit
    int64_t begin, end
    uint8_t what, phase
    int16_t layer, sample, samples, step, steps
    int32_t task


cdef class RowBuffer:
    cdef readonly str table
    cdef readonly object dtype
    cdef char* _rows
    cdef Py_ssize_t _count, _room, _size
    cdef Py_ssize_t _looked_at
    cdef object _planes, _chunk
    cdef Py_ssize_t _chunk_rows  # that they have room for

    cdef void _drop(self, Py_ssize_t count) noexcept
    cdef int _grow(self) except -1
    cdef int _refuse(self, str column, int64_t value, int64_t least, int64_t most) except -1

    # These two stand here to be inlined: they are called seven times a row.

    @cython.final
    cdef inline void* add(self) except NULL:
        """Room for one more row, to be filled in by the caller at once."""
        if self._count == self._room:
            self._grow()
        self._count += 1
        return self._rows + (self._count - 1) * self._size

    @cython.final
    cdef inline int require(
        self, str column, int64_t value, int64_t least, int64_t most
    ) except -1:
        """Refuse a value that its column cannot hold."""
        if not least <= value <= most:
            self._refuse(column, value, least, most)
        return 0

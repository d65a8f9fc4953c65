"""Rows of the trace's tables as they lie in the file, for as long as the writer has not taken them.

What ``tlm.trace.rows.RowList`` is for the model of SimPy: names, order and types of the columns are
those of ``tlm.space.trace_rows``.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memmove, memset

import numpy as np

from tlm.errors import TraceError

include "rows_chunk.pxi"


cdef class RowBuffer:
    """Rows of one ``table``, whose columns in the file are those of ``dtype``.

    The table is ``transactions`` or ``activity``; the model adds its rows in place.
    """

    def __init__(self, str table not None, dtype not None):
        self.table, self.dtype = table, dtype
        self._size = sizeof(TransactionRow) if table == "transactions" else sizeof(ActivityRow)
        if dtype.itemsize != self._size:
            raise ValueError(f"rows of {table} take {self._size} bytes, not {dtype.itemsize}")

    def __dealloc__(self):
        free(self._rows)

    def __len__(self):
        return self._count

    def clear(self):
        """Drop all rows."""
        self._count = self._looked_at = 0

    def take(self, Py_ssize_t count):
        """Remove the first ``count`` rows and return them as an array."""
        if not 0 <= count <= self._count:
            raise IndexError(f"{count} of {self._count} rows of {self.table}")
        taken = np.empty(count, dtype=self.dtype)
        cdef char[::1] target = taken.view(np.uint8).view("i1") if count else None
        if count:
            memcpy(&target[0], self._rows, count * self._size)
        self._drop(count)
        return taken

    def take_chunk(self, Py_ssize_t count):
        """Remove the first ``count`` rows and return them as a chunk of the file.

        It is valid until the next one is taken.
        """
        if not 1 <= count <= min(self._count, MOST):
            raise IndexError(f"{count} of {self._count} rows of {self.table}")
        if self._chunk_rows < count:  # kept: the memory of a chunk is dear to get
            self._planes = np.empty(count * self._size, dtype=np.uint8)
            self._chunk = np.empty((count + BESIDE) * (self._size + 1), dtype=np.uint8)
            self._chunk_rows = count
        cdef uint8_t[::1] planes = self._planes, chunk = self._chunk
        cdef Py_ssize_t length = write_chunk(
            <const uint8_t*>self._rows, count, self._size, &planes[0], &chunk[0]
        )
        self._drop(count)
        return self._chunk[:length]

    cdef void _drop(self, Py_ssize_t count) noexcept:
        self._count -= count
        memmove(self._rows, self._rows + count * self._size, self._count * self._size)
        self._looked_at -= min(count, self._looked_at)

    def keep_window(self, str first, str last, int64_t begin_ps, int64_t end_ps):
        """Drop the new rows that end before a window or begin after it."""
        known, rows = self._looked_at, self.take(self._count)
        new = rows[known:]
        kept = new[(new[first] < end_ps) & (new[last] > begin_ps)]
        self.extend(rows[:known])
        self.extend(kept)
        self._looked_at = self._count

    def extend(self, rows):
        """Add the rows of an array."""
        cdef const char[::1] source
        if len(rows):
            source = np.ascontiguousarray(rows).view(np.uint8).view("i1")
            while self._room < self._count + len(rows):
                self._grow()
            memcpy(self._rows + self._count * self._size, &source[0], len(rows) * self._size)
            self._count += len(rows)

    cdef int _grow(self) except -1:
        cdef Py_ssize_t room = 2 * self._room if self._room else 4096
        cdef char* rows = <char*>realloc(self._rows, room * self._size + LANES)
        if rows is NULL:
            raise MemoryError
        self._rows, self._room = rows, room
        return 0

    cdef int _refuse(self, str column, int64_t value, int64_t least, int64_t most) except -1:
        raise TraceError(
            f"trace {self.table}: {column} = {value} does not fit its column "
            f"({least} to {most}); switch the trace off for this job"
        )

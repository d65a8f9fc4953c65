"""What transactions moved, as ``tlm.hardware.core.dma.Traffic`` counts it."""

from collections import Counter

from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free, malloc


cdef class Regions:
    """The first addresses of the regions that bytes are counted by, in ascending order."""

    def __cinit__(self, first not None):
        cdef Py_ssize_t index
        self.count = len(first)
        self._first = <int64_t*>malloc(max(1, self.count) * sizeof(int64_t))
        if self._first is NULL:
            raise MemoryError
        for index in range(self.count):
            self._first[index] = first[index]

    def __dealloc__(self):
        free(self._first)

    cdef Py_ssize_t of(self, int64_t address) noexcept:
        """The number of an address's region; -1 before the first."""
        cdef Py_ssize_t low = 0, high = self.count, middle
        while low < high:
            middle = (low + high) // 2
            if address < self._first[middle]:
                high = middle
            else:
                low = middle + 1
        return low - 1


cdef class Traffic:
    """What the transactions of one (phase, layer) moved."""

    def __cinit__(self, Regions regions not None):
        self._regions = regions
        for command in range(2):  # one place more, in front, for what lies before all regions
            self._moved[command] = <int64_t*>calloc(regions.count + 1, sizeof(int64_t))
            if self._moved[command] is NULL:
                raise MemoryError

    def __dealloc__(self):
        free(self._moved[0])
        free(self._moved[1])

    cdef void move(self, int command, int64_t address, int64_t nbytes) noexcept:
        """Bytes at an address have been read (command 0) or written (1)."""
        self._moved[command][self._regions.of(address) + 1] += nbytes

    @property
    def read_regions(self):
        """Bytes read by region of addresses."""
        return self._by_region(0)

    @property
    def written_regions(self):
        """Bytes written by region of addresses."""
        return self._by_region(1)

    def _by_region(self, int command):
        moved = Counter()
        for index in range(self._regions.count + 1):
            if self._moved[command][index]:
                moved[index - 1] = self._moved[command][index]
        return moved


class TrafficTable(dict):
    """Traffic by (phase, layer); what moved nothing is there when it is asked for."""

    def __missing__(self, key):
        traffic = self[key] = Traffic(Regions(()))
        return traffic

from libc.stdint cimport int64_t

from tlm.compiled.router_parts cimport InputPort, Lane, OutputPort, Router


cdef class RouterMesh:
    cdef readonly object shape
    cdef readonly str prefix
    cdef readonly int columns
    cdef readonly list node_of  # by terminal
    cdef readonly list sources  # Source by terminal
    cdef list _ports  # Port by node and output
    cdef int vcs, vc_buffer
    cdef bint _y_first, _adaptive
    cdef Router* routers
    cdef readonly int router_count
    cdef OutputPort** _ejections  # by terminal
    cdef int* _nodes  # by terminal

    cdef void release(self) noexcept
    cdef void _release_lanes(self, Lane* lanes) noexcept
    cdef void _free_lanes(self, Lane* lanes) noexcept
    cdef int64_t _credits(self, OutputPort* out) noexcept

    cdef OutputPort* way(self, Router* router, int target) noexcept
    cdef OutputPort* _add_output(self, int node, str name, int terminal) except NULL
    cdef InputPort* _add_input(self, int node) except NULL

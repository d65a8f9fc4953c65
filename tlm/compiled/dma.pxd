from libc.stdint cimport int64_t

from tlm.compiled.network cimport Network
from tlm.compiled.queue cimport EventQueue
from tlm.compiled.rows cimport RowBuffer
from tlm.compiled.server cimport Done, Path, Server, Transaction
from tlm.compiled.traffic cimport Regions, Traffic


cdef class Idents:
    cdef int64_t given


cdef class Way:
    cdef int terminal, unit
    cdef int64_t hops
    cdef Path request, response


cdef class Transfer:
    cdef readonly Dma dma
    cdef int phase, layer, sample, step
    cdef Traffic traffic
    cdef Done done
    cdef tuple arrivals


cdef class Packets:
    cdef int command
    cdef Way way
    cdef int64_t begin, end
    cdef Transfer transfer


cdef class Dma(Server):
    cdef readonly object env, network, split, packet_format, socket
    cdef readonly int terminal, unit
    cdef readonly int64_t window, outstanding, delivered_bytes
    cdef EventQueue events
    cdef Network _network
    cdef RowBuffer rows
    cdef Idents _idents
    cdef object traffic
    cdef Regions regions
    cdef list _to_channel, _to_core, _channels, _cores
    cdef int64_t _interleave, _channel_count, _payload, _burst, _header, _flit
    cdef int _first_channel
    cdef Done idle
    cdef object _packets
    cdef int64_t _queued
    cdef Server _delivery

    cdef Done fetch(self, tile)
    cdef Done hand_over(self, tile, list messages, tuple saves)
    cdef Done drained(self)
    cdef int close(self, Transaction txn) except -1
    cdef int deliver(self, Transaction txn) except -1
    cdef int answered(self, Transaction txn) except -1
    cdef int64_t _count(self, tuple extents) except -1
    cdef int _access(self, int command, tuple extents, Transfer transfer) except -1
    cdef int _post(self, message, Transfer transfer) except -1
    cdef int _issue(self) except -1
    cdef int64_t _cut(self, int64_t begin, int64_t end) noexcept
    cdef int _send(self, Packets packets) except -1
    cdef int64_t _flits(self, int64_t nbytes) noexcept
    cdef int64_t _packets_of(self, int64_t nbytes) noexcept
    cdef int64_t _channel_of(self, int64_t address) noexcept
    cdef int64_t _within_channel(self, int64_t address) noexcept
    cdef Traffic _traffic(self, tile)
    cdef Transfer _transfer(self, tile, Done done, tuple arrivals)
    cdef int _record(self, Transaction txn, Transfer transfer) except -1
    cdef Way _way_to_channel(self, Py_ssize_t number)
    cdef Way _way_to_core(self, Py_ssize_t number)

"""Packets, and the ports through which they enter, pass and leave a mesh of routers."""

cimport cython
from cpython.ref cimport Py_XDECREF, Py_XINCREF, PyObject
from libc.stdint cimport int64_t


@cython.freelist(256)
@cython.no_gc  # what holds packets are structs, of which the collector knows nothing
cdef class Packet:
    """A packet in the fabric, as ``tlm.hardware.noc.router.parts.Packet``."""

    def __cinit__(self, int target, int flits, int64_t created, object payload):
        self.target, self.flits, self.created, self.payload = target, flits, created, payload


cdef class Port:
    """What a channel or a terminal's port at a node has carried; ``terminal`` is -1 of channels."""

    def __init__(self, str name not None, int node, int terminal):
        self.name, self.node, self.terminal = name, node, terminal


cdef class Source(Port):
    """Where a terminal's packets enter: sends one packet after another, one flit per cycle."""

    def __dealloc__(self):
        drop(&self.queue)


cdef int put(PacketQueue* queue, PyObject* packet) except -1:
    """Append a packet to a queue."""
    Py_XINCREF(packet)
    (<Packet>packet).behind = NULL
    if queue.first is NULL:
        queue.first = packet
    else:
        (<Packet>queue.last).behind = packet
    queue.last = packet
    return 0


cdef PyObject* take(PacketQueue* queue) noexcept:
    """The first packet, with the queue's reference to it; NULL if there is none."""
    cdef PyObject* packet = queue.first
    if packet is not NULL:
        queue.first = (<Packet>packet).behind
    return packet


cdef void drop(PacketQueue* queue) noexcept:
    """Let go of all packets."""
    cdef PyObject* packet = take(queue)
    while packet is not NULL:
        Py_XDECREF(packet)
        packet = take(queue)

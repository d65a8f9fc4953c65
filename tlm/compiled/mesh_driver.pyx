"""Drives a stand-alone mesh with synthetic traffic, as ``tlm.hardware.noc.driver`` does."""

from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free, realloc

from tlm.compiled.network cimport Network
from tlm.compiled.queue cimport EventQueue
from tlm.compiled.router_fabric cimport RouterFabric
from tlm.compiled.router_parts cimport Packet
from tlm.compiled.server cimport Path, Server, Transaction, new_transaction

from tlm.compiled.environment import CompiledEnvironment
from tlm.compiled.packet_mesh import PacketNetwork
from tlm.compiled.router_mesh import RouterMesh
from tlm.hardware.noc.driver import BATCHES, chip_settings

cdef enum:
    PARTS = 8
assert PARTS == BATCHES


cdef struct Latencies:  # an array that grows
    int64_t* cycles
    Py_ssize_t count, room


cdef class Meter:
    """Collects deliveries of packets, as the reference's meter; arrays are lists when asked for."""

    cdef readonly int64_t begin, end
    cdef Py_ssize_t count  # of latencies
    cdef Latencies _parts[PARTS]
    cdef int64_t* _packets  # accepted in the window, by terminal
    cdef list _terminals  # in the order of their first of these

    def __init__(self, int64_t begin, int64_t end, int terminals):
        self.begin, self.end, self._terminals = begin, end, []
        self._packets = <int64_t*>calloc(terminals, sizeof(int64_t))
        if self._packets is NULL:
            raise MemoryError

    def __dealloc__(self):
        for part in range(PARTS):
            free(self._parts[part].cycles)
        free(self._packets)

    cdef int note(self, int64_t created, int terminal, int64_t cycle) except -1:
        """A packet's tail arrives at a terminal in ``cycle``."""
        if self.begin <= created < self.end:
            part = (created - self.begin) * PARTS // (self.end - self.begin)
            _append(&self._parts[part], cycle - created)
            self.count += 1
        if self.begin <= cycle < self.end:
            if not self._packets[terminal]:
                self._terminals.append(terminal)
            self._packets[terminal] += 1
        return 0

    @property
    def latencies(self):
        """Of all packets generated in the window, by its parts."""
        return [cycles for part in self.parts for cycles in part]

    @property
    def parts(self):
        """The same, of each part of the window."""
        return [
            [self._parts[part].cycles[index] for index in range(self._parts[part].count)]
            for part in range(PARTS)
        ]

    @property
    def accepted(self):
        """Packets that arrived in the window, by terminal."""
        return {terminal: self._packets[<int>terminal] for terminal in self._terminals}


cdef int _append(Latencies* part, int64_t cycles) except -1:
    cdef Py_ssize_t room
    cdef int64_t* larger
    if part.count == part.room:
        room = 2 * part.room if part.room else 64
        larger = <int64_t*>realloc(part.cycles, room * sizeof(int64_t))
        if larger is NULL:
            raise MemoryError
        part.cycles, part.room = larger, room
    part.cycles[part.count] = cycles
    part.count += 1
    return 0


cdef class Feed(Server):
    """Sends a pattern's packets in their cycles, until those of the window have arrived.

    ``expected`` of them were generated in the window.
    """

    cdef readonly Meter meter
    cdef readonly int64_t expected
    cdef int64_t last
    cdef int flits
    cdef object batches
    cdef Py_ssize_t[:] cycles, sources, targets
    cdef Py_ssize_t index

    def __init__(self, traffic, run):
        self.meter = Meter(run.warmup, run.warmup + run.window, traffic.nodes)
        self.last = self.meter.end + run.drain
        self.flits = traffic.flits
        self.batches = traffic.batches(self.last)
        self._next_batch()

    cdef int _next_batch(self) except -1:
        self.cycles, self.sources, self.targets = next(self.batches)
        self.index = 0
        return 0

    cdef int64_t next_cycle(self) except -1:
        """The cycle of the next packet."""
        while self.index == self.cycles.shape[0]:
            self._next_batch()
        return self.cycles[self.index]

    cdef bint goes_on(self, int64_t cycle) noexcept:
        """Whether a packet of ``cycle``, which has come, is to be sent; counts it if it is."""
        if cycle >= self.meter.end:
            return self.meter.count != self.expected and cycle < self.last
        self.expected += cycle >= self.meter.begin
        return True


cdef class MeteredFabric(RouterFabric):
    """A fabric whose deliveries a meter notes."""

    cdef Meter meter

    cdef int arrived(self, Packet packet, int terminal, int64_t cycle) except -1:
        return self.meter.note(packet.created, terminal, cycle)


cdef class Arrivals(Server):
    """Where packets of the link models end: a meter notes them."""

    cdef Meter meter
    cdef EventQueue events
    cdef int64_t period_ps

    cdef int receive(self, Transaction txn) except -1:
        return self.meter.note(txn.begin_req, txn.target, self.events.now // self.period_ps)


cdef class LinkFeed(Feed):
    """A feed that the queue wakes when a packet is to be sent into a network of links."""

    cdef Network network
    cdef EventQueue events
    cdef Arrivals arrivals
    cdef dict paths  # by source and target
    cdef bint ended, over

    cdef int wake(self) except -1:
        cdef int64_t period = self.arrivals.period_ps, cycle
        self.over = self.ended
        while not self.ended:
            cycle = self.next_cycle()
            if cycle * period > self.events.now:
                return self.events.call(self, cycle * period, 1)
            if self.goes_on(cycle):
                self._send(cycle)
            else:  # others that are due at this time come first, as before the end of a process
                self.ended = True
                self.events.call(self, self.events.now, 1)
        return 0

    cdef int _send(self, int64_t cycle) except -1:
        cdef int source = self.sources[self.index], target = self.targets[self.index]
        cdef Transaction txn = new_transaction(0, 0, 0, 0, source, None)
        self.index += 1
        txn.begin_req, txn.target, txn.flits = cycle, target, self.flits
        txn.path = self.paths.get((source, target))
        if txn.path is None:
            txn.path = self.network.path(source, target, self.arrivals)
            self.paths[source, target] = txn.path
        return self.network.send(txn, source)


def drive_routers(traffic, shape, run):
    """Step the routers; returns the meter, packets generated in the window, and cycles run."""
    cdef Feed feed = Feed(traffic, run)
    cdef MeteredFabric fabric
    cdef int64_t cycle
    mesh = RouterMesh(traffic.columns, traffic.rows, shape)
    for node in range(traffic.nodes):
        mesh.attach(node, f"t{node:02d}")
    fabric = MeteredFabric(mesh)
    fabric.meter = feed.meter
    while True:
        cycle = feed.next_cycle()
        fabric.skip_to(cycle)
        if not feed.goes_on(cycle):
            return feed.meter, feed.expected, fabric.cycle
        packet = Packet(feed.targets[feed.index], feed.flits, cycle, None)
        fabric.send(packet, feed.sources[feed.index])
        feed.index += 1


def drive_links(traffic, shape, run, model):
    """The same with a server for each link, of a model without routers."""
    cdef LinkFeed feed = LinkFeed(traffic, run)
    env = CompiledEnvironment()
    mesh, noc = chip_settings(traffic, shape, model)
    feed.events, feed.network, feed.paths = env.events, PacketNetwork(env, mesh, noc), {}
    for node in range(traffic.nodes):
        feed.network.attach(node, f"t{node:02d}")
    feed.arrivals = Arrivals()
    feed.arrivals.meter, feed.arrivals.events = feed.meter, feed.events
    feed.arrivals.period_ps = noc.period_ps
    feed.wake()
    while not feed.over:
        feed.events._step()
    return feed.meter, feed.expected, feed.events.now // feed.arrivals.period_ps

"""The network of model ``packet`` and ``ideal``: a mesh of links, each with a busy-until time.

The same model as ``tlm.hardware.noc.packet_mesh``, which says what it is and what bounds it.
"""

from libc.stdint cimport int64_t

from tlm.compiled.network cimport Crossing, Network
from tlm.compiled.queue cimport EventQueue
from tlm.compiled.server cimport Path, Server, Transaction, next_server, server_of

from tlm.space.mesh_routes import DIRECTIONS, EAST, NORTH, SOUTH, WEST, channels, route
from tlm.space.packets import PacketFormat

_CLOCKWISE = (EAST, SOUTH, WEST, NORTH)  # the order of a node's links in all results


cdef class Link(Server):
    """One directed link between routers: a packet that arrives leaves for the next server."""

    cdef readonly str name
    cdef readonly int64_t flits, packets
    cdef int64_t free_at, period_ps, routing_ps
    cdef bint contended
    cdef EventQueue events

    def __init__(self, str name, PacketNetwork network):
        self.name = name
        self.period_ps = network.period_ps
        self.routing_ps = network.stages * network.period_ps
        self.contended = network.contended
        self.events = network.events

    cdef int64_t pass_on(self, Transaction txn) noexcept:
        """Carry a packet's flits, when they are free to go; the time in ps at which it starts."""
        cdef int64_t start = self.events.now + self.routing_ps
        if self.free_at > start and self.contended:
            start = self.free_at
        self.free_at = start + txn.flits * self.period_ps
        self.flits += txn.flits
        return start

    cdef int receive(self, Transaction txn) except -1:
        cdef int64_t start = self.pass_on(txn)
        return self.events.deliver(next_server(txn), txn, start + self.period_ps)


cdef class Ejection(Link):
    """The link to a terminal, where a packet has arrived only with its tail."""

    cdef Crossing leave

    cdef int receive(self, Transaction txn) except -1:
        self.pass_on(txn)
        self.packets += 1
        return self.events.deliver(next_server(txn), txn, self.leave.seen_ps(self.free_at))


cdef class Injection:
    """Where packets enter: a FIFO server whose arrivals are calls."""

    cdef readonly str name
    cdef readonly int64_t flits, packets
    cdef int64_t free_at
    cdef Crossing entry


cdef class Fork(Server):
    """Where the routes of a packet part: a copy of it for each branch."""

    cdef list branches
    cdef PacketNetwork network

    cdef int receive(self, Transaction txn) except -1:
        cdef Path branch
        self.network.copies += len(self.branches) - 1
        for branch in self.branches:
            branch.server.receive(txn.branch(branch.rest))
        return 0


cdef class PacketNetwork(Network):
    """The mesh: routes, links, and the ports where cores and DRAM channels attach.

    Life cycle: built; every terminal is attached to a node; then ``send`` at simulated times.
    """

    cdef readonly object env, mesh, packet_format
    cdef readonly int64_t period_ps, stages, synchroniser, copies
    cdef readonly bint contended
    cdef readonly dict links
    cdef readonly list ejections, injections, node_of
    cdef EventQueue events

    def __init__(self, env, mesh, noc):
        self.env = env
        self.events = env.events
        self.mesh = mesh
        self.period_ps = noc.period_ps
        self.stages = noc.router_stages
        self.synchroniser = noc.synchroniser
        self.contended = noc.model == "packet"
        self.packet_format = PacketFormat.of(noc)
        self.links, self.ejections, self.injections, self.node_of = {}, [], [], []
        for node, direction, _ in sorted(
            channels(mesh.columns, mesh.rows),
            key=lambda channel: (channel[0], _CLOCKWISE.index(channel[1])),
        ):
            name = DIRECTIONS[direction]
            self.links[node, name] = Link(f"n{node:02d}.{name}", self)

    @property
    def routers(self):
        """One at every node."""
        return self.mesh.columns * self.mesh.rows

    def attach(self, int node, str name, bint responds=False, int64_t clock_ps=0):
        """Give a core or DRAM channel its ports at a node; returns its terminal number."""
        cdef int64_t stages = self.synchroniser if clock_ps else 0
        cdef Injection injection = Injection()
        cdef Ejection ejection = Ejection(f"{name}.eject", self)
        injection.name = f"{name}.inject"
        injection.entry = Crossing(self.period_ps, stages)
        ejection.leave = Crossing(clock_ps, stages)
        self.injections.append(injection)
        self.ejections.append(ejection)
        self.node_of.append(node)
        return len(self.node_of) - 1

    def hops(self, int source, *targets):
        """Mesh links from a terminal to all targets, each counted once."""
        return len({link.name for target in targets for link in self._route(source, target)})

    cpdef Path path(self, int source, int target, deliver):
        """The servers a packet visits after injection, ending with ``deliver``."""
        cdef Path path = Path(self.ejections[target], Path(server_of(deliver)))
        for link in reversed(self._route(source, target)):
            path = Path(link, path)
        return path

    def tree(self, int source, ends):
        """The path to several targets: at each a copy of the transaction ends with its own."""
        return self._merged([self.path(source, target, end) for target, end in ends.items()])

    cpdef int send(self, Transaction txn, int source) except -1:
        """Inject a packet now: its busy-until is applied at arrival, without an event of its own."""
        cdef Injection port = self.injections[source]
        cdef int64_t start = port.entry.seen_ps(self.events.now)
        if port.free_at > start and self.contended:
            start = port.free_at
        port.free_at = start + txn.flits * self.period_ps
        port.flits += txn.flits
        port.packets += 1
        return self.events.deliver(next_server(txn), txn, start + 2 * self.period_ps)

    @property
    def in_flight(self):
        """Packets injected, and copies of them, not yet through their ejection port."""
        sent = self.copies + sum(port.packets for port in self.injections)
        return sent - sum(port.packets for port in self.ejections)

    def all_links(self):
        """Mesh links, then injection, then ejection ports."""
        return [*self.links.values(), *self.injections, *self.ejections]

    def waits(self):
        """Nothing: buffers have no bounds, so nobody waits for room in one."""
        return ()

    def held(self):
        """Nothing: every packet has an event to come."""
        return ()

    def _route(self, int source, int target):
        steps = route("xy", self.mesh.columns, self.node_of[source], self.node_of[target])
        return [self.links[node, DIRECTIONS[direction]] for node, direction in steps]

    def _merged(self, list paths):
        """Several paths as one, with a fork where they part."""
        cdef Path path
        cdef Fork fork
        cdef dict rests = {}
        if len(paths) == 1:
            return paths[0]
        for path in paths:
            rests.setdefault(path.server, []).append(path.rest)
        branches = [Path(server, self._merged(parted)) for server, parted in rests.items()]
        if len(branches) == 1:
            return branches[0]
        fork = Fork()
        fork.branches, fork.network = branches, self
        return Path(fork)

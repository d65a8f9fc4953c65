"""The router network of a chip: two meshes of virtual-channel routers under the kernel's clock.

The same model as ``tlm.hardware.noc.router.network``, which says why there are two of them, and
when the clock's event comes.
"""

from libc.stdint cimport int64_t

from tlm.compiled.network cimport Crossing, Network
from tlm.compiled.queue cimport EventQueue
from tlm.compiled.router_fabric cimport RouterFabric
from tlm.compiled.router_mesh cimport RouterMesh
from tlm.compiled.router_parts cimport Packet
from tlm.compiled.server cimport Path, Server, Transaction, next_server, server_of

from tlm.compiled.router_waits import lane_waits, packets_by_lane
from tlm.hardware.noc.router.network import NETWORKS, REQUEST, RESPONSE
from tlm.hardware.noc.router.shape import RouterShape
from tlm.space.mesh_routes import distance
from tlm.space.packets import PacketFormat

cdef enum:
    LAST = 2  # the priority after those of all other events
    LONGEST_STRETCH = 8  # cycles in one kernel event: the kernel's watchdog sees only events


cdef class RouterPath(Path):
    """The way through one of the networks to ``targets``, and what is left of it at each."""

    cdef int network
    cdef list targets, ends


cdef class Entry(Server):
    """Where what comes from another clock domain enters: handed over when the network sees it."""

    cdef RouterNetwork network
    cdef Crossing crossing
    cdef int terminal
    cdef bint responds

    cdef int receive(self, Transaction txn) except -1:
        return self.network.inject(txn, self.terminal)


cdef class Clock(Server):
    """The clock's event, put into the queue for as long as flits move."""

    cdef RouterNetwork network
    cdef bint armed

    cdef int wake(self) except -1:
        self.armed = False
        return self.network.run()


cdef class ChipFabric(RouterFabric):
    """A fabric whose packets carry transactions, which it hands back to the queue."""

    cdef RouterNetwork network

    cdef int arrived(self, Packet packet, int terminal, int64_t cycle) except -1:
        cdef Transaction txn = packet.payload
        cdef Crossing leave = self.network.exits[terminal]
        cdef int64_t visible_ps = leave.seen_ps(cycle * self.network.period_ps)
        return self.network.events.deliver(next_server(txn), txn, visible_ps)


cdef class RouterNetwork(Network):
    """A chip's network with finite buffers: a ``ChipNetwork``, as ``PacketNetwork`` is."""

    cdef readonly object env, packet_format
    cdef readonly int64_t period_ps, synchroniser
    cdef readonly bint contended
    cdef readonly int columns
    cdef readonly list meshes, fabrics
    cdef list entries, exits
    cdef EventQueue events
    cdef Clock clock

    def __init__(self, env, mesh, noc):
        cdef ChipFabric fabric
        self.env, self.events = env, env.events
        self.period_ps = noc.period_ps
        self.synchroniser = noc.synchroniser
        self.packet_format = PacketFormat.of(noc)
        self.contended = True
        self.columns = mesh.columns
        self.entries, self.exits, self.fabrics = [], [], []
        shape = RouterShape(noc.router_stages, noc.vcs, noc.vc_buffer, noc.routing)
        self.meshes = [RouterMesh(mesh.columns, mesh.rows, shape, name) for name in NETWORKS]
        for routers in self.meshes:
            fabric = ChipFabric(routers)
            fabric.network = self
            self.fabrics.append(fabric)
        self.clock = Clock()
        self.clock.network = self
        self.events.add_holder(self)

    def release(self):
        """Let go of all packets, when the run is over."""
        cdef ChipFabric fabric
        for fabric in self.fabrics:
            fabric.mesh.release()
            fabric.release()

    @property
    def in_flight(self):
        """Packets on their way, in both networks."""
        return sum(fabric.in_flight for fabric in self.fabrics)

    @property
    def routers(self):
        """Routers that were built, in both networks."""
        return sum(mesh.router_count for mesh in self.meshes)

    def attach(self, int node, str name, bint responds=False, int64_t clock_ps=0):
        """Give a terminal its ports; what it sends are responses if it ``responds``."""
        cdef int64_t stages = self.synchroniser if clock_ps else 0
        cdef Entry entry = Entry()
        entry.network, entry.terminal, entry.responds = self, len(self.entries), responds
        entry.crossing = Crossing(self.period_ps, stages)
        self.entries.append(entry)
        self.exits.append(Crossing(clock_ps, stages))
        for mesh in self.meshes:
            mesh.attach(node, name)
        return entry.terminal

    def hops(self, int source, *targets):
        """Mesh links to all targets on shortest routes, which all routings take, one by one."""
        nodes = self.meshes[0].node_of
        return sum(distance(self.columns, nodes[source], nodes[target]) for target in targets)

    cpdef Path path(self, int source, int target, deliver):
        """The path from a terminal to another."""
        return self.tree(source, {target: deliver})

    def tree(self, int source, ends):
        """The path to several targets: these routers do not fork, so a packet goes to each."""
        cdef Entry entry = self.entries[source]
        cdef RouterPath path = RouterPath(entry)
        path.network = RESPONSE if entry.responds else REQUEST
        path.targets = list(ends)
        path.ends = [Path(server_of(deliver)) for deliver in ends.values()]
        return path

    cpdef int send(self, Transaction txn, int source) except -1:
        """Inject a packet at the next clock edge, or now if that is now.

        A packet from another clock domain is injected when the network sees it.
        """
        cdef Entry entry = self.entries[source]
        cdef int64_t visible_ps = entry.crossing.seen_ps(self.events.now)
        if visible_ps > self.events.now:
            return self.events.deliver(entry, txn, visible_ps)
        return self.inject(txn, source)

    cdef int inject(self, Transaction txn, int source) except -1:
        """Queue a packet for each target at the next clock edge, which may be now."""
        cdef RouterPath path = txn.path
        cdef ChipFabric fabric = self.fabrics[path.network]
        cdef int64_t cycle = self._edge()
        cdef int index, count = len(path.targets)
        cdef Transaction single
        fabric.skip_to(cycle)
        for index in range(count):
            single = txn if count == 1 else txn.branch(None)
            single.path = path.ends[index]
            fabric.send(Packet(path.targets[index], txn.flits, cycle, single), source)
        return self._arm(cycle)

    @property
    def links(self):
        """Mesh channels of both networks by node and name."""
        return {(port.node, port.name): port for port in self._outputs() if port.terminal < 0}

    @property
    def injections(self):
        """Where packets enter, in both networks."""
        return [source for mesh in self.meshes for source in mesh.sources]

    @property
    def ejections(self):
        """Where packets leave, in both networks."""
        return [port for port in self._outputs() if port.terminal >= 0]

    def all_links(self):
        """Mesh channels, then injection, then ejection ports."""
        return [*self.links.values(), *self.injections, *self.ejections]

    def waits(self):
        """(lane, what it waits for) for every lane and every source with a packet."""
        return [wait for fabric in self.fabrics for wait in lane_waits(fabric)]

    def held(self):
        """(place, transaction) of all that are in the routers or wait at a source."""
        return [
            (name, packet.payload)
            for fabric in self.fabrics for name, packet in packets_by_lane(fabric)
        ]

    def _outputs(self):
        return [port for mesh in self.meshes for port in mesh.outputs()]

    # -- the clock --------------------------------------------------------------------------

    cdef int64_t _edge(self) noexcept:
        """The cycle that begins now, or next."""
        return (self.events.now + self.period_ps - 1) // self.period_ps

    cdef int _arm(self, int64_t cycle) except -1:
        if not self.clock.armed:
            self.clock.armed = True
            self.events.call(self.clock, cycle * self.period_ps, LAST)
        return 0

    cdef int run(self) except -1:
        """Step both networks up to the next kernel event, as long as anything moves."""
        cdef int64_t cycle = self._edge(), latest = cycle + LONGEST_STRETCH
        cdef ChipFabric fabric
        cdef bint moving = True
        while moving:
            moving = False
            for fabric in self.fabrics:
                if fabric.busy_until >= cycle:
                    fabric.skip_to(cycle)
                    fabric.step()
                    moving = moving or fabric.busy_until > cycle
            cycle += 1
            if moving and (
                self.events.next_time() <= cycle * self.period_ps or cycle == latest
            ):
                return self._arm(cycle)
        return 0

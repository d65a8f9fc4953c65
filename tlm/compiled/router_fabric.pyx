"""A mesh of virtual-channel routers, stepped a cycle at a time while flits move.

The model, its pipeline and its allocators are those of ``tlm.hardware.noc.router``, and so is the
order of everything: a packet leaves in the same cycle, and before the same others.
"""

from cpython.ref cimport Py_XDECREF, Py_XINCREF, PyObject
from libc.stdint cimport int64_t
from libc.stdlib cimport free

from tlm.compiled.router_mesh cimport RouterMesh
from tlm.compiled.router_parts cimport (
    InputPort, Lane, Member, Members, OutputPort, Packet, Pointers, Port, Router, Source,
    enter, leave, push, put, remove, take,
)

cdef enum:
    SWITCH_TO_ARRIVAL = 3  # switch, crossbar, channel: cycles from the grant to the next buffer
    CREDIT_DELAY = 2

include "router_switch.pxi"
include "router_lanes.pxi"
include "router_sources.pxi"


cdef class RouterFabric:
    """The flits, credits and decisions of one network, as the reference's ``RouterFabric``.

    ``deliver`` is called with a packet, its terminal and the cycle in which its tail arrives;
    a class that does better in compiled code overrides ``arrived``.
    """

    def __init__(self, RouterMesh mesh not None, deliver=None):
        self.mesh, self.deliver = mesh, deliver
        self.busy_until = -1
        self._speculative = mesh.shape.stages == 2
        self._route_delay = 1 if mesh.shape.stages == 4 else 0

    def __dealloc__(self):
        cdef Slot* slot
        cdef int index
        self.release()
        for index in range(RING):
            slot = &self._slots[index]
            free(slot.credits.items)
            free(slot.arrivals.items)
            free(slot.asks.items)
            free(slot.heads.items)
            free(slot.packets.items)
            free(slot.wakes.items)
        free(self._grants.items)
        free(self._winners.items)
        free(self._hopeful.items)
        free(self._offers.items)
        free(self._done.items)

    cdef void release(self) noexcept:
        """Let go of all packets that are on a link; nothing can be sent any more."""
        cdef Pointers* packets
        cdef int index
        for index in range(RING):
            packets = &self._slots[index].packets
            while packets.count:
                packets.count -= 1
                Py_XDECREF(<PyObject*>packets.items[packets.count])

    cdef int arrived(self, Packet packet, int terminal, int64_t cycle) except -1:
        """A packet's tail will have arrived at its terminal in ``cycle``."""
        self.deliver(packet, terminal, cycle)
        return 0

    # -- sending ----------------------------------------------------------------------------

    cpdef int send(self, Packet packet, int terminal) except -1:
        """Queue a packet at a terminal's source in ``cycle``."""
        cdef Source source = self.mesh.sources[terminal]
        self.in_flight += 1
        put(&source.queue, <PyObject*>packet)
        source.flits += packet.flits
        source.packets += 1
        if not source.awake:
            source.awake = True
            push(&self._slots[self.cycle % RING].wakes, <void*>source)
        self._stay_awake(self.cycle)
        return 0

    cpdef int skip_to(self, int64_t cycle) except -1:
        """Go on to ``cycle``, over cycles in which nothing happens."""
        while self.cycle < cycle and (self.in_flight or self.cycle <= self.busy_until):
            self.step()
        self.cycle = max(self.cycle, cycle)
        return 0

    @property
    def stuck(self):
        """Packets are in flight and nothing will ever move: a deadlock."""
        return self.in_flight > 0 and self.cycle > self.busy_until

    cdef void _stay_awake(self, int64_t cycle) noexcept:
        if self.busy_until < cycle:
            self.busy_until = cycle

    # -- one cycle --------------------------------------------------------------------------

    cpdef int step(self) except -1:
        """Do everything that happens in ``cycle``, and go on to the next."""
        cdef int64_t cycle = self.cycle
        cdef Slot* slot = &self._slots[cycle % RING]
        cdef Member* member
        cdef int index
        for index in range(slot.credits.count):
            (<Lane*>slot.credits.items[index]).credit += 1
        for index in range(slot.arrivals.count):
            (<Lane*>slot.arrivals.items[index]).buffered += 1
        slot.credits.count = slot.arrivals.count = 0
        self._receive_heads(slot, cycle)
        _inject(self, slot, cycle)
        self._collect_asks(slot)
        self._grants.count = self._done.count = 0
        if self._speculative and self._asking.first is not NULL:
            self._speculate(cycle)
            self._finish_all(cycle)
        else:
            member = self._asking.first
            while member is not NULL:
                _allocate_lanes(self, member.router)
                member = member.after
            member = self._bidding.first
            while member is not NULL:
                self._send_all(member.router, cycle)
                member = member.after
            self._finish_all(cycle)
            self._activate(cycle)
        self.cycle = cycle + 1
        return 0

    cdef int _send_all(self, Router* router, int64_t cycle) except -1:
        """Everybody sends where no port is contested, whom the switch grants elsewhere."""
        if not router.contested:
            return self._send_flits(&router.bidders, cycle)
        self._hopeful.count = 0
        _allocate_switch(self, router)
        return self._send_flits(&self._winners, cycle)

    cdef int _send_flits(self, Pointers* winners, int64_t cycle) except -1:
        """Send a flit of every winner that has a flit and a credit.

        What is sent changes nothing that a router decides by before its flits or credits arrive.
        """
        cdef Slot* arrival = &self._slots[(cycle + SWITCH_TO_ARRIVAL) % RING]
        cdef Slot* credit = &self._slots[(cycle + CREDIT_DELAY) % RING]
        cdef Lane* lane
        cdef Lane* down
        cdef int index
        for index in range(winners.count):
            lane = <Lane*>winners.items[index]
            down = lane.down
            if not lane.buffered or not down.credit:
                continue
            down.credit -= 1
            lane.buffered -= 1
            push(&credit.credits, lane)
            if lane.head:
                lane.head = False
                push(&arrival.heads, down)
                push(&arrival.packets, lane.packet)
                Py_XINCREF(lane.packet)
            else:
                push(&arrival.arrivals, down)
            lane.left -= 1
            if not lane.left:
                push(&self._done, lane)
        if credit.credits.count:
            self._stay_awake(cycle + SWITCH_TO_ARRIVAL)
        return 0

    cdef int _finish_all(self, int64_t cycle) except -1:
        cdef int index
        for index in range(self._done.count):
            self._finish(<Lane*>self._done.items[index], cycle)
        return 0

    cdef int _speculate(self, int64_t cycle) except -1:
        """Lane and switch in one cycle: a switch grant is lost on a packet that gets no lane."""
        cdef Member* member = self._bidding.first
        cdef Router* router
        while member is not NULL:
            if not member.router.asking.count:
                self._send_all(member.router, cycle)
            member = member.after
        member = self._asking.first
        while member is not NULL:
            router = member.router
            member = member.after  # the router may leave
            self._guess(router, cycle)
        return 0

    cdef int _guess(self, Router* router, int64_t cycle) except -1:
        """Allocate lanes and switch of a router with packets that ask for a lane."""
        cdef int asking = router.asking.count, index, kept = 0
        cdef Lane* lane
        self._hopeful.count = self._grants.count = 0
        for index in range(asking):
            lane = <Lane*>router.asking.items[index]
            if _has_room(lane.out, self.mesh.vcs):
                push(&self._hopeful, lane)
        if not router.contested:
            _turn_past_bodies(router, NULL, NULL)
        _allocate_lanes(self, router)
        _allocate_switch(self, router)
        if self._grants.count < asking:
            self._stay_awake(cycle + 1)
        self._activate(cycle)
        for index in range(self._winners.count):
            lane = <Lane*>self._winners.items[index]
            if not _still_asks(router, lane):
                self._winners.items[kept] = lane
                kept += 1
        self._winners.count = kept
        return self._send_flits(&self._winners, cycle)

    # -- packets ----------------------------------------------------------------------------

    cdef int _receive_heads(self, Slot* slot, int64_t cycle) except -1:
        cdef Lane* lane
        cdef PyObject* packet
        cdef int index
        for index in range(slot.heads.count):
            lane = <Lane*>slot.heads.items[index]
            packet = <PyObject*>slot.packets.items[index]
            lane.buffered += 1
            if lane.port.index >= 0:
                put(&lane.queue, packet)
                if lane.packet is NULL:
                    self._front(lane, cycle)
            Py_XDECREF(packet)
        slot.heads.count = slot.packets.count = 0
        return 0

    cdef int _front(self, Lane* lane, int64_t cycle) except -1:
        """A packet comes first in its buffer: routed in ``cycle``, it asks for a lane."""
        cdef int64_t asks = cycle + self._route_delay
        lane.packet = take(&lane.queue)
        self._stay_awake(asks)
        lane.out = self.mesh.way(lane.port.router, (<Packet>lane.packet).target)
        lane.left = (<Packet>lane.packet).flits
        lane.head = True
        return push(&self._slots[asks % RING].asks, lane)

    cdef int _collect_asks(self, Slot* slot) except -1:
        cdef Router* router
        cdef int index
        for index in range(slot.asks.count):
            router = (<Lane*>slot.asks.items[index]).port.router
            if not router.asking.count:
                enter(&self._asking, &router.in_asking)
            push(&router.asking, slot.asks.items[index])
        slot.asks.count = 0
        return 0

    cdef int _activate(self, int64_t cycle) except -1:
        """Packets that got a lane bid for the switch from the next cycle on."""
        cdef Lane* asker
        cdef Router* router
        cdef int index
        for index in range(self._grants.count):
            asker = <Lane*>self._grants.items[index]
            router = asker.port.router
            remove(&router.asking, asker)
            if not router.asking.count:
                leave(&self._asking, &router.in_asking)
            asker.out.users += 1
            asker.port.users += 1
            if asker.out.users == 2 or asker.port.users == 2:  # contention begins
                router.contested += (asker.out.users == 2) + (asker.port.users == 2)
                _turn_past_bodies(router, asker.port, asker.out)
            if not router.bidders.count:
                enter(&self._bidding, &router.in_bidding)
            push(&router.bidders, asker)
        if self._grants.count:
            self._stay_awake(cycle + 1)
        return 0

    cdef int _finish(self, Lane* lane, int64_t cycle) except -1:
        """The tail has been sent: give the output lane back, bring the next packet forward."""
        cdef InputPort* port = lane.port
        cdef OutputPort* out = lane.out
        cdef Router* router = port.router
        cdef Packet packet = <Packet>lane.packet
        _turn_past(lane)
        out.users -= 1
        port.users -= 1
        router.contested -= (out.users == 1) + (port.users == 1)
        remove(&router.bidders, lane)
        if not router.bidders.count:
            leave(&self._bidding, &router.in_bidding)
        lane.down.taken = False
        out.free += 1
        (<Port>out.port).flits += packet.flits
        (<Port>out.port).packets += 1
        Py_XDECREF(lane.packet)
        lane.packet = NULL
        if out.terminal >= 0:
            self.in_flight -= 1
            self.arrived(packet, out.terminal, cycle + SWITCH_TO_ARRIVAL)
        if lane.queue.first is not NULL:
            self._front(lane, cycle + 1)
        return 0

"""A mesh of virtual-channel routers, stepped a cycle at a time while flits move.

Pipeline of a head flit that reaches a router in cycle t, with 4 stages: route in t, lane (output
VC) in t + 1, switch in t + 2, crossbar in t + 3, then one cycle of channel: it reaches the next
router in t + 5. With 3 stages the route is looked ahead; with 2, the switch is asked for in the
same cycle as the lane, on speculation. Body flits need the switch only. A credit is usable two
cycles after the flit it stands for has left its buffer.

The model is timed by flits and not by packets because packets interleave: what a packet loses at
a contested output depends on which flits of others are sent in between. Cost is bounded by the
work of a cycle: rings of lists hold what is due, and only routers with bidders are visited.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tlm.hardware.noc.router.lanes import Grant, allocate_lanes
from tlm.hardware.noc.router.mesh import RouterMesh
from tlm.hardware.noc.router.parts import (
    NO_PACKET,
    InputPort,
    Lane,
    OutputPort,
    Packet,
    Router,
    Source,
)
from tlm.hardware.noc.router.switch import allocate_switch, turn_past

SWITCH_TO_ARRIVAL = 3  # switch, crossbar and channel: cycles from the grant to the next buffer
SOURCE_TO_ARRIVAL = 2  # injection register and channel
CREDIT_DELAY = 2
RING = 64
LONGEST_RUN = 48  # flits a source sends at once: what fits in the ring

Deliver = Callable[[Packet, int, int], None]  # packet, terminal, cycle in which its tail arrives


class RouterFabric:
    """The flits, credits and decisions of one network.

    Life cycle: built on a mesh with its terminals attached; then ``send`` and ``step`` in order of
    cycles. ``deliver`` is called when a packet's tail is granted its last switch, with the cycle
    in which it arrives.
    """

    def __init__(self, mesh: RouterMesh, deliver: Deliver) -> None:
        self.mesh = mesh
        self.deliver = deliver
        self.in_flight = 0  # deliveries still to come
        self.cycle = 0  # the next one to step
        self.busy_until = -1  # after this cycle nothing happens unless a packet is sent
        self._speculative = mesh.shape.stages == 2
        self._route_delay = 1 if mesh.shape.stages == 4 else 0
        self._arrivals: list[list[Lane]] = [[] for _ in range(RING)]
        self._heads: list[list[tuple[Lane, Packet]]] = [[] for _ in range(RING)]
        self._credits: list[list[Lane]] = [[] for _ in range(RING)]
        self._asks: list[list[Lane]] = [[] for _ in range(RING)]
        self._wakes: list[list[Source]] = [[] for _ in range(RING)]
        self._asking: dict[Router, None] = {}
        self._bidding: dict[Router, None] = {}

    # -- sending ----------------------------------------------------------------------------

    def send(self, packet: Packet, terminal: int) -> None:
        """Queue a packet at a terminal's source in ``cycle``."""
        self.in_flight += 1
        source = self.mesh.sources[terminal]
        source.queue.append(packet)
        source.flits += packet.flits
        source.packets += 1
        if not source.awake:
            source.awake = True
            self._wakes[self.cycle % RING].append(source)
        self._stay_awake(self.cycle)

    def skip_to(self, cycle: int) -> None:
        """Go on to ``cycle``, over cycles in which nothing happens."""
        while self.cycle < cycle and (self.in_flight or self.cycle <= self.busy_until):
            self.step()
        self.cycle = max(self.cycle, cycle)

    @property
    def stuck(self) -> bool:
        """Packets are in flight and nothing will ever move: a deadlock."""
        return self.in_flight > 0 and self.cycle > self.busy_until

    def _stay_awake(self, cycle: int) -> None:
        if self.busy_until < cycle:
            self.busy_until = cycle

    # -- one cycle --------------------------------------------------------------------------

    def step(self) -> None:
        """Do everything that happens in ``cycle``, and go on to the next."""
        cycle = self.cycle
        slot = cycle % RING
        credits, arrivals = self._credits[slot], self._arrivals[slot]
        for lane in credits:
            lane.credit += 1
        for lane in arrivals:
            lane.buffered += 1
        credits.clear()
        arrivals.clear()
        if self._heads[slot]:
            self._receive_heads(slot, cycle)
        if self._wakes[slot]:
            self._inject(slot, cycle)
        if self._asks[slot]:
            self._collect_asks(slot)
        if self._speculative and self._asking:
            self._send_flits(self._speculate(cycle), cycle)
        else:
            grants = [grant for router in self._asking for grant in allocate_lanes(router)]
            self._send_flits(self._winners(self._bidding), cycle)
            self._activate(grants, cycle)
        self.cycle = cycle + 1

    def _winners(self, routers: Iterable[Router]) -> list[list[Lane]]:
        """Who may send: everybody where no port is contested, whom the switch grants elsewhere."""
        return [
            allocate_switch(router) if router.contested else router.bidders for router in routers
        ]

    def _send_flits(self, rounds: list[list[Lane]], cycle: int) -> None:
        """Send a flit of every winner that has a flit and a credit."""
        arrivals = self._arrivals[(cycle + SWITCH_TO_ARRIVAL) % RING]
        heads = self._heads[(cycle + SWITCH_TO_ARRIVAL) % RING]
        credits = self._credits[(cycle + CREDIT_DELAY) % RING]
        done: list[Lane] = []
        for winners in rounds:
            for lane in winners:
                if lane.buffered:
                    down = lane.down
                    if down.credit:
                        down.credit -= 1
                        lane.buffered -= 1
                        credits.append(lane)
                        if lane.head:
                            lane.head = False
                            heads.append((down, lane.packet))
                        else:
                            arrivals.append(down)
                        left = lane.left = lane.left - 1
                        if not left:
                            done.append(lane)
        if credits:
            self._stay_awake(cycle + SWITCH_TO_ARRIVAL)
        for lane in done:
            self._finish(lane, cycle)

    def _speculate(self, cycle: int) -> list[list[Lane]]:
        """Lane and switch in one cycle: a switch grant is lost on a packet that gets no lane."""
        rounds = self._winners([router for router in self._bidding if router not in self._asking])
        for router in list(self._asking):
            hopeful = [asker for asker in router.asking if asker.out.has_room()]
            if not router.contested:  # pointers that bulk sending did not move
                for bidder in router.bidders:
                    if not bidder.head:
                        turn_past(bidder)
            grants = allocate_lanes(router)
            winners = allocate_switch(router, hopeful)
            if len(grants) < len(router.asking):
                lost = set(hopeful).difference(asker for asker, _ in grants)
                winners = [lane for lane in winners if lane not in lost]
                self._stay_awake(cycle + 1)
            self._activate(grants, cycle)
            rounds.append(winners)
        return rounds

    # -- packets ----------------------------------------------------------------------------

    def _inject(self, slot: int, cycle: int) -> None:
        """Sources send: a run of flits at a time, since nobody else uses their lanes."""
        sources = self._wakes[slot]
        self._wakes[slot] = []
        for source in sources:
            if source.left == 0:
                self._next_packet(source, cycle)
            else:
                self._send_body(source, cycle)

    def _next_packet(self, source: Source, cycle: int) -> None:
        """Start the next packet on the first lane with room after the last one used."""
        if not source.queue:
            source.awake = False
            return
        count = len(source.lanes)
        for i in range(source.last + 1, source.last + 1 + count):
            lane = source.lanes[i % count]
            if lane.credit:
                break
        else:
            self._wakes[(cycle + 1) % RING].append(source)
            return
        packet = source.queue.popleft()
        lane.credit -= 1
        self._heads[(cycle + SOURCE_TO_ARRIVAL) % RING].append((lane, packet))
        self._stay_awake(cycle + SOURCE_TO_ARRIVAL)
        source.last = lane.index
        source.left = packet.flits - 1
        self._send_body(source, cycle + 1)

    def _send_body(self, source: Source, cycle: int) -> None:
        """Send as many flits as there are credits for, from ``cycle`` on; then look again."""
        lane = source.lanes[source.last]
        run = min(source.left, lane.credit, LONGEST_RUN)
        lane.credit -= run
        source.left -= run
        first = cycle + SOURCE_TO_ARRIVAL
        for due in range(first, first + run):
            self._arrivals[due % RING].append(lane)
        wake = cycle + run
        if wake == self.cycle:  # not a credit: look again next cycle
            wake += 1
        self._wakes[wake % RING].append(source)
        if run:  # waiting for a credit keeps nobody awake: what sends the credit does
            self._stay_awake(first + run - 1)

    def _receive_heads(self, slot: int, cycle: int) -> None:
        heads = self._heads[slot]
        for lane, packet in heads:
            lane.buffered += 1
            if lane.port.index < 0:
                continue
            if lane.packet is NO_PACKET:
                self._front(lane, packet, cycle)
            else:
                lane.queue.append(packet)
        heads.clear()

    def _front(self, lane: Lane, packet: Packet, cycle: int) -> None:
        """A packet comes first in its buffer: routed in ``cycle``, it asks for a lane."""
        lane.packet = packet
        router = lane.port.router
        asks = self._asks[(cycle + self._route_delay) % RING]
        self._stay_awake(cycle + self._route_delay)
        lane.out = self.mesh.way(router, packet.target)
        lane.left = packet.flits
        lane.head = True
        asks.append(lane)

    def _collect_asks(self, slot: int) -> None:
        for asker in self._asks[slot]:
            router = asker.port.router
            router.asking.append(asker)
            self._asking[router] = None
        self._asks[slot].clear()

    def _activate(self, grants: list[Grant], cycle: int) -> None:
        """Packets that got a lane bid for the switch from the next cycle on."""
        for asker, _ in grants:
            port, out = asker.port, asker.out
            router = port.router
            router.asking.remove(asker)
            if not router.asking:
                del self._asking[router]
            out.users += 1
            port.users += 1
            if out.users == 2 or port.users == 2:
                self._set_turns(router, port, out)
            if not router.bidders:
                self._bidding[router] = None
            router.bidders.append(asker)
        if grants:
            self._stay_awake(cycle + 1)

    def _set_turns(self, router: Router, port: InputPort, out: OutputPort) -> None:
        """Contention begins: bring the pointers up to date that bulk sending did not move."""
        router.contested += (out.users == 2) + (port.users == 2)
        for bidder in router.bidders:
            if not bidder.head and (bidder.out is out or bidder.port is port):
                turn_past(bidder)

    def _finish(self, lane: Lane, cycle: int) -> None:
        """The tail has been sent: give the output lane back, bring the next packet forward."""
        port, out, packet = lane.port, lane.out, lane.packet
        router = port.router
        turn_past(lane)
        out.users -= 1
        port.users -= 1
        router.contested -= (out.users == 1) + (port.users == 1)
        router.bidders.remove(lane)
        if not router.bidders:
            del self._bidding[router]
        lane.down.taken = False
        out.free += 1
        out.flits += packet.flits
        out.packets += 1
        if out.terminal >= 0:
            self.in_flight -= 1
            self.deliver(packet, out.terminal, cycle + SWITCH_TO_ARRIVAL)
        lane.packet = NO_PACKET
        if lane.queue:
            self._front(lane, lane.queue.popleft(), cycle + 1)

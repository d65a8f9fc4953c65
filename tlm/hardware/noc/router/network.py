"""The router network of a chip: two meshes of virtual-channel routers under the kernel's clock.

Requests (cores to DRAM, and messages between cores) and responses (read data) travel on networks
of their own, with the same topology and the same routers. So no response ever waits behind a
request, and a terminal always takes what arrives: no deadlock can close through the DRAM channels.

One kernel event per cycle while flits move, fewer when nothing else is due in between. It comes
after every other event of its time, so whatever is sent at a clock edge is sent in that cycle.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from tlm.config.fabric import Mesh, Noc
from tlm.hardware.noc.crossing import Crossing
from tlm.hardware.noc.network import CountedPort
from tlm.hardware.noc.router.fabric import RouterFabric
from tlm.hardware.noc.router.mesh import RouterMesh
from tlm.hardware.noc.router.parts import OutputPort, Packet, Source
from tlm.hardware.noc.router.shape import RouterShape
from tlm.hardware.noc.router.waits import lane_waits, packets_by_lane
from tlm.kernel import Callbacks, Environment, Path, Transaction
from tlm.space.mesh_routes import distance
from tlm.space.packets import PacketFormat

REQUEST, RESPONSE = 0, 1
NETWORKS = ("", "response.")  # prefix of a channel's name
_LAST = 2  # SimPy priority after those of all other events
_LONGEST_STRETCH = 8  # cycles in one kernel event: the kernel's watchdog sees only events


class _Tick:
    """The clock's event, re-armed for as long as flits move."""

    __slots__ = ("_ok", "_value", "armed", "callbacks")

    def __init__(self) -> None:
        self._ok = True
        self._value: Any = None
        self.callbacks: Any = None
        self.armed = False


class RouterNetwork:
    """A chip's network with finite buffers: a ``ChipNetwork``, as ``PacketNetwork`` is.

    A transaction's path holds the number of the network, and by target terminal the callbacks that
    end it there.
    """

    contended = True

    def __init__(self, env: Environment, mesh: Mesh, noc: Noc) -> None:
        self.env = env
        self.period_ps = noc.period_ps
        self.packet_format = PacketFormat.of(noc)
        self.synchroniser = noc.synchroniser
        self.responds: list[bool] = []
        self.entries: list[Crossing] = []
        self.exits: list[Crossing] = []
        self.columns = mesh.columns
        shape = RouterShape(noc.router_stages, noc.vcs, noc.vc_buffer, noc.routing)
        self.meshes = [RouterMesh(mesh.columns, mesh.rows, shape, name) for name in NETWORKS]
        self.fabrics = [RouterFabric(routers, self._deliver) for routers in self.meshes]
        self._tick = _Tick()

    @property
    def in_flight(self) -> int:
        """Packets on their way, in both networks."""
        return sum(fabric.in_flight for fabric in self.fabrics)

    @property
    def routers(self) -> int:
        """Routers that were built, in both networks."""
        return sum(len(mesh.routers) for mesh in self.meshes)

    def attach(self, node: int, name: str, responds: bool = False, clock_ps: int = 0) -> int:
        """Give a terminal its ports; what it sends are responses if it ``responds``."""
        stages = self.synchroniser if clock_ps else 0
        self.responds.append(responds)
        self.entries.append(Crossing(self.period_ps, stages))
        self.exits.append(Crossing(clock_ps, stages))
        for mesh in self.meshes:
            terminal = mesh.attach(node, name)
        return terminal

    def hops(self, source: int, *targets: int) -> int:
        """Mesh links to all targets on shortest routes, which all routings take, one by one."""
        nodes = self.meshes[0].node_of
        return sum(distance(self.columns, nodes[source], nodes[target]) for target in targets)

    def path(self, source: int, target: int, deliver: Callbacks) -> Path:
        """The path from a terminal to another."""
        return self.tree(source, {target: deliver})

    def tree(self, source: int, ends: Mapping[int, Callbacks]) -> Path:
        """The path to several targets: these routers do not fork, so a packet goes to each."""
        return RESPONSE if self.responds[source] else REQUEST, ends

    def send(self, txn: Transaction, source: int) -> None:
        """Inject a packet at the next clock edge, or now if that is now.

        A packet from another clock domain is injected when the network sees it.
        """
        visible_ps = self.entries[source].seen_ps(self.env.now)
        if visible_ps > self.env.now:
            txn.callbacks = (partial(self._inject, source=source),)
            self.env.schedule(txn, 1, visible_ps - self.env.now)
        else:
            self._inject(txn, source)

    def _inject(self, txn: Transaction, source: int) -> None:
        network, ends = txn.path
        now = self.env.now
        cycle = -(-now // self.period_ps)
        fabric = self.fabrics[network]
        fabric.skip_to(cycle)
        for target, deliver in ends.items():
            single = txn if len(ends) == 1 else txn.branch(txn.path)
            fabric.send(Packet(target, txn.flits, cycle, (single, deliver)), source)
        self._arm(cycle, now)

    @property
    def links(self) -> dict[tuple[int, str], OutputPort]:
        """Mesh channels of both networks by node and name."""
        return {
            (router.node, out.name): out
            for mesh in self.meshes
            for router in mesh.routers
            for out in router.outputs
            if out.terminal < 0
        }

    @property
    def injections(self) -> list[Source]:
        """Where packets enter, in both networks."""
        return [source for mesh in self.meshes for source in mesh.sources]

    @property
    def ejections(self) -> list[OutputPort]:
        """Where packets leave, in both networks."""
        return [out for mesh in self.meshes for out in mesh.outputs() if out.terminal >= 0]

    def all_links(self) -> list[CountedPort]:
        """Mesh channels, then injection, then ejection ports."""
        return [*self.links.values(), *self.injections, *self.ejections]

    def waits(self) -> Iterator[tuple[str, str]]:
        """(lane, what it waits for) for every lane and every source with a packet."""
        for fabric in self.fabrics:
            yield from lane_waits(fabric)

    def held(self) -> Iterator[tuple[str, Transaction]]:
        """(place, transaction) of all that are in the routers or wait at a source."""
        for fabric in self.fabrics:
            for name, packet in packets_by_lane(fabric):
                yield name, packet.payload[0]

    def _arm(self, cycle: int, now: int) -> None:
        tick = self._tick
        if not tick.armed:
            tick.armed = True
            tick.callbacks = (self._run,)
            self.env.schedule(tick, _LAST, cycle * self.period_ps - now)

    def _run(self, tick: _Tick) -> None:
        """Step both networks up to the next kernel event, as long as anything moves."""
        env, period = self.env, self.period_ps
        tick.armed = False
        cycle = -(-env.now // period)
        latest = cycle + _LONGEST_STRETCH
        while True:
            moving = False
            for fabric in self.fabrics:
                if fabric.busy_until >= cycle:
                    fabric.skip_to(cycle)
                    fabric.step()
                    moving = moving or fabric.busy_until > cycle
            if not moving:
                return
            cycle += 1
            if env.peek() <= cycle * period or cycle == latest:
                self._arm(cycle, env.now)
                return

    def _deliver(self, packet: Packet, terminal: int, cycle: int) -> None:
        """A packet's tail will have arrived in ``cycle``: hand its transaction to the kernel."""
        txn, txn.callbacks = packet.payload
        visible_ps = self.exits[terminal].seen_ps(cycle * self.period_ps)
        self.env.schedule(txn, 1, visible_ps - self.env.now)

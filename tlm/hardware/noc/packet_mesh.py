"""The network on chip: a mesh of links, each a SimPy process with a busy-until time (``packet``).

Model ``packet``: whole packets, cut-through, XY routing, unbounded buffers; a link sends one flit
per cycle and serves packets in order of arrival. Without contention a packet of L flits over h hops
takes (h + 1)(P + 1) + L + 1 cycles, P router stages (the zero-load law of BookSim2's meshes):
one cycle to packetise, one on the injection channel, P + 1 for every router and its output
channel, L - 1 more for the tail. What bounds the traffic instead of finite buffers is the window of
each engine's DMA. Model ``ideal``: the same latency, links never busy.

A packet to several terminals is a tree: it follows the routes to all of them and forks where they
part, so that a link carries each of its flits once. The branches of a fork leave at once, each when
its link is free: a crossbar that copies a flit to several outputs in one cycle, as that of Park et
al. (DAC 2012, doi 10.1145/2228360.2228431), with room for what waits behind one of them.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from functools import partial

from tlm.config.fabric import Mesh, Noc
from tlm.hardware.noc.crossing import Crossing
from tlm.kernel import Callbacks, Environment, Inbox, Path, Transaction, start_server
from tlm.space.mesh_routes import DIRECTIONS, EAST, NORTH, SOUTH, WEST, channels, route
from tlm.space.packets import PacketFormat

_CLOCKWISE = (EAST, SOUTH, WEST, NORTH)  # the order of a node's links in all results


class Link:
    """One directed link or port: what it has carried, and how packets address its process."""

    __slots__ = ("callbacks", "flits", "free_at", "name", "packets")

    def __init__(self, name: str) -> None:
        self.name = name
        self.flits = 0
        self.packets = 0
        self.free_at = 0  # ps; of injection ports, a link's process keeps its own
        self.callbacks: Callbacks = ()


class PacketNetwork:
    """The mesh: routes, links, and the ports where cores and DRAM channels attach.

    Life cycle: built; every terminal is attached to a node; then ``send`` at simulated times.
    Terminals on one node have injection and ejection ports of their own.
    """

    def __init__(self, env: Environment, mesh: Mesh, noc: Noc) -> None:
        self.env = env
        self.mesh = mesh
        self.period_ps = noc.period_ps
        self.stages = noc.router_stages
        self.synchroniser = noc.synchroniser
        self.contended = noc.model == "packet"
        self.packet_format = PacketFormat.of(noc)
        self.links: dict[tuple[int, str], Link] = {}
        self.ejections: list[Link] = []
        self.injections: list[Link] = []
        self.entries: list[Crossing] = []
        self.node_of: list[int] = []
        self.copies = 0  # packets that forks have added to those injected
        for node, direction, _ in sorted(
            channels(mesh.columns, mesh.rows),
            key=lambda channel: (channel[0], _CLOCKWISE.index(channel[1])),
        ):
            name = DIRECTIONS[direction]
            self.links[node, name] = self._start(f"n{node:02d}.{name}")

    @property
    def routers(self) -> int:
        """One at every node."""
        return self.mesh.columns * self.mesh.rows

    def attach(self, node: int, name: str, responds: bool = False, clock_ps: int = 0) -> int:
        """Give a core or DRAM channel its ports at a node; returns its terminal number.

        Requests and responses share the links here, so it makes no difference who ``responds``.
        """
        terminal = len(self.node_of)
        self.node_of.append(node)
        stages = self.synchroniser if clock_ps else 0
        self.injections.append(Link(f"{name}.inject"))
        self.entries.append(Crossing(self.period_ps, stages))
        self.ejections.append(self._start(f"{name}.eject", Crossing(clock_ps, stages)))
        return terminal

    def hops(self, source: int, *targets: int) -> int:
        """Mesh links from a terminal to all targets, each counted once."""
        nodes = (self.node_of[target] for target in targets)
        return len(
            {link.name for node in nodes for link in self._route(self.node_of[source], node)}
        )

    def path(self, source: int, target: int, deliver: Callbacks) -> Path:
        """The servers a packet visits after injection, ending with ``deliver``, as nested pairs.

        A server takes the first of the pair and leaves the rest: cheaper than an index.
        """
        links = self._route(self.node_of[source], self.node_of[target])
        path: Path = (self.ejections[target].callbacks, (deliver, ()))
        for link in reversed(links):
            path = (link.callbacks, path)
        return path

    def tree(self, source: int, ends: Mapping[int, Callbacks]) -> Path:
        """The path to several targets: at each a copy of the transaction ends with its own."""
        return self._merged([self.path(source, target, end) for target, end in ends.items()])

    def send(self, txn: Transaction, source: int) -> None:
        """Inject a packet now; ``txn.path`` and ``txn.flits`` are set.

        The injection port is a FIFO server whose arrivals are calls, so its busy-until is applied
        at arrival and exact without an event of its own.
        """
        port = self.injections[source]
        now = self.env.now
        start = self.entries[source].seen_ps(now)
        if port.free_at > start and self.contended:
            start = port.free_at
        port.free_at = start + txn.flits * self.period_ps
        port.flits += txn.flits
        port.packets += 1
        txn.callbacks, txn.path = txn.path
        self.env.schedule(txn, 1, start + 2 * self.period_ps - now)

    @property
    def in_flight(self) -> int:
        """Packets injected, and copies of them, not yet through their ejection port."""
        sent = self.copies + sum(port.packets for port in self.injections)
        return sent - sum(port.packets for port in self.ejections)

    def all_links(self) -> list[Link]:
        """Mesh links, then injection, then ejection ports."""
        return [*self.links.values(), *self.injections, *self.ejections]

    def waits(self) -> tuple[()]:
        """Nothing: buffers have no bounds, so nobody waits for room in one."""
        return ()

    def held(self) -> tuple[()]:
        """Nothing: every packet has an event to come."""
        return ()

    def _start(self, name: str, leave: Crossing | None = None) -> Link:
        link, inbox = Link(name), Inbox()
        link.callbacks = start_server(inbox, self._serve(link, inbox, leave))
        return link

    def _serve(
        self, link: Link, inbox: Inbox, leave: Crossing | None
    ) -> Generator[Inbox, Transaction, None]:
        """A link: the packet that arrives resumes it, and leaves re-armed for the next server.

        ``leave`` marks an ejection port, where the packet has arrived only with its tail.
        """
        env, schedule, period = self.env, self.env.schedule, self.period_ps
        routing = self.stages * period
        contended = self.contended
        free_at = 0
        while True:
            txn = yield inbox
            now = env.now
            start = now + routing
            if free_at > start and contended:
                start = free_at
            flits = txn.flits
            free_at = start + flits * period
            link.flits += flits
            txn.callbacks, txn.path = txn.path
            if leave is not None:
                link.packets += 1
                schedule(txn, 1, leave.seen_ps(free_at) - now)
            else:
                schedule(txn, 1, start + period - now)

    def _route(self, source: int, target: int) -> list[Link]:
        steps = route("xy", self.mesh.columns, source, target)
        return [self.links[node, DIRECTIONS[direction]] for node, direction in steps]

    def _merged(self, paths: Sequence[Path]) -> Path:
        """Several paths as one, with a fork where they part."""
        if len(paths) == 1:
            return paths[0]
        rests: dict[Callbacks, list[Path]] = {}
        for server, rest in paths:
            rests.setdefault(server, []).append(rest)
        branches = [(server, self._merged(paths)) for server, paths in rests.items()]
        return branches[0] if len(branches) == 1 else ((partial(self._fork, branches),), ())

    def _fork(self, branches: Sequence[Path], txn: Transaction) -> None:
        """A packet's head has come to a router where its routes part: a copy for each of them."""
        self.copies += len(branches) - 1
        for (serve,), rest in branches:
            serve(txn.branch(rest))

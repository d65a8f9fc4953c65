"""The network between chips: links that serve packets in order, switches that store and forward.

A packet occupies a link for its bits over the bandwidth and arrives its latency later, whole; only
then does the next link of its way get it. A lost packet has occupied the link for nothing: the
sender hears of it a round trip after it was sent, and the same link carries it again, before all
that waits there: it belongs to an earlier message, which would else wait for a whole later one.
Bytes are counted without headers.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from random import Random

from tlm.federated.plan import FederatedPlan, NetworkPlan, worker_number
from tlm.federated.topology import Graph, Hop, graph_of
from tlm.kernel import Callbacks, Done, Environment, Path, Transaction


@dataclass(eq=False)
class ModelTransfer:
    """A message on its way, cut into packets: ``arrived`` completes with the last of them.

    ``round`` counts from 1; ``worker`` is charged for it; ``ends`` are the nodes from and to.
    ``wire_nbytes`` were carried, over all links, of which packets of ``lost_nbytes`` got lost and
    were carried once more. ``end_ps`` is -1 until it has arrived.
    """

    kind: str
    round: int
    worker: int
    ends: Hop
    nbytes: int
    begin_ps: int
    hops: int
    arrived: Done
    wire_nbytes: int = 0
    lost_nbytes: int = 0
    end_ps: int = field(default=-1)


class NetworkLink:
    """One direction between two nodes: first come, first served, but what got lost goes first."""

    def __init__(self, env: Environment, name: str, plan: NetworkPlan, draw: Random) -> None:
        self.name = name
        self.busy_ps = 0
        self.wire_nbytes = 0
        self.callbacks: Callbacks = (self._accept,)
        self._env = env
        self._plan = plan
        self._draw = draw
        self._lost: deque[Transaction] = deque()
        self._waiting: deque[Transaction] = deque()
        self._occupied = False

    def _accept(self, packet: Transaction) -> None:
        """A packet comes to be carried."""
        self._queue(self._waiting, packet)

    def _miss(self, packet: Transaction) -> None:
        """The sender hears that a packet got lost."""
        self._queue(self._lost, packet)

    def _queue(self, queue: deque[Transaction], packet: Transaction) -> None:
        queue.append(packet)
        if not self._occupied:
            self._carry()

    def _carry(self, _: object = None) -> None:
        """Begin with the next packet, if there is one."""
        queue = self._lost or self._waiting
        self._occupied = bool(queue)
        if not queue:
            return
        env, plan, packet = self._env, self._plan, queue.popleft()
        occupied_ps = wire_ps(packet.nbytes, plan.bandwidth)
        self.busy_ps += occupied_ps
        self.wire_nbytes += packet.nbytes
        transfer: ModelTransfer = packet.job
        transfer.wire_nbytes += packet.nbytes
        delay = occupied_ps + plan.latency
        if plan.loss and self._draw.random() < plan.loss:
            transfer.lost_nbytes += packet.nbytes
            packet.callbacks = (self._miss,)
            delay += plan.latency
        else:
            packet.callbacks, packet.path = packet.path
        env.schedule(packet, 1, delay)
        env.timeout(occupied_ps).callbacks.append(self._carry)


def wire_ps(nbytes: int, bits_per_s: int | None) -> int:
    """Time in ps that bytes occupy a link, rounded up; none if its bandwidth is unlimited."""
    return 0 if bits_per_s is None else -(-nbytes * 8 * 10**12 // bits_per_s)


class SystemNetwork:
    """All links of a system, built before time 0; ``transfers`` is all that was ever sent."""

    def __init__(self, env: Environment, plan: FederatedPlan, workers: int) -> None:
        self.env = env
        self.graph: Graph = graph_of(plan.network.topology, workers)
        self.packet_nbytes = plan.network.packet
        self.transfers: list[ModelTransfer] = []
        self.links: dict[Hop, NetworkLink] = {}
        self._routes: dict[Hop, list[Hop]] = {}
        for edge in self.graph.edges:
            name = "-".join(node_name(node, workers, plan.has_server) for node in edge)
            # A generator for each link: what one loses does not hang on the traffic of another.
            draw = Random(f"{plan.seed} {name}")
            self.links[edge] = NetworkLink(env, name, link_plan(plan, edge), draw)

    def send(
        self, kind: str, round_number: int, ends: Hop, nbytes: int, worker: int
    ) -> ModelTransfer:
        """Send bytes from one node to another, now; packets follow each other at once."""
        route = self._routes.get(ends)
        if route is None:
            route = self._routes[ends] = self.graph.route(*ends)
        packets = max(1, -(-nbytes // self.packet_nbytes))
        arrived = Done(packets, f"{kind} of round {round_number} from {ends[0]} to {ends[1]}")
        transfer = ModelTransfer(
            kind, round_number, worker, ends, nbytes, self.env.now, len(route), arrived
        )
        arrived.then(lambda: self._end(transfer))
        self.transfers.append(transfer)
        path: Path = ((self._deliver,), ())
        for edge in reversed(route):
            path = (self.links[edge].callbacks, path)
        left = nbytes
        for number in range(packets):
            size = min(left, self.packet_nbytes)
            left -= size
            packet = Transaction(number, 0, 0, size, ends[0], transfer)
            packet.callbacks, packet.path = path
            self.env.schedule(packet)
        return transfer

    def _end(self, transfer: ModelTransfer) -> None:
        transfer.end_ps = self.env.now

    @staticmethod
    def _deliver(packet: Transaction) -> None:
        packet.job.arrived.arrive()


def node_name(node: int, workers: int, has_server: bool) -> str:
    """What a node is called."""
    return f"worker{node}" if node < workers else "server" if has_server else "switch"


def link_plan(plan: FederatedPlan, edge: Hop) -> NetworkPlan:
    """What holds of a link: the network's values, and what the plan says of a worker's links.

    Where it says something of both its workers, the slower bandwidth and the longer latency.
    """
    named = [link for name, link in plan.links.items() if worker_number(name) in edge]
    bandwidths = [link.bandwidth for link in named if link.bandwidth is not None]
    latencies = [link.latency for link in named if link.latency is not None]
    return plan.network.model_copy(
        update={
            "bandwidth": min(bandwidths, default=plan.network.bandwidth),
            "latency": max(latencies, default=plan.network.latency),
        }
    )

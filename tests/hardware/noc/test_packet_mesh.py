"""The mesh: zero-load latency, serialisation, routes, conservation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlm.config.fabric import Mesh, Noc

PERIOD = 2000  # ps, 500 MHz


def noc(stages=3, link=128, model="packet", header=16):
    """A network's parameters at 500 MHz."""
    return Noc(
        model=model, clock="500 MHz", link=f"{link} bit", router_stages=stages, vcs=2,
        vc_buffer=8, synchroniser="2 cycles", routing="xy", payload="256 B", header=f"{header} B",
    )  # fmt: skip


class Bench:
    """A mesh with one terminal a node; packets sent at given times, arrivals logged."""

    def __init__(self, kernel, columns=5, rows=4, **parameters):
        self.kernel, self.env = kernel, kernel.environment()
        mesh = Mesh(columns=columns, rows=rows)
        self.network = kernel.packet_network(self.env, mesh, noc(**parameters))
        for node in range(columns * rows):
            self.network.attach(node, f"core{node:02d}")
        self.arrived = {}
        self.sent = {}

    def send(self, source, target, flits, at_cycle=0):
        """Let a packet of some flits be injected at a cycle; returns its number."""
        ident = len(self.sent)
        packet = self.kernel.transaction(ident, 1, 0, 16 * flits, source, None)
        packet.flits = flits
        packet.path = self.network.path(source, target, (self._deliver,))
        self.sent[ident] = (source, target, flits, at_cycle)
        call = self.env.timeout(at_cycle * PERIOD - self.env.now)
        call.callbacks.append(lambda _: self.network.send(packet, source))
        return ident

    def _deliver(self, packet):
        assert packet.ident not in self.arrived
        self.arrived[packet.ident] = self.env.now

    def run(self):
        """Run dry; latencies in cycles, in the order of sending."""
        self.env.run()
        return [(self.arrived[ident] / PERIOD) - at for ident, (_, _, _, at) in self.sent.items()]


def manhattan(source, target, columns=5):
    """Hops of the shortest way."""
    return abs(source % columns - target % columns) + abs(source // columns - target // columns)


@pytest.mark.parametrize("stages", [1, 3, 4])
@pytest.mark.parametrize("flits", [1, 2, 17])
@pytest.mark.parametrize("model", ["packet", "ideal"])
def test_zero_load_latency_of_every_pair(kernel, stages, flits, model):
    """T0 = (h + 1)(P + 1) + L + 1 cycles for all 400 pairs of a 5 x 4 mesh."""
    bench = Bench(kernel, stages=stages, model=model)
    pairs = [(s, t) for s in range(20) for t in range(20)]
    for index, (source, target) in enumerate(pairs):
        bench.send(source, target, flits, at_cycle=1000 * index)
    assert bench.run() == [(manhattan(s, t) + 1) * (stages + 1) + flits + 1 for s, t in pairs]


def test_routes_are_shortest_and_go_along_the_row_first(kernel):
    """XY: from node 0 to node 19 all east links come before all south links."""
    bench = Bench(kernel)
    for source in range(20):
        for target in range(20):
            assert bench.network.hops(source, target) == manhattan(source, target)
    bench.send(0, 19, 1)
    bench.send(19, 0, 1)
    bench.run()
    used = {link.name for link in bench.network.links.values() if link.flits}
    east = {f"n{node:02d}.east" for node in range(4)}
    south = {f"n{node:02d}.south" for node in (4, 9, 14)}
    west = {f"n{node:02d}.west" for node in range(16, 20)}
    north = {f"n{node:02d}.north" for node in (5, 10, 15)}
    assert used == east | south | west | north


def test_a_mesh_has_a_link_each_way_between_neighbours(kernel):
    """2 (columns - 1) rows + 2 columns (rows - 1) directed links, none out of the mesh."""
    network = Bench(kernel, 5, 4).network
    assert len(network.links) == 2 * 4 * 4 + 2 * 5 * 3
    assert len(Bench(kernel, 1, 1).network.links) == 0


def test_flits_of_a_packet(kernel):
    """Payload and header, rounded up to whole flits; a header alone is one flit."""
    network = Bench(kernel, 1, 1).network
    assert [network.packet_format.flits(n) for n in (0, 1, 16, 17, 256)] == [1, 2, 2, 3, 17]
    narrow = Bench(kernel, 1, 1, link=64).network
    assert [narrow.packet_format.flits(n) for n in (0, 1, 256)] == [2, 3, 34]


def test_two_packets_from_one_node_follow_each_other(kernel):
    """The injection port sends a flit a cycle: the second packet waits for the first's tail."""
    bench = Bench(kernel)
    for _ in range(3):
        bench.send(0, 1, 17)
    first, second, third = bench.run()
    assert (second - first, third - second) == (17, 17)


def test_packets_to_two_sides_share_the_injection_port(kernel):
    """From node 1 to the west and to the east: the second waits for the first's tail."""
    bench = Bench(kernel)
    bench.send(1, 0, 17)
    bench.send(1, 2, 17)
    assert bench.run() == [2 * 4 + 17 + 1, 2 * 4 + 17 + 1 + 17]


@pytest.mark.parametrize("later", range(20))
def test_two_packets_that_meet_on_a_link_serialise(kernel, later):
    """From node 1 to 2 and from node 0 to 2, both over the link 1 -> 2: one waits for the other.

    The head of the packet from node 1 asks for the link 4 cycles before that of the one from
    node 0, which therefore waits L - 4 cycles, less what it was sent later.
    """
    bench = Bench(kernel)
    near, far = bench.send(1, 2, 17), bench.send(0, 2, 17, at_cycle=later)
    latencies = bench.run()
    assert latencies[near] == 2 * 4 + 17 + 1
    assert latencies[far] == 3 * 4 + 17 + 1 + max(0, 17 - 4 - later)


def test_a_link_serves_in_order_of_arrival(kernel):
    """A short packet that comes later never overtakes on a link, whoever sent it."""
    bench = Bench(kernel, 3, 1)
    long = bench.send(0, 2, 17, at_cycle=0)
    short = bench.send(1, 2, 1, at_cycle=5)  # asks for the link 1 -> 2 after the long one
    latencies = bench.run()
    assert latencies[long] == 3 * 4 + 17 + 1
    assert bench.arrived[short] == bench.arrived[long] + PERIOD


def test_opposite_directions_do_not_disturb_each_other(kernel):
    """Links are directed: a packet each way takes the zero-load time."""
    bench = Bench(kernel)
    bench.send(0, 4, 17)
    bench.send(4, 0, 17)
    assert bench.run() == [5 * 4 + 17 + 1] * 2


def test_the_ideal_network_is_never_busy(kernel):
    """Any number of packets at once, each in its zero-load time."""
    bench = Bench(kernel, model="ideal")
    for _ in range(20):
        bench.send(3, 16, 9)
    assert bench.run() == [(5 + 1) * 4 + 9 + 1] * 20  # h = 2 + 3


def test_a_link_is_busy_until_and_no_longer(kernel):
    """A packet that comes just as the port falls free does not wait; a cycle earlier it does."""
    for gap, wait in ((17, 0), (16, 1)):
        bench = Bench(kernel, 2, 1)
        bench.send(0, 1, 17)
        second = bench.send(0, 1, 17, at_cycle=gap)
        assert bench.run()[second] == 2 * 4 + 17 + 1 + wait


@st.composite
def traffic(draw):
    """Random packets on a random mesh."""
    columns, rows = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    node = st.integers(0, columns * rows - 1)
    packet = st.tuples(node, node, st.integers(1, 17), st.integers(0, 60))
    return columns, rows, draw(st.lists(packet, min_size=1, max_size=40))


@settings(max_examples=50)
@given(traffic(), st.integers(1, 4))
def test_random_traffic_is_conserved(kernel, drawn, stages):
    """Every packet arrives once, no sooner than alone; flits on links = sum of flits x hops."""
    columns, rows, packets = drawn
    bench = Bench(kernel, columns, rows, stages=stages)
    for source, target, flits, at in packets:
        bench.send(source, target, flits, at)
    latencies = bench.run()
    network = bench.network
    hops = [manhattan(s, t, columns) for s, t, _, _ in packets]
    for latency, h, (_, _, flits, _) in zip(latencies, hops, packets, strict=True):
        assert latency >= (h + 1) * (stages + 1) + flits + 1
        assert latency == int(latency)
    total = sum(flits for _, _, flits, _ in packets)
    assert sum(port.flits for port in network.injections) == total
    assert sum(port.flits for port in network.ejections) == total
    carried = sum(link.flits for link in network.links.values())
    assert carried == sum(h * flits for h, (_, _, flits, _) in zip(hops, packets, strict=True))
    assert network.in_flight == 0
    busiest = max(link.flits for link in network.all_links())
    assert bench.env.now >= busiest * PERIOD


@settings(max_examples=50)
@given(traffic())
def test_packets_of_a_pair_keep_their_order(kernel, drawn):
    """Between two nodes there is one way and FIFO links: no packet overtakes another."""
    columns, rows, packets = drawn
    bench = Bench(kernel, columns, rows)
    for source, target, flits, at in packets:
        bench.send(source, target, flits, at)
    bench.run()
    for pair in {(s, t) for s, t, _, _ in packets}:
        of_pair = [i for i, (s, t, _, _) in enumerate(packets) if (s, t) == pair]
        by_time = sorted(of_pair, key=lambda i: (packets[i][3], i))
        times = [bench.arrived[i] for i in by_time]
        assert times == sorted(times)


def test_waiting_at_one_link_is_that_of_an_md1_queue(kernel):
    """Poisson arrivals to a link of fixed service at load 0.6: mean wait rho / (2 (1 - rho)) L.

    Pollaczek-Khinchine for deterministic service, 20 000 packets of 17 flits injected in one node.
    """
    load, flits, packets = 0.6, 17, 20_000
    bench = Bench(kernel, 2, 1)
    draw = np.random.default_rng(7)
    gaps = draw.exponential(flits / load, packets)
    for at in np.floor(gaps.cumsum()).astype(int).tolist():
        bench.send(0, 1, flits, at)
    latencies = bench.run()
    wait = float(np.mean(latencies)) - (2 * 4 + flits + 1)
    assert math.isclose(wait, load / (2 * (1 - load)) * flits, rel_tol=0.05)

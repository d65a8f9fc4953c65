"""One packet to several terminals: a tree, each link used once, every target reached in time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hardware.noc.test_packet_mesh import PERIOD, manhattan, noc
from tlm.config.fabric import Mesh

STAGES = 3


class Bench:
    """A mesh with one terminal a node, and what came where at which cycle."""

    def __init__(self, kernel, columns, rows, model="packet"):
        self.kernel, self.env = kernel, kernel.environment()
        network = kernel.router_network if model == "router" else kernel.packet_network
        mesh = Mesh(columns=columns, rows=rows)
        self.network = network(self.env, mesh, noc(STAGES, model=model))
        for node in range(columns * rows):
            self.network.attach(node, f"core{node:02d}")
        self.arrivals = []

    def send(self, ident, source, targets, flits, cycle=0):
        """Let one packet be injected for all targets."""

        def deliver(target):
            def arrived(txn):
                assert (txn.ident, txn.nbytes, txn.flits) == (ident, 16 * flits, flits)
                assert (txn.command, txn.address, txn.initiator, txn.target) == (2, 64, source, 77)
                assert (txn.begin_req, txn.end_req, txn.begin_resp, txn.job) == (1, 2, 3, "job")
                self.arrivals.append((ident, target, self.env.now / PERIOD))

            return (arrived,)

        txn = self.kernel.transaction(ident, 2, 64, 16 * flits, source, "job")
        txn.flits, txn.target = flits, 77
        txn.begin_req, txn.end_req, txn.begin_resp = 1, 2, 3
        txn.path = self.network.tree(source, {target: deliver(target) for target in targets})
        call = self.env.timeout(cycle * PERIOD - self.env.now)
        call.callbacks.append(lambda _: self.network.send(txn, source))

    def run(self):
        """Run dry; cycles of arrival by packet and target."""
        self.env.run()
        assert self.network.in_flight == 0
        assert len(self.arrivals) == len({arrival[:2] for arrival in self.arrivals})
        return {(ident, target): cycle for ident, target, cycle in self.arrivals}

    def used(self):
        """Flits by mesh link, of those that carried any."""
        return {key: link.flits for key, link in self.network.links.items() if link.flits}


def tree_links(columns, source, targets):
    """The links of XY routes from coordinates: along the source's row, then up and down columns."""
    x, y = source % columns, source // columns
    places = [(target % columns, target // columns) for target in targets]
    links = {(y * columns + a, "east") for a in range(x, max(x, *(c for c, _ in places)))}
    links |= {(y * columns + a, "west") for a in range(x, min(x, *(c for c, _ in places)), -1)}
    for column, row in places:
        links |= {(b * columns + column, "south") for b in range(y, row)}
        links |= {(b * columns + column, "north") for b in range(y, row, -1)}
    return links


@st.composite
def multicasts(draw):
    """A mesh, a source in it, and one to all of its nodes as targets."""
    columns, rows = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    nodes = st.integers(0, columns * rows - 1)
    return columns, rows, draw(nodes), draw(st.lists(nodes, min_size=1, unique=True))


@given(multicasts(), st.integers(1, 17), st.sampled_from(["packet", "ideal"]))
def test_alone_every_target_is_reached_as_by_a_packet_of_its_own(kernel, multicast, flits, model):
    """(h + 1)(P + 1) + L + 1 cycles to each target, whoever else is served."""
    columns, rows, source, targets = multicast
    bench = Bench(kernel, columns, rows, model=model)
    bench.send(7, source, targets, flits)
    assert bench.run() == {
        (7, target): (manhattan(source, target, columns) + 1) * (STAGES + 1) + flits + 1
        for target in targets
    }


@given(multicasts(), st.integers(1, 17))
def test_every_link_of_the_tree_carries_each_flit_once(kernel, multicast, flits):
    """Links are those of the merged routes; one injection, one ejection at every target."""
    columns, rows, source, targets = multicast
    bench = Bench(kernel, columns, rows)
    bench.send(0, source, targets, flits)
    bench.run()
    links = tree_links(columns, source, targets)
    assert bench.used() == dict.fromkeys(links, flits)
    assert bench.network.hops(source, *targets) == len(links)
    assert sum(port.flits for port in bench.network.injections) == flits
    ejected = [node for node, port in enumerate(bench.network.ejections) if port.flits == flits]
    assert ejected == sorted(targets)


@given(st.lists(multicasts().map(lambda draw: draw[3]), min_size=2, max_size=8), st.data())
def test_trees_that_meet_lose_and_double_nothing(kernel, targets, data):
    """Every packet reaches each of its targets once, never before its zero-load time."""
    bench = Bench(kernel, 6, 5)
    sent = {}
    for ident, ends in enumerate(targets):
        source, cycle = data.draw(st.integers(0, 29)), data.draw(st.integers(0, 40))
        sent[ident] = (source, ends, cycle)
        bench.send(ident, source, ends, 17, cycle)
    arrived = bench.run()
    assert set(arrived) == {(ident, end) for ident, (_, ends, _) in sent.items() for end in ends}
    for (ident, end), cycle in arrived.items():
        source, _, begin = sent[ident]
        assert cycle - begin >= (manhattan(source, end, 6) + 1) * (STAGES + 1) + 17 + 1


def test_a_tree_leaves_its_source_once_where_packets_follow_each_other(kernel):
    """To 4 neighbours in a column: 17 cycles of the port, against 4 x 17 of single packets."""
    targets = [1, 2, 3, 4]
    single, tree = Bench(kernel, 1, 5), Bench(kernel, 1, 5)
    for target in targets:
        single.send(target, 0, [target], 17)
    tree.send(0, 0, targets, 17)
    last_single, last_tree = max(single.run().values()), max(tree.run().values())
    assert last_single - last_tree == 3 * 17
    assert {flits for flits in tree.used().values()} == {17}


def test_a_branch_that_waits_holds_up_no_other(kernel):
    """Node 4 sends to 3 and 5 while the link to 5 is busy: 3 is reached at once."""
    bench = Bench(kernel, 3, 3)
    bench.send(0, 3, [5], 100)  # takes the link 4 -> 5 for 100 cycles
    bench.send(1, 4, [3, 5], 17, cycle=10)
    arrived = bench.run()
    alone = 2 * (STAGES + 1) + 17 + 1
    assert arrived[1, 3] == 10 + alone
    assert arrived[1, 5] > 100


@pytest.mark.parametrize("targets", [[0], [19, 3, 7], list(range(20))])
def test_routers_that_do_not_fork_send_to_each_target(kernel, targets):
    """In the router model each target has a packet, and a link carries as many as pass it."""
    bench = Bench(kernel, 5, 4, model="router")
    bench.send(3, 6, targets, 17)
    arrived = bench.run()
    assert set(arrived) == {(3, target) for target in targets}
    each = sum(manhattan(6, target) for target in targets)
    assert sum(bench.used().values()) == 17 * each == 17 * bench.network.hops(6, *targets)


@settings(max_examples=15)
@given(multicasts())
def test_alone_a_branch_is_as_fast_as_a_packet_through_routers(kernel, multicast):
    """The tree's latency to each target is that of a single packet in the router model."""
    columns, rows, source, targets = multicast
    tree = Bench(kernel, columns, rows)
    tree.send(0, source, targets, 17)
    routers = Bench(kernel, columns, rows, model="router")
    for turn, target in enumerate(targets):
        routers.send(0, source, [target], 17, cycle=1000 * turn)
    assert tree.run() == {
        key: cycle - 1000 * targets.index(key[1]) for key, cycle in routers.run().items()
    }

"""Links: packets in order, stored and forwarded at switches, lost and sent again, all counted."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlm.config.problems import validated
from tlm.federated.network import SystemNetwork, wire_ps
from tlm.federated.plan import FederatedPlan
from tlm.federated.topology import children, graph_of, parent
from tlm.kernel import Environment

GIGABIT_BYTE_PS = 8_000
LATENCY_PS = 1_000_000


def network(workers: int, **keys: object) -> SystemNetwork:
    """A network of 1 Gbit/s and 1 us; further keys are those of the plan."""
    values = {"bandwidth": "1 Gbit/s", "latency": "1 us", "packet": "1000 B"}
    values |= keys.pop("network", {})  # type: ignore[arg-type]
    plan = validated(FederatedPlan, {"recording": "x", "network": values, **keys}, "a test")
    return SystemNetwork(Environment(), plan, workers)


def arrival(net: SystemNetwork, source: int, target: int, nbytes: int) -> int:
    """When all bytes of a message that is sent now are there."""
    transfer = net.send("upload", 1, (source, target), nbytes, 0)
    net.env.run()
    assert transfer.arrived.complete
    return transfer.end_ps


@pytest.mark.parametrize(
    ("nbytes", "packets_ps"), [(1000, 8_000_000), (1001, 8_008_000), (2500, 20_000_000), (0, 0)]
)
def test_a_message_takes_its_bits_and_the_latency(nbytes: int, packets_ps: int) -> None:
    """Over one link: packets follow each other without a gap; no bytes take the latency alone."""
    assert arrival(network(2), 0, 2, nbytes) == packets_ps + LATENCY_PS


def test_a_switch_sends_on_what_it_has_whole() -> None:
    """Over two links: the first packet twice, all others behind it."""
    net = network(3, aggregator="worker0")
    assert arrival(net, 1, 0, 3000) == 4 * 1000 * GIGABIT_BYTE_PS + 2 * LATENCY_PS


def test_a_link_serves_in_order_of_arrival() -> None:
    """Two workers send to worker 0 at once: their packets take turns on its link."""
    net = network(3, aggregator="worker0")
    both = [net.send("upload", 1, (worker, 0), 2000, worker) for worker in (1, 2)]
    net.env.run()
    first_ps = 1000 * GIGABIT_BYTE_PS + 2 * LATENCY_PS
    ends = [transfer.end_ps for transfer in both]
    assert ends == [first_ps + 3 * 1000 * GIGABIT_BYTE_PS, first_ps + 4 * 1000 * GIGABIT_BYTE_PS]
    assert net.links[3, 0].busy_ps == 4 * 1000 * GIGABIT_BYTE_PS


@given(st.integers(0, 20_000), st.floats(0, 0.5), st.integers(0, 50), st.integers(1, 4000))
@settings(deadline=None)
def test_every_byte_is_carried_once_a_link_and_once_more_if_lost(
    nbytes: int, loss: float, seed: int, packet: int
) -> None:
    """The links' own counters against the message's; all of it arrives in the end."""
    keys = {"loss": loss, "packet": f"{packet} B"}
    net = network(3, aggregator="worker0", network=keys, seed=seed)
    arrival(net, 2, 0, nbytes)
    (transfer,) = net.transfers
    carried = sum(link.wire_nbytes for link in net.links.values())
    assert carried == transfer.wire_nbytes == 2 * nbytes + transfer.lost_nbytes
    assert loss or not transfer.lost_nbytes


def test_the_share_of_lost_packets_is_that_of_the_plan() -> None:
    """A fifth, within four standard deviations of 5,000 draws; the same seed loses the same."""
    lost = []
    for seed in (1, 1, 2):
        net = network(1, network={"loss": 0.2}, seed=seed)
        arrival(net, 0, 1, 4_000_000)
        lost.append(net.transfers[0].lost_nbytes / net.transfers[0].wire_nbytes)
    assert lost[0] == lost[1] != lost[2]
    assert lost[0] == pytest.approx(0.2, abs=4 * (0.2 * 0.8 / 5000) ** 0.5)


def test_links_lose_packets_of_their_own() -> None:
    """Two workers send the same number of packets: not the same of them are lost."""
    net = network(2, network={"loss": 0.2})
    transfers = [net.send("upload", 1, (worker, 2), 1_000_000, worker) for worker in (0, 1)]
    net.env.run()
    assert transfers[0].lost_nbytes != transfers[1].lost_nbytes


def test_a_lost_packet_costs_a_round_trip_and_its_bits() -> None:
    """One packet, lost some times: each time it occupies the link and is missed after 2 us."""
    for seed in range(30):
        net = network(1, network={"loss": 0.5}, seed=seed)
        end_ps = arrival(net, 0, 1, 1000)
        losses = net.transfers[0].lost_nbytes // 1000
        assert end_ps == (losses + 1) * 8_000_000 + (2 * losses + 1) * LATENCY_PS


def test_a_lost_packet_goes_before_a_later_message() -> None:
    """Behind it wait 1000 packets: of these it lets one pass while it is missed, and one a loss."""
    for seed in range(20):
        net = network(1, network={"loss": 0.2}, seed=seed)
        first, later = (net.send("upload", 1, (0, 1), nbytes, 0) for nbytes in (20_000, 1_000_000))
        net.env.run()
        losses = first.lost_nbytes // 1000
        assert first.end_ps <= (20 + 2 * losses) * 8_000_000 + (2 * losses + 1) * LATENCY_PS
        assert later.end_ps > 1000 * 8_000_000


@given(st.integers(1, 40), st.data())
def test_routes_are_shortest(workers: int, data: st.DataObject) -> None:
    """A ring's shorter way round, a tree's depth, a star's two links."""
    worker = data.draw(st.integers(0, workers - 1))
    length = {
        topology: len(graph_of(topology, workers).route(worker, 0))  # type: ignore[arg-type]
        for topology in ("ring", "tree", "star")
    }
    assert length["ring"] == min(worker, workers - worker)
    assert length["tree"] == (worker + 1).bit_length() - 1
    assert length["star"] == (2 if worker else 0)


@given(st.integers(1, 70))
def test_parents_and_children_agree(workers: int) -> None:
    """Every worker but the first is the child of its parent, and of nobody else."""
    named = [child for worker in range(workers) for child in children(worker, workers)]
    assert sorted(named) == list(range(1, workers))
    for worker in range(1, workers):
        assert worker in children(parent(worker), workers)


def test_links_of_a_worker_can_differ() -> None:
    """Both directions of worker 1, and no other's; of two that are named the slower counts."""
    slow = {"worker1": {"bandwidth": "100 Mbit/s"}, "worker0": {"latency": "3 us"}}
    star = network(3, links=slow)
    assert arrival(star, 1, 3, 1000) == 10 * 8_000_000 + LATENCY_PS
    net = network(3, links=slow, network={"topology": "ring"})
    assert arrival(net, 0, 1, 1000) == 10 * 8_000_000 + 3 * LATENCY_PS
    both = slow | {"worker2": {"bandwidth": "50 Mbit/s", "latency": "2 us"}}
    net = network(3, links=both, network={"topology": "ring"})
    assert arrival(net, 1, 2, 1000) == 20 * 8_000_000 + 2 * LATENCY_PS


def test_time_on_a_wire_is_rounded_up() -> None:
    """And nothing where bandwidth is unlimited."""
    assert wire_ps(1, 3 * 10**12) == 3
    assert wire_ps(10**9, None) == 0

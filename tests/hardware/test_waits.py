"""Seeded faults that stop a chip: the wait-for graph names the circle, or where the chain ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.hardware.core.bench import BP0, FP0, FP1, Bench
from tests.hardware.kernels import REFERENCE
from tests.hardware.noc.router_bench import Bench as RouterBench
from tlm.hardware.noc.router.parts import Packet
from tlm.hardware.noc.router.shape import RouterShape
from tlm.hardware.noc.router.waits import lane_waits
from tlm.hardware.waits import wait_graph
from tlm.kernel import StuckError
from tlm.kernel.wait_graph import WaitGraph

PACKET_NETWORK = ()
ROUTERS = ("noc.model=router", "noc.vc_buffer=4")


def stuck(bench):
    """The explanation of a bench that must not reach its end."""
    with pytest.raises(StuckError):
        bench.run()
    return wait_graph(bench.chip).explain()


def test_a_circle_is_found_behind_a_tail_and_named_in_order():
    """A chain that leads into a circle: the circle alone is reported."""
    graph = WaitGraph()
    for waiter, awaited in ("ab", "bc", "xb", "cd", "db", "ce"):
        graph.wait(waiter, awaited)
    assert graph.circle() == ["b", "c", "d"]
    assert graph.explain() == "a circle of 3: b -> c -> d -> b"


def test_without_a_circle_the_chain_is_followed_to_its_end():
    """Two ways that meet again are no circle."""
    graph = WaitGraph()
    for waiter, awaited in ("ab", "ac", "bd", "cd"):
        graph.wait(waiter, awaited)
    assert graph.circle() == []
    assert graph.explain() == "no circle; a -> b -> d"


def test_two_engines_that_signal_each_other_too_late_are_a_circle(new_bench):
    """FP needs what BP signals after its tile, and BP what FP signals after its own."""
    bench = new_bench()
    first = bench.done.expect(bench.done.ident("first"))
    second = bench.done.expect(bench.done.ident("second"))
    bench.add(FP0, 10, needs=(first,), signals=(second,))
    bench.add(BP0, 10, needs=(second,), signals=(first,))
    circle = 'chip.core00.fp -> "first" -> chip.core00.bp -> "second" -> chip.core00.fp'
    assert stuck(bench) == f"a circle of 4: {circle}"


def test_a_circle_over_the_mesh_and_dram_is_named(new_bench):
    """Core 1 waits for a message of core 0, which waits for what core 1 would save in DRAM."""
    bench = new_bench()
    saved = bench.done.expect(bench.done.ident("saved"))
    spikes = bench.done.ident("spikes")
    bench.add(FP0, 10, read_needs=(saved,), messages=(bench.message(1, 256, spikes),))
    bench.add(FP1, 10, needs=(spikes,), writes=((0, 256),), saves=(saved,))
    circle = 'chip.core00.fp -> "saved" -> chip.core01.fp -> "spikes" -> chip.core00.fp'
    assert stuck(bench) == f"a circle of 4: {circle}"


def test_a_completion_announced_too_often_is_the_end_of_the_chain(new_bench):
    """Nobody is left to count towards it."""
    bench = new_bench()
    bench.add(BP0, 10, needs=(bench.done.expect(bench.done.ident("dS"), 2),))
    bench.add(FP0, 10, signals=(0,))
    assert "nobody: no tile left counts towards it" in stuck(bench)


def changed(kernel, **classes):
    """The kernel with other classes for some parts of a chip."""
    return kernel._replace(model=replace(kernel.model, **classes))


@pytest.mark.parametrize("network", [PACKET_NETWORK, ROUTERS], ids=["packet", "router"])
def test_a_dropped_transaction_is_missed(network, chip_kernel):
    """A DRAM channel that forgets an answer: the DMA has a transaction that is nowhere."""
    forgetful = changed(chip_kernel, memory_port=lambda network, terminal: lambda txn: None)
    bench = Bench(forgetful, *network)
    bench.add(FP0, 10, reads=((0, 256),))
    lost = "chip.core00.fp.dma -> 1 transactions that are nowhere: lost"
    assert stuck(bench) == f"no circle; chip.core00.fp -> {lost}"


def test_a_controller_that_answers_nobody_holds_the_transaction(monkeypatch):
    """The FR-FCFS controller of the reference never serves: the chain ends at its channel."""
    monkeypatch.setattr("tlm.hardware.dram.scheduler.Scheduler.advance", lambda self, until: None)
    monkeypatch.setattr("tlm.hardware.dram.scheduler.Scheduler.wake_at", lambda self: 1 << 62)
    bench = Bench(REFERENCE, "dram.model=controller")
    bench.add(FP0, 10, reads=((0, 256),))
    assert stuck(bench).endswith("chip.core00.fp.dma -> dram0")


def test_a_message_whose_link_is_cut_leads_to_its_senders_dma(chip_kernel):
    """Core 1 waits for spikes; core 0 has sent them, and no link has them."""

    class CutNetwork(chip_kernel.model.packet_network):
        def send(self, txn, source):
            return 0

    bench = Bench(changed(chip_kernel, packet_network=CutNetwork))
    bench.add(FP0, 10, messages=(bench.message(1, 256, bench.done.ident("spikes")),))
    bench.add(FP1, 10, needs=(0,))
    graph = wait_graph_of(bench)
    assert graph["chip.core01.fp"] == ['"spikes"']
    assert graph['"spikes"'] == ["chip.core00.fp.dma"]
    assert graph["chip.core00.fp.dma"] == ["1 transactions that are nowhere: lost"]


def wait_graph_of(bench):
    """The edges of a stuck bench as lists."""
    stuck(bench)
    return {waiter: list(awaited) for waiter, awaited in wait_graph(bench.chip).edges.items()}


def test_a_lost_credit_is_named_where_it_is_missed():
    """The buffers behind a channel are empty and their credits never came back."""
    bench = RouterBench(2, 1, RouterShape(vcs=1, vc_buffer=4))
    east = next(out for out in bench.mesh.outputs() if out.name == "n00.east")
    east.lanes[0].credit = 1
    bench.send(0, 1, 3)
    for _ in range(200):
        bench.fabric.step()
        for due in bench.fabric._credits:
            due.clear()
    waits = dict(lane_waits(bench.fabric))
    assert waits["t00.inject.vc0"] == "credits of n00.east.vc0, which is empty: lost"


def clockwise(bench):
    """Let every packet of a 2 x 2 mesh go round clockwise, which is not free of circles."""
    onward = {0: "n00.east", 1: "n01.south", 3: "n03.west", 2: "n02.north"}
    outputs = {out.name: out for out in bench.mesh.outputs()}
    for router in bench.mesh.routers:
        for terminal, node in enumerate(bench.mesh.node_of):
            if node != router.node:
                router.ways[terminal] = (outputs[onward[router.node]],)


def test_packets_that_turn_in_a_ring_are_a_circle_of_buffers():
    """Four long packets, each in the buffer the next one needs."""
    bench = RouterBench(2, 2, RouterShape(vcs=1, vc_buffer=2))
    clockwise(bench)
    for source, target in ((0, 3), (1, 2), (3, 0), (2, 1)):
        bench.fabric.send(Packet(target, 16, 0, None), source)
    while not bench.fabric.stuck:
        bench.fabric.step()
    graph = WaitGraph()
    for lane, awaited in lane_waits(bench.fabric):
        graph.wait(lane, awaited)
    ring = ["n00.east.vc0", "n01.south.vc0", "n03.west.vc0", "n02.north.vc0"]
    circle = graph.circle()
    assert sorted(circle) == sorted(ring)
    assert circle[(circle.index("n00.east.vc0") + 1) % 4] == "n01.south.vc0"

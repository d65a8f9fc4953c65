"""The router network under the kernel, beside the packet network, and in a whole chip."""

import pytest

from tests.hardware.noc.kernels import SIMPY
from tlm.config import load_chip
from tlm.running.runner import run_job


def noc_of(*overrides):
    """Mesh and network settings of the default chip with overrides."""
    config = load_chip("neuromc-20", [f"noc.{text}" for text in overrides]).config
    return config.mesh, config.noc


def arrivals(kernel, model, sends, *overrides):
    """(ident, time in ps) of every delivery; ``sends`` are (time in ps, source, target, bytes)."""
    env = kernel.environment()
    mesh, noc = noc_of(*overrides)
    network = getattr(kernel, model)(env, mesh, noc)
    for node in range(mesh.columns * mesh.rows):
        network.attach(node, f"core{node:02d}")
    deliveries = []

    def sender(ident, time, source, target, nbytes):
        yield env.timeout(time)
        txn = kernel.transaction(ident, 0, 0, nbytes, source, None)
        txn.flits = network.packet_format.flits(nbytes)
        txn.path = network.path(source, target, (lambda t: deliveries.append((t.ident, env.now)),))
        network.send(txn, source)

    for ident, send in enumerate(sends):
        env.process(sender(ident, *send))
    env.run()
    assert network.in_flight == 0
    return deliveries


@pytest.mark.parametrize("stages", [2, 3, 4])
def test_unloaded_router_and_packet_agree(stages, kernel):
    """Alone in the mesh, a packet takes the same time in both models, between any two nodes."""
    sends = [
        (2_000_000 * i, source, target, 256 if i % 2 else 0)
        for i, (source, target) in enumerate((a, b) for a in range(0, 20, 3) for b in range(20))
    ]
    options = (f"router_stages={stages}",)
    packets = arrivals(SIMPY, "packet_network", sends, *options)
    assert arrivals(kernel, "router_network", sends, *options) == packets


def test_a_packet_between_two_clock_edges_waits_for_the_second(kernel):
    """The network's clock is 2 ns: a packet sent at 1 ps leaves with the edge at 2000 ps."""
    arrived = [(0, 2000 + 2000 * (2 * 4 + 1 + 1))]
    assert arrivals(kernel, "router_network", [(1, 0, 1, 0)]) == arrived


def test_requests_and_responses_do_not_meet(kernel):
    """A terminal that responds uses channels of its own."""
    env = kernel.environment()
    mesh, noc = noc_of()
    network = kernel.router_network(env, mesh, noc)
    core = network.attach(0, "core00")
    channel = network.attach(1, "dram0", responds=True)
    arrived = []
    for source, target in ((core, channel), (channel, core)):
        txn = kernel.transaction(source, 0, 0, 0, 0, None)
        txn.flits = 1
        txn.path = network.path(source, target, (arrived.append,))
        network.send(txn, source)
    env.run()
    assert len(arrived) == 2
    carried = {link.name: link.flits for link in network.links.values() if link.flits}
    assert carried == {"n00.east": 1, "response.n01.west": 1}
    assert len({port.name for port in network.all_links()}) == len(network.all_links())


@pytest.mark.parametrize("routing", ["xy", pytest.param("west-first", marks=pytest.mark.slow)])
def test_a_job_on_the_router_network(tmp_path, routing):
    """A bundled job with one lane of two flits an input ends, and every invariant holds."""
    overrides = ("noc.model=router", "noc.vc_buffer=2", "noc.vcs=1", f"noc.routing={routing}")
    result = run_job("mnist-fc", overrides=overrides, out=tmp_path / "run", trace="off")
    assert result.ok, result.summary.broken
    assert result.summary.time.makespan_ps > 0

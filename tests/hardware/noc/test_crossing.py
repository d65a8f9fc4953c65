"""Clock domains: what is given to another clock is seen at its edges, and costs what it should."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.program.jobs import IDEAL_DRAM, broken_by, built, conv, job, linear, loaded_chip
from tlm.config.fabric import Mesh, Noc
from tlm.config.layers import load_chip
from tlm.config.tables.dram_timing import load_dram_timing
from tlm.errors import ConfigError
from tlm.hardware.chip import own_clock_ps
from tlm.hardware.noc.crossing import Crossing
from tlm.kernel import run_until

TIMES = st.integers(0, 10**9)
PERIODS = st.integers(1, 10**5)


@given(given_ps=TIMES, later=TIMES, period=PERIODS, stages=st.integers(1, 4))
def test_seen_at_the_nth_edge_after(given_ps, later, period, stages):
    """An edge of the receiving clock, n - 1 to n periods later, in the order of giving."""
    crossing = Crossing(period, stages)
    visible_ps = crossing.seen_ps(given_ps)
    assert visible_ps % period == 0
    assert (stages - 1) * period < visible_ps - given_ps <= stages * period
    assert crossing.seen_ps(given_ps + later) >= visible_ps


def latency(kernel, model, clocks_ps, sent_ps):
    """When a packet of 2 flits from terminal 0 to its neighbour 1 arrives, in ps."""
    noc = Noc(
        model=model, clock="500 MHz", link="128 bit", router_stages=3, synchroniser="2 cycles",
        vcs=2, vc_buffer=8, routing="xy", payload="256 B", header="16 B",
    )  # fmt: skip
    env = kernel.environment()
    kind = kernel.router_network if model == "router" else kernel.packet_network
    network = kind(env, Mesh(columns=2, rows=1), noc)
    for node, clock in enumerate(clocks_ps):
        network.attach(node, f"core{node}", clock_ps=clock)
    arrived = []
    packet = kernel.transaction(0, 1, 0, 16, 0, None)
    packet.flits = 2
    packet.path = network.path(0, 1, (lambda _: arrived.append(env.now),))
    env.timeout(sent_ps).callbacks.append(lambda _: network.send(packet, 0))
    env.run()
    return arrived[0]


@pytest.mark.parametrize("model", ["packet", "ideal", "router"])
def test_a_packet_waits_at_both_ends_of_the_network(model, kernel):
    """Sent at 3 ns: seen by the 2 ns clock at 6 ns, by the receiver's 5 ns clock 2 edges later."""
    inside = latency(kernel, model, (0, 0), 6000) - 6000
    assert latency(kernel, model, (3000, 0), 3000) == 6000 + inside
    there = 6000 + inside
    assert latency(kernel, model, (3000, 5000), 3000) == (there // 5000 + 2) * 5000


def run_chip(kernel, *overrides):
    """A small job on a chip, with its failed checks and the time it took."""
    drawn = job(conv((4, 8, 8), 16, 3, padding=1), linear(1024, 10), batch=2)
    plan, program = built(*drawn, *overrides)
    chip, *_ = kernel.chip(plan.chip, load_dram_timing(plan.chip.dram.device), program)
    run_until(chip.env, chip.finished)
    chip.settle()
    return chip, broken_by(chip, plan, program, loaded_chip(*overrides).energy)


@pytest.mark.parametrize("model", ["packet", "router"])
def test_a_chip_of_many_clocks_runs_and_is_slower(model, chip_kernel):
    """Every invariant holds with three clocks; slow cores and synchronisers cost time."""
    base = ("cores=4", IDEAL_DRAM, f"noc.model={model}")
    single, broken_single = run_chip(chip_kernel, *base)
    clocks = 'core.clocks=["0-1: 400 MHz", "3: 125 MHz"]'
    many, broken_many = run_chip(chip_kernel, *base, clocks)
    assert broken_single == broken_many == []
    assert many.env.now > single.env.now
    periods = [many.engines[3 * core].period_ps for core in range(4)]
    assert periods == [2500, 2500, 2000, 8000]


def test_the_common_clock_is_one_domain_with_a_network_of_the_same_clock():
    """Equal clocks need no synchroniser unless a core is said to have a domain of its own."""
    shared = loaded_chip().config
    assert [own_clock_ps(shared, core) for core in (0, 19)] == [0, 0]
    apart = loaded_chip('core.clocks=["19: 500 MHz"]').config
    assert [own_clock_ps(apart, core) for core in (0, 19)] == [0, 2000]


@pytest.mark.parametrize(
    ("clocks", "message"),
    [
        ('["20: 500 MHz"]', "20-20 is no range of cores; they are 0 to 19"),
        ('["3-1: 500 MHz"]', "3-1 is no range of cores"),
        ('["0-3: 500 MHz", "3: 400 MHz"]', "core 3 has two clocks"),
        ('["0-3: 7 GHz"]', "no whole number of them"),
        ('["0-3: 500"]', "expected a frequency with its unit"),
        ('["0 to 3: 500 MHz"]', "expected CORE: CLOCK or FIRST-LAST: CLOCK"),
        ("500 MHz", "expected a list"),
    ],
)
def test_wrong_domains_are_refused_on_one_line(clocks, message):
    """What cannot be a clock domain is named with its key."""
    with pytest.raises(ConfigError, match=message) as caught:
        load_chip("neuromc-20", [f"core.clocks={clocks}"])
    assert "core.clocks" in str(caught.value)
    assert "\n" not in str(caught.value)

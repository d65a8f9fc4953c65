"""The router network: zero load, limits of virtual channels, conservation, queues."""

import csv
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hardware.noc.kernels import SIMPY
from tests.hardware.noc.router_bench import Bench, WatchedBench
from tlm.errors import ConfigError
from tlm.hardware.noc.driver import NocRun, drive
from tlm.hardware.noc.router.shape import RouterShape
from tlm.hardware.noc.traffic import TrafficPattern

REFERENCE = Path(__file__).parents[3] / "traces" / "reference" / "noc"
STAGES = {"rc4": 4, "la3": 3, "sp2": 2}


def rows(name, **columns):
    """Lines of a reference table with the given columns."""
    with (REFERENCE / name).open(newline="") as table:
        return [row for row in csv.DictReader(table) if columns.items() <= row.items()]


def distance(columns, a, b):
    """Manhattan distance of two nodes."""
    return abs(a % columns - b % columns) + abs(a // columns - b // columns)


@pytest.mark.parametrize("routing", ["xy", "yx", "west-first"])
@pytest.mark.parametrize("stages", [2, 3, 4])
def test_zero_load_latency_of_every_pair(stages, routing, kernel):
    """(h + 1)(P + 1) + L + 1 cycles, for every pair of a mesh, one packet at a time."""
    columns, nodes = 4, 12
    for flits in (1, 7, 17):
        bench = Bench(columns, 3, RouterShape(stages, 2, 8, routing), kernel)
        pairs = [(a, b) for a in range(nodes) for b in range(nodes)]
        for i, (source, target) in enumerate(pairs):
            bench.send(source, target, flits, cycle=200 * i)
        for ident, terminal, cycle in bench.run():
            source, target = pairs[ident]
            assert terminal == target
            hops = distance(columns, source, target)
            assert cycle - 200 * ident == (hops + 1) * (stages + 1) + flits + 1


def test_zero_load_latency_of_the_reference():
    """The reference's smallest mean of each distance is the same law."""
    for row in rows("zero_load.csv"):
        if row["router"] in STAGES:
            stages, flits = STAGES[row["router"]], int(row["packet_flits"])
            for pair in row["smallest_pair_mean_by_distance"].split():
                hops, cycles = pair.split(":")
                assert float(cycles) == (int(hops) + 1) * (stages + 1) + flits + 1


def limit_rows():
    """Reference limits of one virtual channel, but for those that depend on a run's first cycles.

    With four lanes the speculative router settles into one of several patterns of lost
    speculation under a saturated hotspot.
    """
    for row in rows("vc_limits.csv"):
        chaotic = row["router"] == "sp2" and row["traffic"] == "hotspot1" and row["vcs"] == "4"
        if row["router"] in STAGES and not chaotic and row["packet_flits"] in ("1", "5", "16"):
            yield row


@pytest.mark.parametrize(
    "row",
    list(limit_rows()),
    ids=lambda row: "-".join(row[c] for c in ("router", "packet_flits", "vcs", "traffic")),
)
def test_limit_of_a_virtual_channel(row, kernel):
    """Pipeline and credits bound what an input or output lane carries: exact fractions."""
    flits = int(row["packet_flits"])
    traffic = TrafficPattern(row["traffic"], 4, 4, flits, 1.0)
    shape = RouterShape(STAGES[row["router"]], int(row["vcs"]), 8)
    window = 1320  # of the denominators 3, 5, 6, 11; the others are within a packet's length
    measured = drive(traffic, shape, NocRun(800, window, 0), driver=kernel.driver)
    expected = float(row["accepted_flit_max_node"])
    assert measured.accepted_max_node == pytest.approx(expected, abs=2 * flits / window)


CURVE_POINTS = [  # router, side, flits, lanes, traffic, rate: below half, and up to 80 %
    ("rc4", "4", "5", "1", "uniform", "0.2", 0.05),
    ("rc4", "4", "5", "4", "uniform", "0.5", 0.10),
    ("rc4", "8", "1", "2", "uniform", "0.1", 0.05),
    ("la3", "4", "1", "4", "uniform", "0.6", 0.10),
    ("sp2", "8", "5", "1", "uniform", "0.1", 0.05),
    ("rc4", "4", "1", "2", "neighbor", "0.5", 0.10),
    ("sp2", "4", "5", "4", "hotspot1", "0.03125", 0.05),
]


@pytest.mark.parametrize("point", CURVE_POINTS, ids=lambda p: "-".join(p[:6]))
def test_latency_under_load(point, kernel):
    """Mean latency against BookSim2, on a few points; ``validate`` compares them all."""
    router, k, flits, vcs, traffic, rate, tolerance = point
    (row,) = (
        row
        for row in rows("curves.csv", router=router, k=k, packet_flits=flits, vcs=vcs)
        if row["traffic"] == traffic and row["offered_flit"] == rate and row["mode"] == "latency"
    )
    measured = drive(
        TrafficPattern(traffic, int(k), int(k), int(flits), float(rate)),
        RouterShape(STAGES[router], int(vcs), 8),
        NocRun(500, int(2500 * int(flits) / (float(rate) * int(k) ** 2)), 3000),
        driver=kernel.driver,
    )
    assert measured.stable
    assert measured.latency == pytest.approx(float(row["plat_avg"]), rel=tolerance)


def random_mix(seed, packets=60, kernel=SIMPY):
    """A mesh and a traffic mix nobody chose: short buffers, bursts, long packets."""
    draw = random.Random(seed)
    columns, height = draw.randint(1, 5), draw.randint(1, 5)
    shape = RouterShape(
        draw.choice((2, 3, 4)),
        draw.randint(1, 3),
        draw.choice((1, 2, 3)),
        draw.choice(("xy", "yx", "west-first")),
    )
    bench = Bench(columns, height, shape, kernel)
    nodes, cycle, due = columns * height, 0, []
    for ident in range(packets):
        cycle += draw.choice((0, 0, 0, 1, 7))
        target = draw.randrange(nodes)
        bench.send(draw.randrange(nodes), target, draw.randint(1, 12), cycle)
        due.append((ident, target))
    return bench, sorted(due)


def check_mix(seed, kernel=SIMPY):
    """Everything arrives exactly once, and every buffer, credit and lane is back where it was."""
    bench, due = random_mix(seed, kernel=kernel)
    bench.settle()
    assert sorted((ident, terminal) for ident, terminal, _ in bench.delivered) == due
    for _, *state in kernel.lane_states(bench.mesh):
        assert state == [bench.mesh.shape.vc_buffer, 0, False]
    outputs = bench.mesh.outputs()
    assert sum(out.packets for out in outputs if out.terminal >= 0) == len(due)
    assert not list(kernel.lane_waits(bench.fabric))  # nobody bids or asks
    if kernel is SIMPY:
        assert all(out.free == bench.mesh.shape.vcs and not out.users for out in outputs)


@pytest.mark.parametrize("seed", range(60))
def test_no_deadlock_with_minimal_buffers(seed, kernel):
    """Random mixes on random meshes with buffers of 1 to 3 flits always drain, and conserve all."""
    check_mix(seed, kernel)


@pytest.mark.slow
def test_no_deadlock_in_a_thousand_mixes():
    """The full form of the test above."""
    for seed in range(1000):
        check_mix(seed)


@pytest.mark.parametrize("rate", [0.05, 0.3, 0.7])
def test_littles_law_at_every_buffer(rate):
    """Mean occupancy = arrival rate x mean time in the buffer, for every lane of the mesh."""
    bench = WatchedBench(4, 4, RouterShape(3, 2, 4))
    for cycle, source, target in TrafficPattern("uniform", 4, 4, 3, rate).arrivals(600):
        if cycle >= 600:
            break
        bench.send(source, target, 3, cycle)
    bench.settle()
    fabric = bench.fabric
    cycles = fabric.cycle
    assert len(fabric.occupancy) > 60
    for lane, integral in fabric.occupancy.items():
        arrival_rate = fabric.flits[lane] / cycles
        mean_time = fabric.residence[lane] / fabric.flits[lane]
        assert integral / cycles == pytest.approx(arrival_rate * mean_time, rel=0.01)


@settings(max_examples=25)
@given(st.integers(0, 10**6))
def test_two_runs_agree(seed):
    """The same packets arrive in the same cycles."""
    first, second = (random_mix(seed, packets=20)[0].run() for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"stages": 5}, "2, 3 or 4 stages, got 5"),
        ({"vcs": 0}, "expected at least 1, got 0, 8"),
        ({"routing": "zigzag"}, "there are xy, yx, west-first"),
    ],
)
def test_wrong_shape_is_refused(change, text):
    """A router that is not modelled is named."""
    with pytest.raises(ConfigError, match=text):
        RouterShape(**change)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("rainbow", 4, 4, 1, 0.1), "'rainbow' is unknown; there are uniform"),
        (("bitrev", 3, 3, 1, 0.1), "power of two, got 9"),
        (("uniform", 4, 4, 2, 2.5), "at most 1 packet per node and cycle"),
    ],
)
def test_wrong_traffic_is_refused(words, text):
    """A pattern or rate that cannot be is named."""
    with pytest.raises(ConfigError, match=text):
        TrafficPattern(*words)

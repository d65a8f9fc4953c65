"""Drives a stand-alone mesh with synthetic traffic, and measures latency and throughput."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from itertools import pairwise
from math import sqrt
from statistics import fmean, stdev
from typing import Any, Literal, NamedTuple, Protocol

from tlm.config.fabric import Mesh, Noc
from tlm.hardware.noc.packet_mesh import PacketNetwork
from tlm.hardware.noc.router.fabric import RouterFabric
from tlm.hardware.noc.router.mesh import RouterMesh
from tlm.hardware.noc.router.parts import Packet
from tlm.hardware.noc.router.shape import RouterShape
from tlm.hardware.noc.traffic import TrafficPattern
from tlm.kernel import Environment, Transaction

Model = Literal["ideal", "packet", "router"]
BATCHES = 8  # of a window, by the time a packet was generated
STUDENT_T = 2.365  # of BATCHES - 1 degrees of freedom, 95 % two-sided
SETTLED = 0.1  # half of a mean's confidence interval, relative to the mean
FEW = 10 * BATCHES  # packets, of which nothing can be said
LONGEST = 4  # windows, by doubling, that a load is given to settle


@dataclass(frozen=True, slots=True)
class NocRun:
    """Length of a measurement in cycles: warm-up, window, and longest drain after it."""

    warmup: int = 3000
    window: int = 10000
    drain: int = 10000


@dataclass(frozen=True, slots=True)
class NocMeasurement:
    """One point of a latency-load curve; latencies in cycles, rates in flits per node and cycle.

    Latency runs from generation, source queue included, to the arrival of the tail, over the
    packets generated in the window (infinite without any). ``stable`` is False where some of these
    never arrived, or their latency has not settled: the means of eight parts of the window agree on
    theirs within 10 %, with a confidence of 95 %, where queues do not grow. ``growing`` is True
    where every part is slower than the one before, as with queues that grow as long as one looks.
    """

    offered: float
    accepted: float
    accepted_max_node: float
    latency: float
    latency_p95: int
    latency_max: int
    packets: int
    cycles: int
    stable: bool
    growing: bool


class Deliveries(Protocol):
    """What was delivered: latencies by part of the window, packets accepted by terminal."""

    begin: int
    end: int
    latencies: list[int]
    parts: list[list[int]]
    accepted: dict[int, int]


Driven = tuple[Deliveries, int, int]  # with packets generated in the window, and cycles run


class Driver(NamedTuple):
    """How the models of a mesh are run: the reference below, or its compiled twin."""

    routers: Callable[[TrafficPattern, RouterShape, NocRun], Driven]
    links: Callable[[TrafficPattern, RouterShape, NocRun, Model], Driven]


@dataclass(slots=True)
class _Meter:
    """Collects deliveries of packets, which carry the cycle they were generated in."""

    begin: int
    end: int
    latencies: list[int] = field(default_factory=list)
    parts: list[list[int]] = field(default_factory=lambda: [[] for _ in range(BATCHES)])
    accepted: dict[int, int] = field(default_factory=dict)

    def note(self, created: int, terminal: int, cycle: int) -> None:
        """A packet's tail arrives at a terminal in ``cycle``."""
        if self.begin <= created < self.end:
            self.latencies.append(cycle - created)
            part = (created - self.begin) * BATCHES // (self.end - self.begin)
            self.parts[part].append(cycle - created)
        if self.begin <= cycle < self.end:
            self.accepted[terminal] = self.accepted.get(terminal, 0) + 1

    def deliver(self, packet: Packet, terminal: int, cycle: int) -> None:
        """The same, from a fabric."""
        self.note(packet.created, terminal, cycle)


def drive(
    traffic: TrafficPattern,
    shape: RouterShape,
    run: NocRun | None = None,
    model: Model = "router",
    driver: Driver | None = None,
) -> NocMeasurement:
    """Run ``traffic`` through a mesh with one terminal per node.

    The models ``packet`` and ``ideal`` have unbounded buffers and use only ``shape.stages``.
    """
    run, driver = run or NocRun(), driver or REFERENCE
    if model == "router":
        return _measure(traffic, *driver.routers(traffic, shape, run))
    return _measure(traffic, *driver.links(traffic, shape, run, model))


def converged(
    traffic: TrafficPattern,
    shape: RouterShape,
    run: NocRun,
    model: Model = "router",
    driver: Driver | None = None,
) -> NocMeasurement:
    """``drive``, with a window that doubles until the latency has settled or queues grow in it."""
    window = run.window
    while True:
        measured = drive(traffic, shape, NocRun(run.warmup, window, run.drain), model, driver)
        doubled = window > run.window
        if measured.stable or (doubled and measured.growing) or window >= LONGEST * run.window:
            return measured
        window *= 2


def _drive_routers(traffic: TrafficPattern, shape: RouterShape, run: NocRun) -> Driven:
    """Step the routers."""
    meter = _Meter(run.warmup, run.warmup + run.window)
    mesh = RouterMesh(traffic.columns, traffic.rows, shape)
    for node in range(traffic.nodes):
        mesh.attach(node, f"t{node:02d}")
    fabric = RouterFabric(mesh, meter.deliver)
    expected = 0
    for cycle, source, target in traffic.arrivals(meter.end + run.drain):
        fabric.skip_to(cycle)
        if cycle >= meter.end:
            if len(meter.latencies) == expected or cycle >= meter.end + run.drain:
                break
        else:
            expected += cycle >= meter.begin
        fabric.send(Packet(target, traffic.flits, cycle, None), source)
    return meter, expected, fabric.cycle


def _drive_links(traffic: TrafficPattern, shape: RouterShape, run: NocRun, model: Model) -> Driven:
    """The same, with a process for each link."""
    meter = _Meter(run.warmup, run.warmup + run.window)
    env = Environment()
    mesh, noc = chip_settings(traffic, shape, model)
    network = PacketNetwork(env, mesh, noc)
    terminals = [network.attach(node, f"t{node:02d}") for node in range(traffic.nodes)]
    period = noc.period_ps
    expected = 0

    def arrived(txn: Transaction) -> None:
        meter.note(txn.begin_req, txn.target, env.now // period)

    def feed() -> Generator[Any, Any, None]:
        nonlocal expected
        for cycle, source, target in traffic.arrivals(meter.end + run.drain):
            if cycle * period > env.now:
                yield env.timeout(cycle * period - env.now)
            if cycle >= meter.end:
                if len(meter.latencies) == expected or cycle >= meter.end + run.drain:
                    return
            else:
                expected += cycle >= meter.begin
            txn = Transaction(0, 0, 0, 0, source, None)
            txn.begin_req, txn.target, txn.flits = cycle, target, traffic.flits
            txn.path = network.path(terminals[source], terminals[target], (arrived,))
            network.send(txn, source)

    env.run(until=env.process(feed()))
    return meter, expected, env.now // period


REFERENCE = Driver(_drive_routers, _drive_links)


def chip_settings(traffic: TrafficPattern, shape: RouterShape, model: Model) -> tuple[Mesh, Noc]:
    """A chip's settings for a stand-alone mesh; packets are given in flits, so sizes are moot."""
    noc = Noc.model_validate(
        {
            "model": model,
            "clock": "1 GHz",
            "link": "128 bit",
            "router_stages": shape.stages,
            "vcs": shape.vcs,
            "vc_buffer": shape.vc_buffer,
            "routing": shape.routing,
            "payload": "256 B",
            "header": "16 B",
            "synchroniser": "0 cycles",  # one clock domain
        }
    )
    return Mesh(columns=traffic.columns, rows=traffic.rows), noc


def _measure(
    traffic: TrafficPattern, meter: Deliveries, expected: int, cycles: int
) -> NocMeasurement:
    latencies = sorted(meter.latencies)
    n, window = len(latencies), meter.end - meter.begin
    mean = sum(latencies) / n if n else float("inf")
    accepted = [count * traffic.flits / window for count in meter.accepted.values()]
    return NocMeasurement(
        offered=traffic.rate,
        accepted=sum(accepted) / traffic.nodes,
        accepted_max_node=max(accepted, default=0.0),
        latency=mean,
        latency_p95=latencies[n * 95 // 100] if n else 0,
        latency_max=latencies[-1] if n else 0,
        packets=n,
        cycles=cycles,
        stable=n == expected and (n < FEW or _settled(meter.parts)),
        growing=n >= FEW and _growing(meter.parts),
    )


def _means(parts: list[list[int]]) -> list[float]:
    return [sum(part) / len(part) if part else float("inf") for part in parts]


def _settled(parts: list[list[int]]) -> bool:
    """Whether the parts' means agree: batch means, Law and Kelton, section 9.5."""
    means = _means(parts)
    half = STUDENT_T * stdev(means) / sqrt(BATCHES) if all(parts) else float("inf")
    return half <= SETTLED * fmean(means)


def _growing(parts: list[list[int]]) -> bool:
    """Whether every part is slower than the one before; a part of which nothing arrived is."""
    means = _means(parts)
    return all(after > before or after == float("inf") for before, after in pairwise(means))

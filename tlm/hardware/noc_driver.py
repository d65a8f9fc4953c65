"""Drives a stand-alone mesh with synthetic traffic, and measures latency and throughput."""

from __future__ import annotations

from dataclasses import dataclass, field

from tlm.hardware.noc_traffic import Traffic
from tlm.hardware.router_fabric import RouterFabric
from tlm.hardware.router_mesh import RouterMesh
from tlm.hardware.router_parts import Packet
from tlm.hardware.router_shape import RouterShape

LATENCY_LIMIT = 500  # cycles: a mean beyond it counts as unstable, as in BookSim2's default


@dataclass(frozen=True, slots=True)
class NocRun:
    """Length of a measurement in cycles: warm-up, window, and longest drain after it."""

    warmup: int = 3000
    window: int = 10000
    drain: int = 20000


@dataclass(frozen=True, slots=True)
class NocMeasurement:
    """One point of a latency-load curve; cycles, and flits a node and cycle.

    Latency runs from generation, source queue included, to the arrival of the tail, over the
    packets generated in the window. ``stable`` is False where some of these never arrived, or
    their mean latency is beyond ``LATENCY_LIMIT``.
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


@dataclass(slots=True)
class _Meter:
    """Collects deliveries."""

    begin: int
    end: int
    flits: int
    latencies: list[int] = field(default_factory=list)
    accepted: dict[int, int] = field(default_factory=dict)

    def deliver(self, packet: Packet, terminal: int, cycle: int) -> None:
        """Note the delivery of a packet whose tail arrives in ``cycle``."""
        if self.begin <= packet.created < self.end:
            self.latencies.append(cycle - packet.created)
        if self.begin <= cycle < self.end:
            self.accepted[terminal] = self.accepted.get(terminal, 0) + 1


def drive_router(traffic: Traffic, shape: RouterShape, run: NocRun | None = None) -> NocMeasurement:
    """Run ``traffic`` through a square mesh of routers with one terminal a node."""
    run = run or NocRun()
    begin, end = run.warmup, run.warmup + run.window
    meter = _Meter(begin, end, traffic.flits)
    mesh = RouterMesh(traffic.side, traffic.side, shape)
    for node in range(traffic.side**2):
        mesh.attach(node, f"t{node:02d}")
    fabric = RouterFabric(mesh, meter.deliver)
    expected = 0
    for cycle, source, target in traffic.arrivals():
        fabric.skip_to(cycle)
        if cycle >= end and (len(meter.latencies) == expected or cycle >= end + run.drain):
            break
        expected += begin <= cycle < end
        fabric.send(Packet((target,), traffic.flits, cycle, None), source)
    return _measure(traffic, meter, expected, fabric.cycle)


def _measure(traffic: Traffic, meter: _Meter, expected: int, cycles: int) -> NocMeasurement:
    latencies = sorted(meter.latencies)
    n, window = len(latencies), meter.end - meter.begin
    mean = sum(latencies) / n if n else float("inf")
    accepted = [count * traffic.flits / window for count in meter.accepted.values()]
    return NocMeasurement(
        offered=traffic.rate,
        accepted=sum(accepted) / traffic.side**2,
        accepted_max_node=max(accepted, default=0.0),
        latency=mean,
        latency_p95=latencies[n * 95 // 100] if n else 0,
        latency_max=latencies[-1] if n else 0,
        packets=n,
        cycles=cycles,
        stable=n == expected and mean <= LATENCY_LIMIT,
    )

"""The mesh models against BookSim2 (traces/reference/noc)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tlm.compiled.driver import mesh_driver
from tlm.hardware.noc.driver import Model, NocRun, drive
from tlm.hardware.noc.router.fabric import RouterFabric
from tlm.hardware.noc.router.mesh import RouterMesh
from tlm.hardware.noc.router.parts import Packet
from tlm.hardware.noc.router.shape import RouterShape
from tlm.hardware.noc.traffic import TrafficPattern
from tlm.space.mesh_routes import distance
from tlm.validation.reference import ReferenceRow, read_table

STAGES = {"rc4": 4, "la3": 3, "sp2": 2}
NOT_MODELLED = "m88"  # BookSim's example router: input speed-up 2, VC freed by the tail's credit
BUFFER_FLITS = 8
FULL_PACKETS, QUICK_PACKETS = 1500, 500


class CurveKey(NamedTuple):
    """Which curve: router, side of the mesh, flits per packet, virtual channels, traffic."""

    router: str
    side: int
    flits: int
    vcs: int
    traffic: str

    @classmethod
    def of(cls, row: ReferenceRow) -> CurveKey:
        """The key of a row of any of the tables."""
        return cls(
            row["router"], int(row["k"]), int(row["packet_flits"]), int(row["vcs"]), row["traffic"]
        )

    def __str__(self) -> str:
        return f"{self.router} {self.side}x{self.side} {self.traffic} L={self.flits} V={self.vcs}"


@dataclass(frozen=True, slots=True)
class MeshTask:
    """One run to make: a curve at an offered rate, and what the reference says of it."""

    key: CurveKey
    rate: float
    share: float  # of saturation, by the reference
    reference: float | None  # mean latency in cycles; None where the reference is not stable
    model: Model
    packets: int


@cache
def _full_rate(traffic: str, side: int, flits: int) -> float:
    """The offered rate at which a link or port is busy all the time."""
    return TrafficPattern(traffic, side, side, flits, rate=0.01).bound()


@dataclass(frozen=True, slots=True)
class LoadPoint:
    """A run made: latency in cycles, accepted flits per node and cycle."""

    task: MeshTask
    latency: float
    accepted: float

    @property
    def use(self) -> float:
        """Share of time for which the traffic asks for its busiest link or port."""
        key = self.task.key
        return self.task.rate / _full_rate(key.traffic, key.side, key.flits)

    @property
    def error(self) -> float:
        """Relative error of the mean latency."""
        assert self.task.reference is not None
        return self.latency / self.task.reference - 1


@dataclass(frozen=True, slots=True)
class CurveResult:
    """One curve of the reference with both models' points."""

    key: CurveKey
    saturation: float  # largest accepted rate of the reference
    ours: float  # the same of the router model
    router: list[LoadPoint]
    packet: list[LoadPoint]

    @property
    def saturation_error(self) -> float:
        """Relative error of the largest accepted rate."""
        return self.ours / self.saturation - 1

    def packet_trusted(self, tolerance: float) -> float:
        """Share of saturation up to which every packet-model point is within ``tolerance``."""
        trusted = 0.0
        for point in sorted(self.packet, key=lambda point: point.task.share):
            if abs(point.error) > tolerance:
                break
            trusted = point.task.share
        return trusted


def tasks(reference: Path, quick: bool) -> list[MeshTask]:
    """Every run that the page needs, in the order of the reference."""
    summary = {CurveKey.of(row): row for row in read_table(reference / "noc" / "summary.csv")}
    packets = QUICK_PACKETS if quick else FULL_PACKETS
    planned = []
    for row in read_table(reference / "noc" / "curves.csv"):
        if row["router"] == NOT_MODELLED:
            continue
        key = CurveKey.of(row)
        limit = _saturation(summary[key])
        rate = float(row["offered_flit"])
        stable = row["stable"] == "1" and row["mode"] == "latency"
        if (
            not stable
            and row["mode"] == "latency"
            and rate > float(summary[key]["first_unstable_rate"] or 0)
        ):
            continue  # an aborted run of the reference, further past saturation than the first
        latency = float(row["plat_avg"]) if stable else None
        planned.append(MeshTask(key, rate, rate / limit, latency, "router", packets))
        if stable:
            planned.append(MeshTask(key, rate, rate / limit, latency, "packet", packets))
    return planned


def _saturation(row: ReferenceRow) -> float:
    """The load beyond which queues grow: the last stable rate, or all that the mesh accepts."""
    return min(float(row["last_stable_rate"]), float(row["max_accepted_flit"]))


def measure(task: MeshTask) -> LoadPoint:
    """Make one run; past saturation only the accepted rate is of interest, and short."""
    key = task.key
    traffic = TrafficPattern(key.traffic, key.side, key.side, key.flits, task.rate)
    window = int(task.packets * key.flits / (task.rate * traffic.nodes))
    if task.reference is None:
        run = NocRun(1000, 1500, 0)
    elif task.share < 0.8:
        run = NocRun(800, max(1000, window), 5000)
    else:
        run = NocRun(2000, max(3000, window), 8000)
    shape = RouterShape(STAGES[key.router], key.vcs, BUFFER_FLITS)
    measured = drive(traffic, shape, run, task.model, mesh_driver())
    return LoadPoint(task, measured.latency, measured.accepted)


def collect(reference: Path, points: Iterable[LoadPoint]) -> list[CurveResult]:
    """Points by curve, in the order of the reference."""
    summary = {CurveKey.of(row): row for row in read_table(reference / "noc" / "summary.csv")}
    by_curve: dict[CurveKey, list[LoadPoint]] = {}
    for point in points:
        by_curve.setdefault(point.task.key, []).append(point)
    return [
        CurveResult(
            key=key,
            saturation=float(summary[key]["max_accepted_flit"]),
            ours=max((p.accepted for p in measured if p.task.model == "router"), default=0.0),
            router=[p for p in measured if p.task.model == "router" and p.task.reference],
            packet=[p for p in measured if p.task.model == "packet"],
        )
        for key, measured in by_curve.items()
    ]


def errors_between(
    results: Iterable[CurveResult], model: Model, low: float, high: float
) -> list[float]:
    """Latency errors of the points with a share of saturation in [low, high)."""
    return [
        point.error
        for result in results
        for point in (result.router if model == "router" else result.packet)
        if low <= point.task.share < high
    ]


@dataclass(frozen=True, slots=True)
class Limit:
    """What one virtual channel carries at offered load 1: flits per cycle of the busiest node."""

    key: CurveKey
    fraction: str
    reference: float
    ours: float
    resolution: float  # two packets over the window

    @property
    def holds(self) -> bool:
        """Equal but for the resolution of the two measurements."""
        return abs(self.ours - self.reference) <= self.resolution


def limit_rows(reference: Path) -> list[ReferenceRow]:
    """The table of what virtual channels carry."""
    return read_table(reference / "noc" / "vc_limits.csv")


def limits(rows: Iterable[ReferenceRow]) -> Iterator[Limit]:
    """The limits of virtual channels of every modelled router."""
    window = 3000
    for row in rows:
        if row["router"] == NOT_MODELLED:
            continue
        key = CurveKey.of(row)
        traffic = TrafficPattern(key.traffic, key.side, key.side, key.flits, 1.0)
        shape = RouterShape(STAGES[key.router], key.vcs, BUFFER_FLITS)
        measured = drive(traffic, shape, NocRun(1000, window, 0), driver=mesh_driver())
        yield Limit(
            key,
            row["as_fraction"],
            float(row["accepted_flit_max_node"]),
            measured.accepted_max_node,
            2 * key.flits / window,
        )


def zero_load_mismatches(side: int, flits: int) -> list[tuple[str, int, int]]:
    """(router, source, target) of pairs whose unloaded latency is not (h + 1)(P + 1) + L + 1."""
    mismatches = []
    for router, stages in STAGES.items():
        shape = RouterShape(stages, 4, BUFFER_FLITS)
        for source in range(side * side):
            for target in range(side * side):
                hops = distance(side, source, target)
                expected = (hops + 1) * (stages + 1) + flits + 1
                if _alone(side, shape, source, target, flits) != expected:
                    mismatches.append((router, source, target))
    return mismatches


def _alone(side: int, shape: RouterShape, source: int, target: int, flits: int) -> int:
    """Latency of one packet in an empty mesh."""
    arrived: list[int] = []
    mesh = RouterMesh(side, side, shape)
    for node in range(side * side):
        mesh.attach(node, f"t{node}")
    fabric = RouterFabric(mesh, lambda packet, terminal, cycle: arrived.append(cycle))
    fabric.send(Packet(target, flits, 0, None), source)
    while fabric.in_flight:
        fabric.step()
    return arrived[0]

"""1 to 32 workers: round time and energy beside closed forms of an ideal star, ring and tree.

The closed forms know the model's bytes, the links and what one iteration takes; additions on chips
take nothing in them, and packets are as small as can be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.evidence.federated_runs import FederatedStudy
from tlm.federated.results import FederatedSummary

WORKERS = (1, 2, 4, 8, 16, 32)
SLOW, FAST = ("1 Gbit/s", 10**9, "100 us", 10**8), ("100 Gbit/s", 10**11, "2 us", 2 * 10**6)
FEDAVG_ITERATIONS, SUMMED_ITERATIONS = 100, 4  # of a round: as recorded; a few of equal ones
CASES = (
    ("fedavg", "star"),
    ("data-parallel", "star"),
    ("data-parallel", "ring"),
    ("data-parallel", "tree"),
)


@dataclass(frozen=True)
class ScalingPoint:
    """One run and its closed forms: of a round, and of the same samples a second.

    ``efficiency`` is the work a second of all workers over so many times that of one alone without
    a network.
    """

    protocol: str
    topology: str
    link: str
    workers: int
    time_ps: int
    closed_ps: float
    energy_pj: float
    closed_pj: float
    efficiency: float

    @property
    def iteration_ps(self) -> float:
        """Time of a round over its iterations."""
        summed = self.protocol == "data-parallel"
        return self.time_ps / (SUMMED_ITERATIONS if summed else FEDAVG_ITERATIONS)


def scaling_points(study: FederatedStudy) -> list[ScalingPoint]:
    """All cases on both networks."""
    return [
        scaling_point(study, protocol, topology, network, workers)
        for network in (SLOW, FAST)
        for protocol, topology in CASES
        for workers in WORKERS
    ]


def scaling_point(
    study: FederatedStudy,
    protocol: str,
    topology: str,
    network: tuple[str, int, str, int],
    workers: int,
) -> ScalingPoint:
    """One run; workers beyond the recorded repeat their jobs. Data are split identically."""
    local = FEDAVG_ITERATIONS if protocol == "fedavg" else SUMMED_ITERATIONS
    bandwidth, bits_per_s, latency, latency_ps = network
    plan = {
        "variant": {"split": "iid", "compression": "none"},
        "workers": workers,
        "rounds": 1,
        "local": local,
        "protocol": protocol,
        "network": {"topology": topology, "bandwidth": bandwidth, "latency": latency},
    }
    summary = study.run(plan).summary
    nbytes, numbers = summary.recording.upload_nbytes, summary.recording.parameters
    copy_ps = nbytes * 8 * 1e12 / bits_per_s + latency_ps
    spans_ps = [part.makespan_ps for part in summary.iterations]
    server_ps = workers * numbers / 1e10 * 1e12 if topology == "star" else 0.0
    sums = 1 if protocol == "fedavg" else local
    exchange_ps = exchange_time_ps(topology, workers, copy_ps, latency_ps) + server_ps
    closed_ps = local * max(spans_ps) + sums * exchange_ps
    copies = 2 * workers if topology == "star" else 2 * (workers - 1)
    wire_pj = sums * copies * nbytes * 8 * 1000.0
    return ScalingPoint(
        protocol, topology, bandwidth, workers, summary.time_ps, closed_ps, summary.energy_pj,
        closed_energy_pj(summary, local, closed_ps) + wire_pj,
        local * spans_ps[0] / summary.time_ps,
    )  # fmt: skip


def exchange_time_ps(topology: str, workers: int, copy_ps: float, latency_ps: int) -> float:
    """Time of one exchange; ``copy_ps`` is that of a whole model over one link.

    A star: all up, all down. A ring: 2 (N - 1) steps of 1/N of the model. A tree: one copy for
    each level, up and down.
    """
    if topology == "star":
        return 2 * copy_ps
    if topology == "ring":
        steps = 2 * (workers - 1)
        return steps / workers * (copy_ps - latency_ps) + steps * latency_ps
    return 2 * (workers.bit_length() - 1) * copy_ps


def closed_energy_pj(summary: FederatedSummary, local: int, span_ps: float) -> float:
    """Iterations of all chips, and their leakage in the rest of a round of ``span_ps``."""
    return sum(
        local * (part.dynamic_pj + part.leakage_pj)
        + part.leakage_pj / part.makespan_ps * (span_ps - local * part.makespan_ps)
        for part in summary.iterations
    )


def chosen(
    points: Sequence[ScalingPoint], link: str, protocol: str, topology: str
) -> list[ScalingPoint]:
    """The points of a case on a network, by workers."""
    case = (link, protocol, topology)
    return [item for item in points if (item.link, item.protocol, item.topology) == case]

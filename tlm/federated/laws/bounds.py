"""Lower bounds: no round is faster than its slowest training and the transfers that must follow."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from tlm.federated.plan import LinkPlan
from tlm.federated.plan_file import LoadedPlan
from tlm.federated.results import FederatedSummary
from tlm.laws.check import Check
from tlm.workload.federated import Compression, download_nbytes, upload_nbytes

MOST_NUMBER = 4  # bytes of the largest number that is sent


def least_times(loaded: LoadedPlan, summary: FederatedSummary) -> Iterator[Check]:
    """Every round against the closed form of what its answers took at the least."""
    bound = _summed_ps if loaded.plan.protocol == "data-parallel" else _averaged_ps
    wrong = []
    for item in summary.rounds:
        least_ps = max((bound(loaded, summary, w, item.number) for w in item.answered), default=0)
        if item.end_ps - item.begin_ps < least_ps:
            wrong.append(f"round {item.number}: {item.end_ps - item.begin_ps} ps, least {least_ps}")
    yield Check("no round is too fast", not wrong, f"{wrong[:3]}")


def _averaged_ps(
    loaded: LoadedPlan, summary: FederatedSummary, worker: int, round_number: int
) -> int:
    """Download, training, upload; with overlap an upload of layers hides behind one iteration."""
    iteration_ps = _iteration_ps(summary, worker, round_number)
    training_ps = loaded.iterations(worker, round_number) * iteration_ps
    if worker == 0 and not loaded.plan.has_server:
        return training_ps
    compression = Compression.of(loaded.plan.variant.compression)
    parameters = loaded.recording.parameters
    down_ps = _transfer_ps(loaded, worker, download_nbytes(parameters, compression))
    up_ps = _transfer_ps(loaded, worker, upload_nbytes(parameters, compression))
    hidden_ps = min(iteration_ps, up_ps) if loaded.plan.overlap else 0
    return down_ps + training_ps + up_ps - hidden_ps


def _summed_ps(
    loaded: LoadedPlan, summary: FederatedSummary, worker: int, round_number: int
) -> int:
    """Iterations; without overlap what must follow a worker's own last dW as well.

    In a ring its numbers still go all the way round (N transfers of a share), once it has sent
    N - 2 shares before; elsewhere they go to their parent or the hub, and the sum comes back.
    """
    iterations = loaded.iterations(worker, round_number)
    training_ps = iterations * _iteration_ps(summary, worker, round_number)
    hub = worker == 0 and not loaded.plan.has_server
    ring = loaded.plan.network.topology == "ring"
    if loaded.plan.overlap or loaded.workers == 1 or (hub and not ring):
        return training_ps
    nbytes = upload_nbytes(
        loaded.recording.parameters, Compression.of(loaded.plan.variant.compression)
    )
    bandwidth, latency = _link(loaded, worker)
    copies, latencies = 2 * nbytes, 2
    if ring:  # the smallest shares of whole numbers
        copies = 2 * (loaded.workers - 1) * (nbytes // loaded.workers - MOST_NUMBER)
        latencies = loaded.workers
    return training_ps + iterations * (_occupied_ps(copies, bandwidth) + latencies * latency)


def _iteration_ps(summary: FederatedSummary, worker: int, round_number: int) -> int:
    """An iteration of a worker, as slow as its chip is."""
    part = next(p for p in summary.iterations if (p.worker, p.round) == (worker, round_number))
    slowness = Fraction(summary.members[worker].slowness)
    return round(part.makespan_ps * slowness)


def _transfer_ps(loaded: LoadedPlan, worker: int, nbytes: int) -> int:
    """Bytes over one link of a worker, alone on it: bits over bandwidth, and the latency."""
    bandwidth, latency = _link(loaded, worker)
    return _occupied_ps(nbytes, bandwidth) + latency


def _link(loaded: LoadedPlan, worker: int) -> tuple[int | None, int]:
    """Bandwidth and latency of a worker's link in a star; elsewhere the best of any link.

    A link between two workers may be what the plan says of either of them.
    """
    network, links = loaded.plan.network, loaded.plan.links
    star = network.topology == "star"
    own = links.get(f"worker{worker}", LinkPlan())
    named = [own] if star else [*links.values()]
    bandwidths = [link.bandwidth for link in named if link.bandwidth is not None]
    latencies = [link.latency for link in named if link.latency is not None]
    if star:
        return (*bandwidths, network.bandwidth)[0], (*latencies, network.latency)[0]
    widest = None if network.bandwidth is None else max(network.bandwidth, *bandwidths, 0)
    return widest, min(network.latency, *latencies, network.latency)


def _occupied_ps(nbytes: int, bits_per_s: int | None) -> int:
    """Time that bytes occupy a link; none if its bandwidth is unlimited."""
    return 0 if bits_per_s is None else max(0, nbytes) * 8 * 10**12 // bits_per_s

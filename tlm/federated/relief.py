"""What relief would gain: the exchange simulated again with one thing faster, chips as they were.

Nothing is estimated: what a chip takes is known, so only the exchange has to be run again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tlm.errors import InvalidResultError
from tlm.federated.exchange import exchange
from tlm.federated.local import LayerResult, LocalIteration
from tlm.federated.plan import FederatedPlan, LinkPlan, NetworkPlan
from tlm.federated.preparation import PreparedFederation
from tlm.federated.repeat import RecordedFederation
from tlm.running.interrupts import StopRequest


@dataclass(frozen=True)
class Relief:
    """Something made faster: ``keys`` are what a plan would say, or empty if no keys do that."""

    name: str
    keys: str
    prepared: PreparedFederation
    iterations: tuple[LocalIteration, ...]


@dataclass(frozen=True)
class ReliefGain:
    """Time that a relief saves and what it adds in energy, as shares of the run's."""

    name: str
    keys: str
    time_saved: float
    energy_change: float


def relief_gains(run: RecordedFederation) -> list[ReliefGain]:
    """All reliefs that change anything in the plan, by falling gain.

    Raises:
        InvalidResultError: a relieved run breaks a law: a fault of this program.
    """
    gains = [_gain(run, relief) for relief in reliefs(run)]
    return sorted(gains, key=lambda gain: -gain.time_saved)


def _gain(run: RecordedFederation, relief: Relief) -> ReliefGain:
    summary = exchange(relief.prepared, relief.iterations, StopRequest()).summary
    if not summary.ok:
        raise InvalidResultError(f"{relief.name}: it breaks {', '.join(summary.broken)}")
    return ReliefGain(
        relief.name,
        relief.keys,
        1 - summary.time_ps / run.summary.time_ps,
        summary.energy_pj / run.summary.energy_pj - 1,
    )


def reliefs(run: RecordedFederation) -> Iterator[Relief]:
    """Reliefs of the network, of the protocol, then of chips."""
    prepared, iterations = run.prepared, run.iterations
    for name, keys, plan in _planned(prepared.loaded.plan):
        loaded = replace(prepared.loaded, plan=plan)
        yield Relief(name, keys, replace(prepared, loaded=loaded), iterations)
    everybody = range(prepared.loaded.workers)
    yield Relief("all chips twice as fast", "", *_faster(run, tuple(everybody)))
    slowest = Counter(row.worker for row in run.summary.hold_ups if row.cause == "training")
    if slowest and len(everybody) > 1:
        worker = min(slowest, key=lambda number: (-slowest[number], number))
        yield Relief(f"chip of worker{worker} twice as fast", "", *_faster(run, (worker,)))


def _planned(plan: FederatedPlan) -> Iterator[tuple[str, str, FederatedPlan]]:
    """(name, keys, plan) of reliefs that are plans."""
    network = plan.network
    if network.bandwidth is not None:
        faster = {key: _scaled(link, bandwidth=2) for key, link in plan.links.items()}
        links = network.model_copy(update={"bandwidth": 2 * network.bandwidth})
        yield "links of twice the bandwidth", "network.bandwidth", _with(plan, links, faster)
    if network.latency:
        shorter = {key: _scaled(link, latency=0.5) for key, link in plan.links.items()}
        links = network.model_copy(update={"latency": network.latency // 2})
        yield "half the latency", "network.latency", _with(plan, links, shorter)
    if network.loss:
        links = network.model_copy(update={"loss": 0.0})
        yield "no packet lost", "network.loss: 0", _with(plan, links, plan.links)
    for name in plan.links:
        others = {key: link for key, link in plan.links.items() if key != name}
        yield f"links of {name} as those of others", f"links.{name}", _with(plan, network, others)
    for name in plan.slow:
        slow = {key: factor for key, factor in plan.slow.items() if key != name}
        yield f"{name} not slowed", f"slow.{name}", plan.model_copy(update={"slow": slow})
    if not plan.overlap and plan.variant.compression in ("none", "fp16"):
        yield "layers sent early", "overlap: true", plan.model_copy(update={"overlap": True})
    rate = plan.server.adds_per_s
    if plan.has_server and rate is not None:
        server = plan.server.model_copy(update={"adds_per_s": 2 * rate})
        yield (
            "a server twice as fast",
            "server.adds_per_s",
            plan.model_copy(update={"server": server}),
        )


def _with(plan: FederatedPlan, network: NetworkPlan, links: dict[str, LinkPlan]) -> FederatedPlan:
    return plan.model_copy(update={"network": network, "links": links})


def _scaled(link: LinkPlan, bandwidth: float = 1, latency: float = 1) -> LinkPlan:
    """A link of so many times the bandwidth and latency, where it says anything of them."""
    update = {}
    if link.bandwidth is not None:
        update["bandwidth"] = int(link.bandwidth * bandwidth)
    if link.latency is not None:
        update["latency"] = int(link.latency * latency)
    return link.model_copy(update=update)


def _faster(
    run: RecordedFederation, workers: tuple[int, ...]
) -> tuple[PreparedFederation, tuple[LocalIteration, ...]]:
    """The chips of some workers twice as fast: half the time, and half the leakage in it."""
    count = len(run.iterations)
    places = tuple(
        tuple(index + count for index in place) if worker in workers else place
        for worker, place in enumerate(run.prepared.places)
    )
    prepared = replace(run.prepared, places=places, tasks=2 * run.prepared.tasks)
    return prepared, (*run.iterations, *map(_halved, run.iterations))


def _halved(iteration: LocalIteration) -> LocalIteration:
    layers = tuple(
        LayerResult(layer.parameters, layer.gradient_ps // 2, layer.update_ps // 2)
        for layer in iteration.layers
    )
    return replace(
        iteration,
        makespan_ps=iteration.makespan_ps // 2,
        leakage_pj=iteration.leakage_pj / 2,
        layers=layers,
        adds_per_s=2 * iteration.adds_per_s,
    )

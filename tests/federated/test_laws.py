"""Laws of a federated run: each notices figures that are wrong, and none a run that is right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.federated.systems import MS, iteration, prepared
from tlm.federated.exchange import exchange
from tlm.federated.laws import check_federated
from tlm.federated.results import FederatedSummary
from tlm.running.interrupts import StopRequest

Change = Callable[[FederatedSummary], FederatedSummary]

FEDAVG = {
    "drop": {"worker2": {"round": 2, "at": 0.5}},
    "deadline": "20 ms",
    "server": {"power": "1 W"},
}
SUMMED = {"protocol": "data-parallel", "network": {"topology": "ring"}}


def broken(plan: dict[str, object], change: Change) -> set[str]:
    """Names of the laws that do not hold of a run's figures once they are changed."""
    federation = prepared(plan)
    summary = exchange(federation, [iteration(100_000)], StopRequest()).summary
    assert summary.ok, summary.broken
    checks = check_federated(federation.loaded, change(summary))
    return {check.name for check in checks if not check.holds}


def worker(number: int, **more: float) -> Change:
    """Add to figures of a worker and round, by its place in the list."""

    def change(summary: FederatedSummary) -> FederatedSummary:
        rows = list(summary.workers)
        values = {name: getattr(rows[number], name) + value for name, value in more.items()}
        rows[number] = replace(rows[number], **values)
        return replace(summary, workers=tuple(rows))

    return change


def round_part(number: int, **values: object) -> Change:
    """Set figures of a round, by its place."""

    def change(summary: FederatedSummary) -> FederatedSummary:
        rounds = list(summary.rounds)
        rounds[number] = replace(rounds[number], **values)  # type: ignore[arg-type]
        return replace(summary, rounds=tuple(rounds))

    return change


def first_link(summary: FederatedSummary) -> FederatedSummary:
    link = replace(summary.links[0], wire_nbytes=summary.links[0].wire_nbytes - 1)
    return replace(summary, links=(link, *summary.links[1:]))


def fewer_workers(summary: FederatedSummary) -> FederatedSummary:
    return replace(summary, workers=summary.workers[1:])


def stronger_leakage(summary: FederatedSummary) -> FederatedSummary:
    member = replace(summary.members[0], leakage_w=summary.members[0].leakage_w * 1.01)
    return replace(summary, members=(member, *summary.members[1:]))


SENT, WIRE = "bytes sent are the model's", "bytes on the wire"
UP, TIMES = "energies add up", "times of workers add up"
LATE, MEAN = "nothing that counts comes late", "who answers is in the mean"
PAID, ADDED = "additions are paid", "every number is added once"
WEIGHT = "a mean weighs its samples"
TAKES, COSTS = "training takes its iterations", "training costs its iterations"
DROPPED = 5  # place of worker 2 in round 2


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (worker(0, upload_nbytes=1), {SENT, WIRE}),
        (worker(1, download_nbytes=-1), {SENT, WIRE}),
        (worker(DROPPED, upload_nbytes=400_000), {SENT, WIRE, LATE}),
        (worker(0, resent_nbytes=1500), {WIRE, "nothing is lost without loss"}),
        (first_link, {WIRE, "bits of the network are paid"}),
        (worker(0, waiting_ps=1), {TIMES}),
        (worker(0, waiting_ps=-(10**12), network_ps=10**12), {TIMES}),
        (worker(0, iterating_ps=-1, waiting_ps=1), {TAKES}),
        (worker(0, iterations=1), {TAKES, COSTS}),
        (worker(0, training_pj=1e6), {COSTS, UP}),
        (worker(0, idle_pj=1e6), {"a chip that waits leaks", UP}),
        (worker(0, network_pj=1e6), {"bits of the network are paid", UP}),
        (worker(0, adding_pj=-1e6), {UP, PAID}),
        (worker(0, adds=1), {PAID, ADDED}),
        (stronger_leakage, {"a chip that waits leaks", "leakage is one power of a chip"}),
        (round_part(0, server_pj=0.0), {UP, PAID}),
        (round_part(0, server_adds=0), {ADDED}),
        (round_part(2, total_pj=1.0), {UP}),
        (lambda s: replace(s, energy_pj=s.energy_pj * 1.001), {UP}),
        (lambda s: replace(s, time_ps=s.time_ps + 1), {"rounds follow each other"}),
        (worker(0, arrived_ps=10**12), {LATE}),
        (worker(0, arrived_ps=-(10**11)), {LATE}),
        (round_part(1, answered=(0, 1, 2)), {MEAN, ADDED}),
        (round_part(0, answered=(0, 1)), {MEAN, ADDED}),
        (round_part(1, answered=(0, 1, 1)), {MEAN, ADDED, "nobody answers twice"}),
        (round_part(1, closed_ps=10**12), {"rounds close in time"}),
        (round_part(0, weight=2 / 3), {WEIGHT}),
        (fewer_workers, {"every worker in every round", WIRE, UP, MEAN, WEIGHT}),
    ],
)  # fmt: skip
def test_a_wrong_figure_breaks_its_laws(change: Change, names: set[str]) -> None:
    """And no law beside that does not rest on it."""
    assert names <= broken(FEDAVG, change) <= names | {
        "bits of the network are paid", LATE, "times of workers add up", UP,
    }  # fmt: skip


@pytest.mark.parametrize("plan", [FEDAVG, SUMMED])
def test_a_round_cannot_be_faster_than_its_training(plan: dict[str, object]) -> None:
    """A round of a time that no network could beat."""
    assert "no round is too fast" in broken(plan, round_part(0, end_ps=4 * MS))


def test_a_dropped_worker_that_sends_is_noticed() -> None:
    """Its bytes and an arrival, however well they fit each other."""
    assert SENT in broken(FEDAVG, worker(DROPPED, upload_nbytes=400_000, arrived_ps=1))


def test_gradients_that_are_sent_twice_are_noticed() -> None:
    """The sum over a ring's workers is exact."""
    name = "bytes sent are the gradients'"
    assert name in broken(SUMMED, worker(2, upload_nbytes=4))


@pytest.mark.parametrize("plan", [FEDAVG, SUMMED])
def test_unchanged_figures_hold(plan: dict[str, object]) -> None:
    """The laws are true of what the model makes."""
    assert broken(plan, lambda summary: summary) == set()


SLOW_NETWORK = {"server": {"adds_per_s": "unlimited"}}


@pytest.mark.parametrize(
    ("plan", "place", "fault", "name"),
    [
        (SLOW_NETWORK, "tlm.federated.network.wire_ps", lambda *_: 1, "no round is too fast"),
        (SLOW_NETWORK, "tlm.federated.system.Member.iteration_ps", lambda *_: MS // 2, TAKES),
        (SLOW_NETWORK, "tlm.federated.system.Member.iteration_pj", lambda *_: 1e6, COSTS),
        (SLOW_NETWORK, "tlm.federated.fedavg.UPLOAD", "download", SENT),
        (SUMMED, "tlm.federated.all_reduce.AllReduce._share", lambda *_: (4, 1), ADDED),
        (SUMMED, "tlm.federated.all_reduce.AllReduce._share", lambda *_: (4, 1),
         "bytes sent are the gradients'"),
        (SUMMED, "tlm.federated.network.wire_ps", lambda *_: 1, "no round is too fast"),
    ],
)  # fmt: skip
def test_a_fault_of_the_model_breaks_a_law(
    monkeypatch: pytest.MonkeyPatch, plan: dict[str, object], place: str, fault: object, name: str
) -> None:
    """Links that carry at once, shorter training, uploads that are none, sums of a part."""
    federation = prepared(plan)
    monkeypatch.setattr(place, fault)
    summary = exchange(federation, [iteration(100_000)], StopRequest()).summary
    assert not summary.ok and name in summary.broken

"""Why a worker was the last: what plan and figures of a federated run say of it alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import TYPE_CHECKING

from tlm.quantity_text import nbytes_text, time_text

if TYPE_CHECKING:
    from tlm.federated.results import FederatedSummary, WorkerRound


def remark(summary: FederatedSummary, worker: int, cause: str, rounds: Iterable[int]) -> str:
    """A clause on what sets ``worker`` apart from the others in ``rounds``; empty if nothing does.

    ``cause`` is in what it differs most from them: ``training`` or ``network``.
    """
    among = set(rounds)
    rows = [row for row in summary.workers if row.round in among]
    texts = _TRAINING if cause == "training" else _NETWORK
    return next((f"; {text}" for clause in texts if (text := clause(summary, worker, rows))), "")


def _slowed(summary: FederatedSummary, worker: int, _: Sequence[WorkerRound]) -> str:
    slowness = summary.members[worker].slowness
    return f"its chip is {slowness:g} x slower" if slowness > 1 else ""


def _other_chip(summary: FederatedSummary, worker: int, rows: Sequence[WorkerRound]) -> str:
    """A kind of chip on which an iteration takes longer than on those of the others."""
    chips = [member.chip for member in summary.members]
    trained = [row for row in rows if row.trained * row.iterations]
    times = {
        number: median(
            row.iterating_ps / (row.trained * row.iterations)
            for row in trained
            if row.worker == number
        )
        for number in {row.worker for row in trained}
    }
    others = [time for number, time in times.items() if chips[number] != chips[worker]]
    if not others or worker not in times or times[worker] <= median(others):
        return ""
    return (
        f"its chip is {chips[worker]}, on which an iteration takes {time_text(times[worker])}, "
        f"and {time_text(median(others))} on other chips"
    )


def _data(summary: FederatedSummary, worker: int, rows: Sequence[WorkerRound]) -> str:
    first = min(row.round for row in rows)
    counts = {row.worker: row.iterations for row in rows if row.round == first}
    own, all_counts = counts[worker], list(counts.values())
    if own < max(all_counts) or own == min(all_counts):
        return ""
    says = "it has the most data" if all_counts.count(own) == 1 else "nobody has more data"
    return f"{says}, {own} iterations in round {first}"


def _links(summary: FederatedSummary, worker: int, _: Sequence[WorkerRound]) -> str:
    link = summary.plan["links"].get(f"worker{worker}")
    if link is None:
        return ""
    says = ", ".join(f"{key} {value}" for key, value in link.items() if value is not None)
    return f"its links have {says}"


def _distance(summary: FederatedSummary, worker: int, _: Sequence[WorkerRound]) -> str:
    """More links than others have to worker 0, which averages where there is no server."""
    from tlm.federated.topology import graph_of

    topology, workers = summary.plan["network"]["topology"], len(summary.members)
    if summary.plan["protocol"] != "fedavg" or topology == "star":
        return ""
    graph = graph_of(topology, workers)
    others = [len(graph.route(other, 0)) for other in range(1, workers) if other != worker]
    own = len(graph.route(worker, 0))
    if not others or own <= median(others):
        return ""
    return f"it is {own} links away from worker0, the others {median(others):g} in the median"


def _losses(_: FederatedSummary, worker: int, rows: Sequence[WorkerRound]) -> str:
    """More bytes of packets that got lost than others have."""
    own = sum(row.resent_nbytes for row in rows if row.worker == worker)
    numbers = {row.worker for row in rows} - {worker}
    others = [sum(row.resent_nbytes for row in rows if row.worker == each) for each in numbers]
    if own <= median(others):
        return ""
    return f"{nbytes_text(own)} of its packets got lost, by chance, and were sent again"


_Clause = Callable[["FederatedSummary", int, Sequence["WorkerRound"]], str]
_TRAINING: tuple[_Clause, ...] = (_slowed, _other_chip, _data)
_NETWORK: tuple[_Clause, ...] = (_links, _distance, _losses)

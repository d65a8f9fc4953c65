"""Systems without chips: iterations of any time and energy, on a network that a plan describes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tlm.config.problems import validated
from tlm.federated.exchange import exchange
from tlm.federated.laws import check_federated
from tlm.federated.local import LayerResult, LocalIteration, LocalTask
from tlm.federated.plan import FederatedPlan
from tlm.federated.plan_file import LoadedPlan
from tlm.federated.preparation import FederatedRequest, PreparedFederation
from tlm.federated.results import FederatedSummary, WorkerRound
from tlm.running.interrupts import StopRequest
from tlm.workload.federated import (
    Compression,
    FederatedRun,
    FederatedSplit,
    FederatedVariant,
    WorkerData,
    download_nbytes,
    upload_nbytes,
)

MS = 10**9  # ps
ROUNDS = 3
IDEAL = {"bandwidth": "unlimited", "latency": "0 s"}
NO_ADDING = {"adds_per_s": "unlimited"}


def recording(parameters: int, counts: Sequence[int]) -> FederatedRun:
    """A recorded run of one worker for each of ``counts``, its local iterations, without jobs."""
    workers = tuple(WorkerData(16 * n, (16 * n,), (n,) * ROUNDS) for n in counts)
    variants = tuple(
        FederatedVariant(
            "dirichlet",
            Compression.of(name),
            tuple(0.1 + 0.2 * number for number in range(ROUNDS + 1)),
            upload_nbytes(parameters, Compression.of(name)),
            download_nbytes(parameters, Compression.of(name)),
        )
        for name in ("none", "fp16", "top-0.01")
    )
    return FederatedRun(
        folder=Path("none"), name="made-up", dataset="none", licence="none", network="none",
        parameters=parameters, workers=len(counts), rounds=ROUNDS,
        splits=(FederatedSplit("dirichlet", 0.3, workers, (1,)),), variants=variants,
        provenance={}, sha256="0" * 64, jobs={}, round_job=None,  # type: ignore[arg-type]
    )  # fmt: skip


def iteration(parameters: int, makespan_ps: int = MS) -> LocalIteration:
    """An iteration of two layers, the second of a quarter of all numbers; additions take nothing.

    The last layer's gradient is there first, and its update.
    """
    first = parameters - parameters // 4
    layers = (
        LayerResult(first, makespan_ps * 8 // 10, makespan_ps),
        LayerResult(parameters - first, makespan_ps * 4 // 10, makespan_ps * 5 // 10),
    )
    return LocalIteration("none", 0, makespan_ps, 3e8, 2.0 * makespan_ps, layers, 1e30, 0.5)


def prepared(
    plan: Mapping[str, object], parameters: int = 100_000, counts: Sequence[int] = (4, 4, 4)
) -> PreparedFederation:
    """A plan on workers that all take the same iteration."""
    asked = validated(FederatedPlan, {"recording": "made-up", **plan}, "a test")
    loaded = LoadedPlan(asked, recording(parameters, counts), "a test")
    task = LocalTask(Path("none"), 0, "none", Path("none"))
    places = ((0,) * asked.rounds,) * loaded.workers
    return PreparedFederation(FederatedRequest("a test", 1), loaded, (task,), places)


def simulated(
    plan: Mapping[str, object],
    parameters: int = 100_000,
    counts: Sequence[int] = (4, 4, 4),
    makespan_ps: int = MS,
) -> FederatedSummary:
    """The figures of a system; every law holds."""
    federation = prepared(plan, parameters, counts)
    summary = exchange(federation, [iteration(parameters, makespan_ps)], StopRequest()).summary
    assert summary.ok, summary.broken
    assert len(check_federated(federation.loaded, summary)) == summary.checks > 10
    return summary


def rows(summary: FederatedSummary, round_number: int) -> list[WorkerRound]:
    """The workers of a round, in order."""
    return [row for row in summary.workers if row.round == round_number]


def took(summary: FederatedSummary, round_number: int = 1) -> int:
    """How long a round took, in ps."""
    item = summary.rounds[round_number - 1]
    return item.end_ps - item.begin_ps

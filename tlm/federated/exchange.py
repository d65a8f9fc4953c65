"""The exchange between chips whose iterations are known: simulated, summed up and checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tlm.errors import DeadlockError, InterruptedRunError
from tlm.federated.course import Course
from tlm.federated.data_parallel import DataParallel
from tlm.federated.fedavg import FedAvg
from tlm.federated.figures import FinishedRun, unchecked_summary
from tlm.federated.laws import check_federated
from tlm.federated.local import LocalIteration
from tlm.federated.network import ModelTransfer
from tlm.federated.preparation import PreparedFederation
from tlm.federated.results import FederatedSummary, IterationPart
from tlm.federated.system import Member, ModelBytes, System
from tlm.kernel import StuckError, run_until
from tlm.running.interrupts import StopRequest


@dataclass(frozen=True)
class Exchange:
    """The figures of a run, the events that it took, and what happened when."""

    summary: FederatedSummary
    events: int
    course: Course
    transfers: tuple[ModelTransfer, ...]


def exchange(
    prepared: PreparedFederation, iterations: Sequence[LocalIteration], stop: StopRequest
) -> Exchange:
    """Simulate the network between chips; ``iterations`` are those of the prepared tasks.

    Raises:
        InterruptedRunError: a signal came.
        DeadlockError: the model got stuck: a fault of this program.
    """
    system = _system(prepared, iterations)
    protocol = FedAvg if prepared.loaded.plan.protocol == "fedavg" else DataParallel
    running = protocol(system)

    def look(_now: int, _events: int) -> None:
        if stop.exit_code:
            raise InterruptedRunError("interrupted among the transfers", stop.exit_code)

    try:
        events = run_until(system.env, running.finished, look)
    except StuckError as error:
        raise DeadlockError(f"deadlock among the transfers: {error}; please report it") from error
    system.env.run()  # what comes too late arrives as well, and counts for nothing but its bytes
    parts = tuple(_iteration_parts(prepared, iterations))
    summary = _checked(FinishedRun(prepared.loaded, system, running.course, parts))
    return Exchange(summary, events, running.course, tuple(system.network.transfers))


def _system(prepared: PreparedFederation, iterations: Sequence[LocalIteration]) -> System:
    """The workers with what their chips take, on the plan's network."""
    loaded, plan = prepared.loaded, prepared.loaded.plan
    variant = loaded.recording.variant(plan.variant.split, plan.variant.compression)
    rounds = range(1, plan.rounds + 1)
    members = tuple(
        Member(
            number=worker,
            slowness=plan.slow.get(f"worker{worker}", 1.0),
            iterations=tuple(iterations[index] for index in prepared.places[worker]),
            counts=tuple(loaded.iterations(worker, number) for number in rounds),
        )
        for worker in range(loaded.workers)
    )
    numbers = variant.compression.sent(loaded.recording.parameters)
    model = ModelBytes(variant.upload_nbytes, variant.download_nbytes, numbers)
    return System.built(plan, members, model)


def _iteration_parts(
    prepared: PreparedFederation, iterations: Sequence[LocalIteration]
) -> list[IterationPart]:
    """What stands for each worker and round."""
    return [
        IterationPart(
            worker=worker,
            round=number,
            iteration=iterations[index].iteration,
            run=prepared.tasks[index].folder.as_posix(),
            makespan_ps=iterations[index].makespan_ps,
            dynamic_pj=iterations[index].dynamic_pj,
            leakage_pj=iterations[index].leakage_pj,
        )
        for worker, place in enumerate(prepared.places)
        for number, index in enumerate(place, start=1)
    ]


def _checked(run: FinishedRun) -> FederatedSummary:
    """The summary with the verdict of the laws."""
    summary = unchecked_summary(run)
    checks = check_federated(run.loaded, summary)
    broken = {check.name: check.detail for check in checks if not check.holds}
    return replace(summary, status="invalid" if broken else "ok", checks=len(checks), broken=broken)

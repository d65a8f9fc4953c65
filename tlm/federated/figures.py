"""From the course of a run to its figures: energies, bytes, accuracy, and who held it up."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from tlm.federated.course import Course, RoundCourse, WorkerCourse
from tlm.federated.network import ModelTransfer
from tlm.federated.plan import FederatedPlan
from tlm.federated.plan_file import LoadedPlan
from tlm.federated.results import (
    FederatedSummary,
    HoldUp,
    IterationPart,
    LinkPart,
    MemberPart,
    RecordingPart,
    RoundPart,
    WorkerRound,
)
from tlm.federated.system import System

TOWARDS_SUM = ("upload", "reduce")  # kinds of transfers; the others bring the result


@dataclass(frozen=True)
class FinishedRun:
    """What the figures are made of."""

    loaded: LoadedPlan
    system: System
    course: Course
    iterations: tuple[IterationPart, ...]


def unchecked_summary(run: FinishedRun) -> FederatedSummary:
    """All figures, before the laws have looked at them."""
    workers = tuple(_worker_rounds(run))
    rounds = tuple(_rounds(run, workers))
    return FederatedSummary(
        status="ok",
        checks=0,
        broken={},
        recording=_recording(run),
        plan=run.loaded.plan.model_dump(mode="json"),
        time_ps=rounds[-1].end_ps,
        energy_pj=rounds[-1].total_pj,
        initial_accuracy=run.loaded.accuracy(0),
        unrecorded=_unrecorded(run),
        members=tuple(_members(run)),
        iterations=run.iterations,
        rounds=rounds,
        workers=workers,
        links=tuple(
            LinkPart(link.name, link.wire_nbytes, link.busy_ps)
            for link in run.system.network.links.values()
        ),
        hold_ups=tuple(_hold_ups(run.course)),
    )


def _recording(run: FinishedRun) -> RecordingPart:
    recording, variant = run.loaded.recording, run.loaded.plan.variant
    return RecordingPart(
        name=recording.name,
        sha256=recording.sha256,
        network=recording.network,
        dataset=recording.dataset,
        parameters=recording.parameters,
        split=variant.split,
        compression=variant.compression,
        upload_nbytes=run.system.model.upload,
        download_nbytes=run.system.model.download,
    )


def _members(run: FinishedRun) -> Iterator[MemberPart]:
    for member in run.system.members:
        first = member.iterations[0]
        yield MemberPart(
            worker=member.number,
            chip=first.chip,
            recorded_worker=run.loaded.recorded_worker(member.number),
            samples=run.loaded.samples(member.number),
            slowness=member.slowness,
            leakage_w=member.leakage_w,
            add_pj=first.add_pj,
        )


def _worker_rounds(run: FinishedRun) -> Iterator[WorkerRound]:
    by_place: dict[tuple[int, int], list[ModelTransfer]] = {}
    for transfer in run.system.network.transfers:
        by_place.setdefault((transfer.round, transfer.worker), []).append(transfer)
    spans = {item.number: item.end_ps - item.begin_ps for item in run.course.rounds}
    for entry in run.course.workers:
        transfers = by_place.get((entry.round, entry.worker), [])
        yield _worker_round(run.system, entry, transfers, spans[entry.round])


def _worker_round(
    system: System, entry: WorkerCourse, transfers: Sequence[ModelTransfer], span_ps: int
) -> WorkerRound:
    """The figures of a worker in a round that took ``span_ps``."""
    member = system.members[entry.worker]
    iterations = entry.trained * entry.iterations
    wire_nbytes = sum(transfer.wire_nbytes for transfer in transfers)
    upwards = [transfer for transfer in transfers if transfer.kind in TOWARDS_SUM]
    return WorkerRound(
        worker=entry.worker,
        round=entry.round,
        iterations=entry.iterations,
        trained=entry.trained,
        adds=entry.adds,
        dropped=entry.dropped,
        late=entry.late,
        iterating_ps=entry.iterating_ps,
        adding_ps=entry.adding_ps,
        network_ps=entry.network_ps,
        waiting_ps=entry.waiting_ps,
        training_pj=iterations * member.iteration_pj(entry.round),
        adding_pj=entry.adds * member.iterations[0].add_pj,
        idle_pj=member.leakage_w * (span_ps - entry.iterating_ps),
        network_pj=8 * wire_nbytes * system.plan.network.bit_energy,
        upload_nbytes=sum(transfer.nbytes for transfer in upwards),
        download_nbytes=sum(t.nbytes for t in transfers if t.kind not in TOWARDS_SUM),
        resent_nbytes=sum(transfer.lost_nbytes for transfer in transfers),
        arrived_ps=max((transfer.end_ps for transfer in upwards), default=-1),
    )


def _rounds(run: FinishedRun, workers: Sequence[WorkerRound]) -> Iterator[RoundPart]:
    loaded, total_pj, whole = run.loaded, 0.0, True
    numbers = range(len(run.system.members))
    samples = [loaded.samples(worker) for worker in numbers]
    for item in run.course.rounds:
        own = [row.total_pj for row in workers if row.round == item.number]
        server_pj = _server_pj(loaded.plan, item)
        energy_pj = math.fsum([*own, server_pj])
        total_pj += energy_pj
        whole = whole and len(item.answered) == len(samples)
        yield RoundPart(
            number=item.number,
            begin_ps=item.begin_ps,
            closed_ps=item.closed_ps,
            end_ps=item.end_ps,
            answered=item.answered,
            weight=sum(samples[worker] for worker in item.answered) / sum(samples),
            server_adds=item.adds,
            server_pj=server_pj,
            energy_pj=energy_pj,
            total_pj=total_pj,
            accuracy=loaded.accuracy(item.number) if whole else None,
        )


def _server_pj(plan: FederatedPlan, item: RoundCourse) -> float:
    if not plan.has_server:
        return 0.0
    return item.adds * plan.server.add_energy + (item.end_ps - item.begin_ps) * plan.server.power


def _unrecorded(run: FinishedRun) -> str:
    if run.loaded.unrecorded:
        return run.loaded.unrecorded
    for item in run.course.rounds:
        if len(item.answered) < len(run.system.members):
            return f"recorded are means of all workers, and round {item.number} had not all"
    return ""


def _hold_ups(course: Course) -> Iterator[HoldUp]:
    """One for each round in which somebody could wait."""
    for item in course.rounds:
        rows = {row.worker: row for row in course.workers if row.round == item.number}
        if len(item.answered) < len(rows):
            yield HoldUp(item.number, -1, "deadline", 0)
            continue
        last = rows.pop(item.answered[-1])
        if not rows:
            continue
        training_ps = last.iterating_ps - _median(row.iterating_ps for row in rows.values())
        network_ps = last.network_ps - _median(row.network_ps for row in rows.values())
        if network_ps > training_ps:
            yield HoldUp(item.number, last.worker, "network", network_ps)
        else:
            yield HoldUp(item.number, last.worker, "training", training_ps)


def _median(values: Iterable[int]) -> int:
    return round(median(values))

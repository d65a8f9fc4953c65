"""FedAvg (McMahan et al., arXiv 1602.05629) over a network: download, train, upload, average.

A round begins when whoever aggregates sends out the model. A worker trains for its local iterations
and sends what has changed: all at its end, or each layer as soon as the last iteration has updated
it. The round closes when all have answered or the deadline has come; then uploads are averaged,
weighted by samples, and the next round begins. A worker that is late or has gone is not in the mean
and takes part again in the next round; what it has handed to the network still goes its way.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tlm.federated.course import Course, Doing, RoundCourse, WorkerCourse
from tlm.federated.plan import DropPlan
from tlm.federated.system import Member, System
from tlm.kernel import Done

DOWNLOAD, UPLOAD = "download", "upload"


@dataclass
class _Marks:
    """When a worker had the model, stopped training, and had answered; None if it did not."""

    downloaded_ps: int | None = None
    stopped_ps: int | None = None
    answered_ps: int | None = None
    trained: float = 0.0
    dropped: bool = False


@dataclass
class _AveragedRound:
    """A round that is going on."""

    number: int
    begin_ps: int
    closed: Done
    marks: list[_Marks]
    answered: list[int] = field(default_factory=list)

    def answer(self, worker: int) -> None:
        """A worker's upload is there; one that comes after the round has closed is dropped."""
        if not self.closed.complete:
            self.answered.append(worker)
            if len(self.answered) == len(self.marks):
                self.close()

    def close(self) -> None:
        """End the round, if it has not ended."""
        if not self.closed.complete:
            self.closed.arrive()


class FedAvg:
    """The protocol as processes of a system; ``finished`` completes with the last round.

    ``course`` is what has happened so far.
    """

    def __init__(self, system: System) -> None:
        self.finished = Done(1, "the last round to end")
        self.course = Course()
        self._system = system
        self._env = system.env
        system.env.process(self._aggregate())

    def _aggregate(self) -> Generator[Any, Any, None]:
        """Who aggregates: round after round."""
        env, system = self._env, self._system
        for number in range(1, system.plan.rounds + 1):
            marks = [_Marks() for _ in system.members]
            opened = _AveragedRound(number, env.now, Done(1, f"answers of round {number}"), marks)
            for member in system.members:
                env.process(self._train(member, opened))
            if system.plan.deadline is not None:
                env.process(self._deadline(opened))
            yield opened.closed
            closed_ps = env.now
            adds = len(opened.answered) * system.model.numbers
            yield env.timeout(system.hub_adding_ps(adds))
            self._close(opened, closed_ps, adds)
        self.finished.arrive()

    def _deadline(self, opened: _AveragedRound) -> Generator[Any, Any, None]:
        assert self._system.plan.deadline is not None
        yield self._env.timeout(self._system.plan.deadline)
        opened.close()

    def _train(self, member: Member, opened: _AveragedRound) -> Generator[Any, Any, None]:
        """A worker in a round: its transfers and its training, marked as they happen."""
        env, system = self._env, self._system
        marks = opened.marks[member.number]
        ends = (system.hub, member.number)
        if member.number != system.hub:
            nbytes = system.model.download
            yield system.network.send(DOWNLOAD, opened.number, ends, nbytes, member.number).arrived
        if opened.closed.complete:
            return
        begin_ps = marks.downloaded_ps = env.now
        drop = self._drop(member, opened.number)
        marks.dropped = drop is not None
        whole_ps = member.count(opened.number) * member.iteration_ps(opened.number)
        stop_ps = begin_ps + (whole_ps if drop is None else round(whole_ps * drop.at))
        if system.plan.deadline is not None:
            stop_ps = min(stop_ps, opened.begin_ps + system.plan.deadline)
        marks.trained = (stop_ps - begin_ps) / whole_ps  # no round closes before
        uploads = []
        for ready_ps, nbytes in self._layers(member, opened.number, begin_ps + whole_ps):
            if ready_ps > stop_ps or (marks.dropped and not system.plan.overlap):
                break
            yield env.timeout(ready_ps - env.now)
            uploads.append(
                system.network.send(UPLOAD, opened.number, ends[::-1], nbytes, member.number)
            )
        yield env.timeout(stop_ps - env.now)
        marks.stopped_ps = env.now
        if stop_ps < begin_ps + whole_ps or marks.dropped:
            return
        for upload in uploads:
            yield upload.arrived
        marks.answered_ps = env.now
        opened.answer(member.number)

    def _drop(self, member: Member, round_number: int) -> DropPlan | None:
        drop = self._system.plan.drop.get(f"worker{member.number}")
        return drop if drop is not None and drop.round == round_number else None

    def _layers(self, member: Member, round_number: int, end_ps: int) -> list[tuple[int, int]]:
        """(time, bytes) of what a worker hands to the network by the end of training, in order."""
        system = self._system
        if member.number == system.hub:
            return []
        if not system.plan.overlap:
            return [(end_ps, system.model.upload)]
        last_ps = end_ps - member.iteration_ps(round_number)
        return sorted(
            (last_ps + member.slowed_ps(layer.update_ps), system.layer_nbytes(index))
            for index, layer in enumerate(member.iteration(round_number).layers)
        )

    def _close(self, opened: _AveragedRound, closed_ps: int, adds: int) -> None:
        """Enter a round that is over into the course."""
        system, end_ps = self._system, self._env.now
        answered = tuple(opened.answered)
        server_adds = adds if system.plan.has_server else 0
        self.course.rounds.append(
            RoundCourse(opened.number, opened.begin_ps, closed_ps, end_ps, answered, server_adds)
        )
        for member, marks in zip(system.members, opened.marks, strict=True):
            downloaded_ps = _until(marks.downloaded_ps, closed_ps)
            stopped_ps = _until(marks.stopped_ps, closed_ps)
            answered_ps = stopped_ps if marks.dropped else _until(marks.answered_ps, closed_ps)
            averages = member.number == system.hub
            adding_ps = end_ps - closed_ps if averages else 0
            edges_ps = (opened.begin_ps, downloaded_ps, stopped_ps, answered_ps)
            self._spend(member.number, opened.number, (*edges_ps, end_ps - adding_ps, end_ps))
            self.course.workers.append(
                WorkerCourse(
                    worker=member.number,
                    round=opened.number,
                    iterations=member.count(opened.number),
                    trained=marks.trained,
                    adds=adds if averages else 0,
                    iterating_ps=stopped_ps - downloaded_ps,
                    adding_ps=adding_ps,
                    network_ps=downloaded_ps - opened.begin_ps + answered_ps - stopped_ps,
                    waiting_ps=end_ps - answered_ps - adding_ps,
                    dropped=marks.dropped,
                    late=not marks.dropped and member.number not in answered,
                )
            )

    def _spend(self, worker: int, round_number: int, edges_ps: tuple[int, ...]) -> None:
        """Enter what a worker did between two times each."""
        doings = (Doing.NETWORK, Doing.TRAIN, Doing.NETWORK, Doing.WAIT, Doing.ADD)
        for doing, (begin_ps, end_ps) in zip(doings, pairwise(edges_ps), strict=True):
            self.course.spend(worker, round_number, doing, begin_ps, end_ps)


def _until(mark_ps: int | None, closed_ps: int) -> int:
    """A mark, or the end of the round if that came first."""
    return closed_ps if mark_ps is None else min(mark_ps, closed_ps)

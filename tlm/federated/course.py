"""The course of a run: what happened when, before it is priced. All times in ps since its begin."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Doing(Enum):
    """What a worker does: ``WAIT`` is for other workers, ``NETWORK`` for what is on its way."""

    TRAIN = "training"
    ADD = "adding"
    NETWORK = "network"
    WAIT = "waiting"


@dataclass(frozen=True)
class Interval:
    """A part of a worker's time; those of a worker tile the run without overlap."""

    worker: int
    round: int
    doing: Doing
    begin_ps: int
    end_ps: int


@dataclass(frozen=True)
class WorkerCourse:
    """One worker in one round.

    ``iterating_ps`` is training, ``adding_ps`` the averaging of others' uploads; ``network_ps`` is
    the part of transfers that did not hide behind training, ``waiting_ps`` is for other workers.
    Of its ``iterations`` it did the share ``trained``; ``adds`` are additions of others' numbers.
    """

    worker: int
    round: int
    iterations: int
    trained: float
    adds: int
    iterating_ps: int
    adding_ps: int
    network_ps: int
    waiting_ps: int
    dropped: bool = False
    late: bool = False

    @property
    def computing_ps(self) -> int:
        """Time in which its chip worked."""
        return self.iterating_ps + self.adding_ps


@dataclass(frozen=True)
class RoundCourse:
    """One round: ``closed_ps`` is when the last answer was there or the deadline had come.

    ``answered`` are the workers whose uploads are in the mean, in order of their arrival; ``adds``
    are the additions of the server, 0 if there is none.
    """

    number: int
    begin_ps: int
    closed_ps: int
    end_ps: int
    answered: tuple[int, ...]
    adds: int


@dataclass(frozen=True)
class Course:
    """All rounds, all workers in each, and what these did when, in order of time by worker.

    A protocol enters what has happened, as rounds end.
    """

    rounds: list[RoundCourse] = field(default_factory=list)
    workers: list[WorkerCourse] = field(default_factory=list)
    intervals: list[Interval] = field(default_factory=list)

    def spend(
        self, worker: int, round_number: int, doing: Doing, begin_ps: int, end_ps: int
    ) -> None:
        """Enter what a worker did, if it took any time."""
        if end_ps > begin_ps:
            self.intervals.append(Interval(worker, round_number, doing, begin_ps, end_ps))

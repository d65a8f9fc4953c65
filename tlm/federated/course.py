"""The course of a run: what happened when, before it is priced. All times in ps since its begin."""

from __future__ import annotations

from dataclasses import dataclass


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
    """All rounds, and all workers in each."""

    rounds: tuple[RoundCourse, ...]
    workers: tuple[WorkerCourse, ...]

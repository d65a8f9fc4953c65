"""Data-parallel training: in every iteration dW is summed over all workers before the update.

A worker computes as its chip does alone up to its last dW; then it waits for the sums, and does
what its iteration had behind its last dW: the updates. With overlap the sum of a layer begins as
soon as every worker has its dW of that layer. Weights are the same everywhere from the beginning,
so no model is ever downloaded. A round is a number of iterations, at whose end all workers meet.
"""

from __future__ import annotations

from collections.abc import Generator
from itertools import pairwise
from typing import Any

from tlm.federated.all_reduce import AllReduce
from tlm.federated.course import Course, Doing, RoundCourse, WorkerCourse
from tlm.federated.system import Member, System
from tlm.kernel import Done


class _SummedRound:
    """A round that is going on; its accounts by worker, all times in ps."""

    def __init__(self, number: int, begin_ps: int, workers: int) -> None:
        self.number = number
        self.begin_ps = begin_ps
        self.ended = Done(workers, f"round {number} of every worker")
        self.sums: dict[int, list[AllReduce]] = {}  # of an iteration
        self.iterating_ps = [0] * workers
        self.network_ps = [0] * workers
        self.waiting_ps = [0] * workers
        self.end_ps = [0] * workers


class DataParallel:
    """The protocol as processes of a system; ``finished`` completes with the last round.

    ``course`` is what has happened so far.
    """

    def __init__(self, system: System) -> None:
        self.finished = Done(1, "the last round to end")
        self.course = Course()
        self._system = system
        self._env = system.env
        system.env.process(self._all_rounds())

    def _all_rounds(self) -> Generator[Any, Any, None]:
        system = self._system
        for number in range(1, system.plan.rounds + 1):
            opened = _SummedRound(number, self._env.now, len(system.members))
            for member in system.members:
                self._env.process(self._train(member, opened))
            yield opened.ended
            self._close(opened)
        self.finished.arrive()

    def _train(self, member: Member, opened: _SummedRound) -> Generator[Any, Any, None]:
        for iteration in range(member.count(opened.number)):
            yield from self._iterate(member, opened, iteration)
        opened.end_ps[member.number] = self._env.now
        opened.ended.arrive()

    def _iterate(
        self, member: Member, opened: _SummedRound, iteration: int
    ) -> Generator[Any, Any, None]:
        """One iteration: gradients, their sums, updates."""
        env, worker = self._env, member.number
        begin_ps, whole_ps = env.now, member.iteration_ps(opened.number)
        if iteration not in opened.sums:  # the first worker to come here makes them for all
            opened.sums[iteration] = self._sums(opened.number)
        sums = opened.sums[iteration]
        for ready_ps, index in self._ready_ps(member, opened.number):
            yield env.timeout(begin_ps + ready_ps - env.now)
            sums[index].join(worker)
        last_ps = env.now
        for total in sums:
            yield total.done[worker]
        all_joined_ps = max(last_ps, *(total.joined_ps for total in sums))
        opened.waiting_ps[worker] += all_joined_ps - last_ps
        summed_ps = env.now
        opened.network_ps[worker] += summed_ps - all_joined_ps
        yield env.timeout(begin_ps + whole_ps - last_ps)
        opened.iterating_ps[worker] += whole_ps
        edges_ps = (begin_ps, last_ps, all_joined_ps, summed_ps, env.now)
        doings = (Doing.TRAIN, Doing.WAIT, Doing.NETWORK, Doing.TRAIN)
        for doing, edges in zip(doings, pairwise(edges_ps), strict=True):
            self.course.spend(worker, opened.number, doing, *edges)

    def _sums(self, round_number: int) -> list[AllReduce]:
        """One sum a layer, or one of all layers."""
        system, model = self._system, self._system.model
        if not system.plan.overlap:
            return [AllReduce(system, round_number, model.upload, model.numbers)]
        return [
            AllReduce(system, round_number, system.layer_nbytes(index), layer.parameters)
            for index, layer in enumerate(system.members[0].iterations[0].layers)
        ]

    def _ready_ps(self, member: Member, round_number: int) -> list[tuple[int, int]]:
        """(time since the iteration's begin, number of the sum) in order of time."""
        layers = member.iteration(round_number).layers
        times = [member.slowed_ps(layer.gradient_ps) for layer in layers]
        if not self._system.plan.overlap:
            return [(max(times), 0)]
        return sorted((time, index) for index, time in enumerate(times))

    def _close(self, opened: _SummedRound) -> None:
        """Enter a round that is over into the course."""
        system, end_ps = self._system, self._env.now
        sums = [total for totals in opened.sums.values() for total in totals]
        for member in system.members:
            worker = member.number
            self.course.spend(worker, opened.number, Doing.WAIT, opened.end_ps[worker], end_ps)
            self.course.workers.append(
                WorkerCourse(
                    worker=worker,
                    round=opened.number,
                    iterations=member.count(opened.number),
                    trained=1.0,
                    adds=sum(total.adds[worker] for total in sums),
                    iterating_ps=opened.iterating_ps[worker],
                    adding_ps=0,
                    network_ps=opened.network_ps[worker],
                    waiting_ps=opened.waiting_ps[worker] + end_ps - opened.end_ps[worker],
                )
            )
        # Whoever waits least was waited for.
        rows = self.course.workers[-len(system.members) :]
        waiting_ps = {row.worker: row.waiting_ps for row in rows}
        everybody = tuple(sorted(waiting_ps, key=lambda worker: -waiting_ps[worker]))
        adds = sum(total.adds[len(system.members)] for total in sums)
        self.course.rounds.append(
            RoundCourse(opened.number, opened.begin_ps, end_ps, end_ps, everybody, adds)
        )

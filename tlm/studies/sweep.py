"""A sweep: one job on many chips, a run folder for each, on processes that stay.

A process loads the model and opens the job once, and then runs point after point, so that a point
costs what planning, building and simulating it cost. Points share nothing else: each leaves the
bytes that ``run`` leaves with the same settings, whatever the number of processes.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path

from tlm.errors import InterruptedRunError, TlmError
from tlm.running.interrupts import StopRequest, interrupts_held
from tlm.running.request import RunRequest
from tlm.running.runner import run_request
from tlm.studies.sweep_points import SweepAxis, SweepPoint
from tlm.workload.bundled import open_workload

KILLED = "killed"  # the process of a point ended without a word
REFUSED = "error"  # as in a manifest
_LOOK_S = 0.2  # between two looks at signals


@dataclass(frozen=True, slots=True)
class PointResult:
    """What became of a point: ``status`` as in a manifest, or why it has no figures.

    Time in ps and energy in pJ of the whole run are None where it did not reach its end.
    """

    point: SweepPoint
    status: str
    time_ps: int | None = None
    energy_pj: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class ChipSweep:
    """What is swept: ``request`` is that of every point but for the values of the axes."""

    request: RunRequest
    axes: tuple[SweepAxis, ...]
    folder: Path

    def request_of(self, point: SweepPoint) -> RunRequest:
        """What is asked at a point."""
        keys = (axis.key for axis in self.axes)
        values = tuple(f"{key}={value}" for key, value in zip(keys, point.values, strict=True))
        return replace(self.request, overrides=self.request.overrides + values)

    def folder_of(self, point: SweepPoint) -> Path:
        """Where a point's run goes."""
        return self.folder / f"{point.number:04}"


class _Worker:
    """A process that runs points, and the point it is at."""

    def __init__(self, sweep: ChipSweep) -> None:
        context = multiprocessing.get_context("spawn")  # no copies of locks of other threads
        self.connection, other = context.Pipe()
        self.process = context.Process(target=_work, args=(other, sweep), daemon=True)
        self.point: SweepPoint | None = None
        with interrupts_held():  # Ctrl-C is for who began it
            self.process.start()
        other.close()

    def begin(self, point: SweepPoint) -> None:
        self.point = point
        with suppress(BrokenPipeError):  # it died meanwhile: its result will say so
            self.connection.send(point)

    def result(self) -> PointResult:
        """The result of the point it is at, or that the process died over it."""
        assert self.point is not None
        try:
            result: PointResult = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            reason = (
                f"its process ended (code {self.process.exitcode}; -9: memory may have run out)"
            )
            result = PointResult(self.point, KILLED, reason=reason)
        self.point = None
        return result

    def end(self) -> None:
        self.process.kill()  # who is at a point is not waited for; who is not has written all
        self.process.join()
        self.connection.close()


def run_sweep(
    sweep: ChipSweep,
    points: Sequence[SweepPoint],
    jobs: int,
    stop: StopRequest,
    on_result: Callable[[PointResult], None],
) -> None:
    """Run all points, ``jobs`` at a time; ``on_result`` is told of each when it has ended.

    A point that is refused, fails, or whose process dies is a result, too: the others go on.

    Raises:
        InterruptedRunError: a signal came.
    """
    left = deque(points)
    with _workers(sweep, min(jobs, len(points))) as workers:
        while left or any(worker.point for worker in workers):
            _hand_out(left, workers)
            busy = {worker.connection: worker for worker in workers if worker.point}
            for connection in wait(list(busy), _LOOK_S):
                worker = busy[connection]  # type: ignore[index]
                on_result(worker.result())
                if worker.process.exitcode is not None:
                    workers[workers.index(worker)] = _Worker(sweep)
            if stop.exit_code:
                raise InterruptedRunError(
                    f"interrupted: points that ended are in {sweep.folder}", stop.exit_code
                )


def _hand_out(left: deque[SweepPoint], workers: Sequence[_Worker]) -> None:
    for worker in workers:
        if left and worker.point is None:
            worker.begin(left.popleft())


@contextmanager
def _workers(sweep: ChipSweep, count: int) -> Iterator[list[_Worker]]:
    workers: list[_Worker] = []
    try:
        workers += (_Worker(sweep) for _ in range(count))
        yield workers
    finally:
        for worker in workers:
            worker.end()


def _work(connection: Connection, sweep: ChipSweep) -> None:
    """What a worker's process does, until nobody sends it points any more."""
    workload = open_workload(sweep.request.workload)
    while True:
        try:
            point: SweepPoint = connection.recv()
        except EOFError:
            return
        try:
            run = run_request(sweep.request_of(point), sweep.folder_of(point), workload)
        except TlmError as error:
            result = PointResult(point, REFUSED, reason=str(error))
        else:
            time_ps, energy_pj = run.summary.time.makespan_ps, run.summary.energy.total_pj
            result = PointResult(point, run.summary.status, time_ps, energy_pj)
        connection.send(result)

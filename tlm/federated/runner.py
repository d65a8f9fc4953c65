"""A federated run, from a plan to its folder: train on every chip, exchange, check, write."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tlm.config.layers import load_chip
from tlm.errors import DeadlockError, InterruptedRunError, TlmError
from tlm.federated.data_parallel import DataParallel
from tlm.federated.fedavg import FedAvg
from tlm.federated.figures import FinishedRun, unchecked_summary
from tlm.federated.files import write_results
from tlm.federated.laws import check_federated
from tlm.federated.local import LocalIteration, LocalTask, simulate_iterations
from tlm.federated.plan_file import LoadedPlan, load_plan
from tlm.federated.results import FederatedSummary, IterationPart
from tlm.federated.system import Member, ModelBytes, System
from tlm.kernel import StuckError, run_until
from tlm.running.folder import create, release, release_reserve
from tlm.running.interrupts import Abort, StopRequest, stop_request
from tlm.running.manifest import Manifest
from tlm.running.preparation import check_chip
from tlm.running.results import digests

MANIFEST_SCHEMA = "tlm-federated-manifest"
RUNS = "iterations"  # folder of the runs of single iterations, below that of the federated run
JOBS = 2  # iterations that are simulated at a time

OnStep = Callable[[str], None]


@dataclass(frozen=True)
class FederatedInputs:
    """What a federated run was made of: the recording and the whole plan."""

    recording: str
    recording_sha256: str
    plan: dict[str, object]


@dataclass(frozen=True)
class FederatedRequest:
    """What was asked: a plan's file or a recording's name, and how many processes."""

    source: str
    jobs: int


@dataclass(frozen=True)
class FederatedCost:
    """What it takes on this machine; times are of the wall, known at the end."""

    iterations: int
    transfers: int = 0
    network_events: int = 0
    iterations_wall_s: float = 0.0
    total_wall_s: float = 0.0


@dataclass(frozen=True)
class PreparedFederation:
    """A checked plan and the recorded iterations to simulate; nothing has been written.

    ``places`` says which of the ``tasks`` stands for each worker (by place) and round (in order).
    """

    request: FederatedRequest
    loaded: LoadedPlan
    tasks: tuple[LocalTask, ...]
    places: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class FederatedResult:
    """A finished federated run: its folder, its figures, and what it cost to simulate."""

    folder: Path
    summary: FederatedSummary
    cost: FederatedCost

    @property
    def ok(self) -> bool:
        """Whether every law holds."""
        return self.summary.ok


def prepare_federation(source: str, jobs: int = JOBS) -> PreparedFederation:
    """Load a plan, its recording and its chips.

    Args:
        source: a plan's file, or the name or folder of a recorded federated run.
        jobs: how many iterations are simulated at a time, 1 or more; no figure hangs on it.

    Raises:
        TlmError: one of them is refused, in one line for each mistake.
    """
    loaded = load_plan(source)
    for chip in dict.fromkeys(loaded.plan.chip):
        check_chip(load_chip(chip))
    tasks, places = _tasks(loaded)
    return PreparedFederation(FederatedRequest(source, jobs), loaded, tasks, places)


def _tasks(loaded: LoadedPlan) -> tuple[tuple[LocalTask, ...], tuple[tuple[int, ...], ...]]:
    """The distinct iterations, and which of them each worker repeats in each round."""
    recording, split = loaded.recording, loaded.plan.variant.split
    chips = list(dict.fromkeys(loaded.plan.chip))
    tasks: dict[tuple[int, int, str], LocalTask] = {}
    places = []
    for worker in range(loaded.workers):
        recorded, chip = loaded.recorded_worker(worker), loaded.chip(worker)
        place = []
        for number in range(1, loaded.plan.rounds + 1):
            iteration = recording.iteration_of(recorded, number, split)
            key = (recorded, iteration, chip)
            if key not in tasks:
                name = f"worker{recorded}-iteration{iteration}"
                name += f"-chip{chips.index(chip)}" if len(chips) > 1 else ""
                job = recording.job(recorded, split).path
                tasks[key] = LocalTask(job, iteration, chip, Path(RUNS) / name)
            place.append(list(tasks).index(key))
        places.append(tuple(place))
    return tuple(tasks.values()), tuple(places)


def run_federation(
    prepared: PreparedFederation, out: Path | None = None, on_step: OnStep = lambda _: None
) -> FederatedResult:
    """Simulate a prepared federated run in the folder ``out``, or a fresh one under ``runs/``.

    ``on_step`` is called with the name of each recorded iteration and then of the network, before
    its result is waited for.

    Raises:
        TlmError: a run of a chip fails, a signal came, or a file cannot be written; the manifest
            says how it ended. A run that breaks a law returns a result that is not ``ok``.
    """
    loaded = prepared.loaded
    with stop_request() as stop:
        folder = create(out, f"{loaded.recording.name}-{loaded.plan.protocol}")
        try:
            return _Execution(prepared, folder, stop).run(on_step)
        finally:
            release(folder)


class _Execution:
    """A federated run in its folder, which is made and locked."""

    def __init__(self, prepared: PreparedFederation, folder: Path, stop: StopRequest) -> None:
        self.prepared = prepared
        self.folder = folder
        self.stop = stop
        loaded = prepared.loaded
        inputs = FederatedInputs(
            loaded.recording.name, loaded.recording.sha256, loaded.plan.model_dump(mode="json")
        )
        cost = FederatedCost(len(prepared.tasks))
        self.manifest = Manifest(folder, prepared.request, inputs, cost, MANIFEST_SCHEMA)

    def run(self, on_step: OnStep) -> FederatedResult:
        """To the end; whatever happens, the manifest says how it ended."""
        try:
            return self._run(on_step)
        except BaseException as error:
            text = str(error) if isinstance(error, TlmError) else f"{type(error).__name__}: {error}"
            release_reserve(self.folder)
            with contextlib.suppress(TlmError):  # a full disk: the first error is told
                self.manifest.close(_status(error), digests(self.folder), reason=text)
            raise

    def _run(self, on_step: OnStep) -> FederatedResult:
        prepared, started = self.prepared, time.perf_counter()
        tasks = [replace(task, folder=self.folder / task.folder) for task in prepared.tasks]
        iterations = simulate_iterations(tasks, prepared.request.jobs, self.stop, on_step)
        trained = time.perf_counter()
        on_step("network")
        system = _system(prepared, iterations)
        protocol = FedAvg if prepared.loaded.plan.protocol == "fedavg" else DataParallel
        course = protocol(system)
        events = self._events(system, course)
        parts = tuple(_iteration_parts(prepared, iterations))
        summary = _checked(FinishedRun(prepared.loaded, system, course.course, parts))
        release_reserve(self.folder)
        write_results(self.folder, summary)
        cost = FederatedCost(
            iterations=len(tasks),
            transfers=len(system.network.transfers),
            network_events=events,
            iterations_wall_s=trained - started,
            total_wall_s=time.perf_counter() - started,
        )
        self.manifest.close(summary.status, digests(self.folder), cost)
        return FederatedResult(self.folder, summary, cost)

    def _events(self, system: System, course: FedAvg | DataParallel) -> int:
        """Run to the last round's end; then let what is still on its way arrive, uncounted."""

        def look(_now: int, _events: int) -> None:
            if self.stop.exit_code:
                raise InterruptedRunError("interrupted among the transfers", self.stop.exit_code)

        try:
            events = run_until(system.env, course.finished, look)
        except StuckError as error:
            raise DeadlockError(f"{self.folder}: deadlock: {error}; please report it") from error
        system.env.run()
        return events


def _status(error: BaseException) -> str:
    """What the manifest calls this end."""
    interrupted = isinstance(error, InterruptedRunError | KeyboardInterrupt | Abort)
    return "interrupted" if interrupted else "error"


def _system(prepared: PreparedFederation, iterations: list[LocalIteration]) -> System:
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
    prepared: PreparedFederation, iterations: list[LocalIteration]
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

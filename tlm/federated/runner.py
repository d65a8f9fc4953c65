"""A federated run, from a plan to its folder: train on every chip, exchange, check, write."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tlm.errors import InterruptedRunError, TlmError
from tlm.federated.exchange import exchange
from tlm.federated.files import write_results
from tlm.federated.local import simulate_iterations
from tlm.federated.preparation import PreparedFederation
from tlm.federated.results import FederatedSummary
from tlm.federated.timeline import write_timeline
from tlm.running.folder import create, release, release_reserve
from tlm.running.interrupts import Abort, StopRequest, stop_request
from tlm.running.manifest import Manifest
from tlm.running.results import digests

MANIFEST_SCHEMA = "tlm-federated-manifest"

OnStep = Callable[[str], None]


@dataclass(frozen=True)
class FederatedInputs:
    """What a federated run was made of: the recording and the whole plan."""

    recording: str
    recording_sha256: str
    plan: dict[str, object]


@dataclass(frozen=True)
class FederatedCost:
    """What it takes on this machine; times are of the wall, known at the end."""

    iterations: int
    transfers: int = 0
    network_events: int = 0
    iterations_wall_s: float = 0.0
    total_wall_s: float = 0.0


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
        result = exchange(prepared, iterations, self.stop)
        release_reserve(self.folder)
        write_timeline(self.folder, result)
        write_results(self.folder, result.summary)
        cost = FederatedCost(
            iterations=len(tasks),
            transfers=len(result.transfers),
            network_events=result.events,
            iterations_wall_s=trained - started,
            total_wall_s=time.perf_counter() - started,
        )
        self.manifest.close(result.summary.status, digests(self.folder), cost)
        return FederatedResult(self.folder, result.summary, cost)


def _status(error: BaseException) -> str:
    """What the manifest calls this end."""
    interrupted = isinstance(error, InterruptedRunError | KeyboardInterrupt | Abort)
    return "interrupted" if interrupted else "error"

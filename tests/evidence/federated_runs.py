"""Federated runs for a study: each recorded iteration is simulated once for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from tlm.config.problems import validated
from tlm.federated.exchange import exchange
from tlm.federated.local import LocalIteration, LocalTask, simulate_iterations
from tlm.federated.plan import FederatedPlan
from tlm.federated.plan_file import LoadedPlan, check_plan
from tlm.federated.preparation import FederatedRequest, prepare_plan
from tlm.federated.repeat import RecordedFederation
from tlm.running.interrupts import StopRequest
from tlm.workload.federated import FederatedRun, open_federated

Plan = Mapping[str, object]


class FederatedStudy:
    """Runs of one recording on the default chip; their iterations lie in ``folder``."""

    def __init__(self, name: str, folder: Path, jobs: int = 1) -> None:
        self.name = name
        self._folder = folder
        self._jobs = jobs
        self._iterations: dict[LocalTask, LocalIteration] = {}

    @cached_property
    def recording(self) -> FederatedRun:
        """What was recorded."""
        return open_federated(self.name)

    def run(self, plan: Plan) -> RecordedFederation:
        """The run of a plan, which must keep every law."""
        asked = validated(FederatedPlan, {"recording": self.name, **plan}, "a plan")
        loaded = LoadedPlan(asked, self.recording, "a plan")
        check_plan(loaded)
        prepared = prepare_plan(loaded, FederatedRequest("a plan", 1))
        iterations = self.iterations(*prepared.tasks)
        summary = exchange(prepared, iterations, StopRequest()).summary
        assert summary.ok, (plan, summary.broken)
        return RecordedFederation(summary, prepared, iterations)

    def iterations(self, *tasks: LocalTask) -> tuple[LocalIteration, ...]:
        """What tasks take; each is simulated once."""
        named = {task: self._named(task) for task in tasks}
        left = [task for task in named.values() if task not in self._iterations]
        results = simulate_iterations(left, self._jobs, StopRequest(), print) if left else []
        self._iterations |= dict(zip(left, results, strict=True))
        return tuple(self._iterations[task] for task in named.values())

    def _named(self, task: LocalTask) -> LocalTask:
        """A task whose folder says its split too."""
        return replace(task, folder=self._folder / task.job.parent.name / task.folder.name)

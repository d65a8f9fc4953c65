"""The recorded jobs of a split's workers, taken while it is trained without compression."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from tlm.workload.capture import Capture
from tlm.workload.federated.read import job_path, round_job_path
from tlm.workload.recipe import FederatedRecipe
from tlm.workload.training.federated.averaging import Federation
from tlm.workload.training.loop import Recorder

ROUND_ITERATIONS = 8
"""Iterations of the first round that are recorded of worker 0, if it has as many."""

RECORDED = "the middle iteration of each recorded round, all samples of its mini-batch"


class WorkerCaptures:
    """A recorder for each worker of ``federation``, and one for the first round of worker 0."""

    def __init__(self, federation: Federation) -> None:
        self._federation = federation
        job = federation.jobs[0]
        *self._workers, self._round = (
            Capture(job.network, steps=job.recipe.steps, encoding=job.recipe.encoding)
            for _ in range(len(federation.jobs) + 1)
        )

    def recorders(self, with_round: bool) -> list[Mapping[int, Sequence[Recorder]]]:
        """Who records which iteration, by worker: the middle of every recorded round.

        ``with_round``: and iterations spread over the first round of worker 0, its middle too.
        """
        split = self._federation.split
        by_worker: list[dict[int, list[Recorder]]] = []
        for worker, capture in enumerate(self._workers):
            numbers = [split.middle_iteration(worker, number) for number in split.recorded]
            by_worker.append(defaultdict(list, {number: [capture] for number in numbers}))
        count = split.workers[0].iterations[0]
        spread = min(count, ROUND_ITERATIONS)
        for place in range(spread if with_round else 0):
            by_worker[0][place * count // spread].append(self._round)
        return list(by_worker)

    def save(
        self, folder: Path, recipe: FederatedRecipe, accuracy: float, provenance: Mapping[str, str]
    ) -> None:
        """Write the workers' jobs; ``accuracy`` is that of the global model at the end."""
        name = self._federation.split.name
        for worker, capture in enumerate(self._workers):
            words = {**provenance, "recorded": f"worker {worker}, {name}: {RECORDED}"}
            path = job_path(folder, name, worker)
            self._save(capture, path, f"{recipe.name}-{name}-{path.stem}", accuracy, words)

    def save_round(
        self, folder: Path, recipe: FederatedRecipe, accuracy: float, provenance: Mapping[str, str]
    ) -> None:
        """Write the job of the first round of worker 0."""
        name, path = self._federation.split.name, round_job_path(folder)
        words = {**provenance, "recorded": f"worker 0, {name}: iterations over the first round"}
        self._save(self._round, path, f"{recipe.name}-{name}-{path.stem}", accuracy, words)

    def _save(
        self, capture: Capture, path: Path, name: str, accuracy: float, words: Mapping[str, str]
    ) -> None:
        dataset = self._federation.jobs[0].dataset
        path.parent.mkdir(exist_ok=True)
        capture.save(
            path,
            level="bits",
            name=name,
            dataset=dataset.title,
            licence=dataset.licence,
            accuracy=accuracy,
            optimizer="adam",
            provenance=words,
        )

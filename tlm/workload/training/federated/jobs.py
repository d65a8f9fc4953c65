"""The recorded jobs of a split's workers, taken while it is trained without compression."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from tlm.workload.capture import Capture
from tlm.workload.federated.read import job_path, round_job_path
from tlm.workload.training.federated.averaging import Federation
from tlm.workload.training.loop import Recorder, TrainingJob

RECORDED = "the middle iteration of each recorded round, all samples of its mini-batch"


class WorkerCaptures:
    """A recorder for each worker of ``federation``.

    ``round_iterations``: and one for so many, spread over the first round of worker 0.
    """

    def __init__(self, federation: Federation, round_iterations: int) -> None:
        self._federation = federation
        self._workers = [_capture(job) for job in federation.jobs]
        self._round = _capture(federation.jobs[0])
        self._spread = min(round_iterations, federation.split.workers[0].iterations[0])

    def recorders(self) -> list[Mapping[int, Sequence[Recorder]]]:
        """Who records which iteration, by worker: the middle of every recorded round."""
        split = self._federation.split
        by_worker: list[dict[int, list[Recorder]]] = []
        for worker, capture in enumerate(self._workers):
            numbers = [split.middle_iteration(worker, number) for number in split.recorded]
            by_worker.append(defaultdict(list, {number: [capture] for number in numbers}))
        for place in range(self._spread):
            iteration = place * split.workers[0].iterations[0] // self._spread
            by_worker[0][iteration].append(self._round)
        return list(by_worker)

    def save(self, folder: Path, name: str, accuracy: float, words: Mapping[str, str]) -> None:
        """Write the jobs of run ``name``, with ``words`` of their provenance.

        ``accuracy`` is that of the global model at the end.
        """
        split = self._federation.split.name
        written = [
            (capture, job_path(folder, split, worker), f"worker {worker}, {split}: {RECORDED}")
            for worker, capture in enumerate(self._workers)
        ]
        if self._spread:
            recorded = f"worker 0, {split}: iterations over the first round"
            written.append((self._round, round_job_path(folder), recorded))
        dataset = self._federation.jobs[0].dataset
        for capture, path, recorded in written:
            path.parent.mkdir(exist_ok=True)
            capture.save(
                path,
                level="bits",
                name=f"{name}-{split}-{path.stem}",
                dataset=dataset.title,
                licence=dataset.licence,
                accuracy=accuracy,
                optimizer="adam",
                provenance={**words, "recorded": recorded},
            )


def _capture(job: TrainingJob) -> Capture:
    return Capture(job.network, steps=job.recipe.steps, encoding=job.recipe.encoding)

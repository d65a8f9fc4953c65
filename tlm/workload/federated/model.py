"""What a recorded federated run is: FedAvg (McMahan et al., arXiv 1602.05629) over N workers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from tlm.errors import WorkloadError
from tlm.workload.federated.compression import Compression
from tlm.workload.model import Workload

SplitName: TypeAlias = Literal["dirichlet", "iid"]
"""Workers with class shares drawn from a Dirichlet distribution, or all alike."""

NON_IID: SplitName = "dirichlet"
"""The split that is taken where none is named."""


@dataclass(frozen=True)
class WorkerData:
    """A worker's part of the training data in one split.

    ``samples`` is also its weight in the mean of all differences, ``classes`` [classes] says how
    many of them are of each class, and ``iterations`` [rounds] how many mini-batches it trains in
    each round.
    """

    samples: int
    classes: tuple[int, ...]
    iterations: tuple[int, ...]


@dataclass(frozen=True)
class FederatedSplit:
    """The training data over all workers.

    ``alpha`` is that of the Dirichlet distribution (None: identical workers), ``recorded`` the
    rounds, from 1, of which each worker's middle iteration is in its job.
    """

    name: SplitName
    alpha: float | None
    workers: tuple[WorkerData, ...]
    recorded: tuple[int, ...]

    def first_iteration(self, worker: int, round_number: int) -> int:
        """Iterations that ``worker`` has trained before round ``round_number`` (from 1)."""
        return sum(self.workers[worker].iterations[: round_number - 1])

    def middle_iteration(self, worker: int, round_number: int) -> int:
        """The iteration that stands for a round: as many of it come before as after, or one more.

        Its number counts the worker's iterations over all rounds, from 0.
        """
        count = self.workers[worker].iterations[round_number - 1]
        return self.first_iteration(worker, round_number) + count // 2


@dataclass(frozen=True)
class FederatedVariant:
    """One training run: a split and a compression.

    ``accuracy`` [rounds + 1] is that of the model that workers receive, 0..1, before the first
    and after each round. ``upload_nbytes`` and ``download_nbytes`` are those of every worker in
    every round.
    """

    split: SplitName
    compression: Compression
    accuracy: tuple[float, ...]
    upload_nbytes: int
    download_nbytes: int


@dataclass(frozen=True)
class FederatedRun:
    """A recorded federated run.

    ``parameters`` counts the numbers that are trained and sent, ``jobs`` holds a recorded job
    for each worker by split, ``sha256`` is the digest of ``federated.json``. Recorded are
    iterations of training without compression.
    """

    folder: Path
    name: str
    dataset: str
    licence: str
    network: str
    parameters: int
    workers: int
    rounds: int
    splits: tuple[FederatedSplit, ...]
    variants: tuple[FederatedVariant, ...]
    provenance: dict[str, str]
    sha256: str
    jobs: Mapping[str, tuple[Workload, ...]]
    round_job: Workload
    """Iterations spread over the first round of worker 0 of the first split."""

    def split(self, name: str) -> FederatedSplit:
        """The split ``name``; raises WorkloadError if it was not trained."""
        named: dict[str, FederatedSplit] = {split.name: split for split in self.splits}
        if name not in named:
            raise WorkloadError(f"{self.name}: no split {name!a}; there are: {', '.join(named)}")
        return named[name]

    def variant(self, split: str, compression: str) -> FederatedVariant:
        """The training run of a split and a compression; WorkloadError if it was not trained."""
        of_split = [item for item in self.variants if item.split == self.split(split).name]
        for item in of_split:
            if item.compression.name == compression:
                return item
        names = ", ".join(item.compression.name for item in of_split)
        raise WorkloadError(
            f"{self.name}, {split}: no compression {compression!a}; there are: {names}"
        )

    def job(self, worker: int, split: str = NON_IID) -> Workload:
        """The recorded job of ``worker`` (from 0); raises WorkloadError if there is none."""
        return self.jobs[self._checked(worker, split).name][worker]

    def iteration_of(self, worker: int, round_number: int, split: str = NON_IID) -> int:
        """Number of the recorded iteration that stands for a round (from 1) of ``worker``.

        It is of the latest recorded round that is not after this one. Raises WorkloadError if
        there is no such worker or round.
        """
        chosen = self._checked(worker, split)
        if not 1 <= round_number <= self.rounds:
            raise WorkloadError(f"{self.name}: no round {round_number}; expected 1..{self.rounds}")
        latest = max(recorded for recorded in chosen.recorded if recorded <= round_number)
        return chosen.middle_iteration(worker, latest)

    def _checked(self, worker: int, split: str) -> FederatedSplit:
        if not 0 <= worker < self.workers:
            raise WorkloadError(f"{self.name}: no worker {worker}; expected 0..{self.workers - 1}")
        return self.split(split)

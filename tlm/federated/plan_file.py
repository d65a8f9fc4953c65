"""A plan from its file, or from the name of a recorded run alone, held against that recording."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tlm.config.problems import validated
from tlm.config.yaml_file import read_mapping
from tlm.config.yaml_lines import located
from tlm.errors import ConfigError, WorkloadError
from tlm.federated.plan import FederatedPlan, worker_number
from tlm.workload.federated import FederatedRun, is_federated, open_federated

SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class LoadedPlan:
    """A checked plan and the recording that it names; ``where`` is its file in error texts."""

    plan: FederatedPlan
    recording: FederatedRun
    where: str

    @property
    def workers(self) -> int:
        """How many chips train."""
        return self.plan.workers or self.recording.workers

    def chip(self, worker: int) -> str:
        """The chip of a worker, as the plan names it."""
        return self.plan.chip[worker if len(self.plan.chip) > 1 else 0]

    def recorded_worker(self, worker: int) -> int:
        """Whose recorded job ``worker`` runs: with more workers than recorded, they repeat."""
        return worker % self.recording.workers

    def samples(self, worker: int) -> int:
        """Samples that ``worker`` trains on: its weight in the mean."""
        split = self.recording.split(self.plan.variant.split)
        return split.workers[self.recorded_worker(worker)].samples

    def iterations(self, worker: int, round_number: int) -> int:
        """Local iterations of a worker in a round (from 1).

        Where the gradients of every iteration are summed, all workers do as many as the one with
        the fewest.
        """
        if self.plan.local is not None:
            return self.plan.local
        counts = [
            item.iterations[round_number - 1]
            for item in self.recording.split(self.plan.variant.split).workers
        ]
        if self.plan.protocol == "data-parallel":
            return min(counts)
        return counts[self.recorded_worker(worker)]

    def accuracy(self, round_number: int) -> float | None:
        """Accuracy of the global model after a round (0: before the first), if it was recorded."""
        if self.unrecorded:
            return None
        plan = self.plan
        curve = self.recording.variant(plan.variant.split, plan.variant.compression).accuracy
        return curve[round_number]

    @property
    def unrecorded(self) -> str:
        """Why the recorded accuracy is not that of this run; empty if it is."""
        plan = self.plan
        if plan.protocol != "fedavg":
            return "recorded was FedAvg, and this run sums gradients in every iteration"
        if self.workers != self.recording.workers:
            return f"recorded were {self.recording.workers} workers"
        if plan.local is not None:
            return "local iterations are not those recorded"
        return ""


def load_plan(source: str) -> LoadedPlan:
    """Read ``source``, a plan's file or the name (or folder) of a recorded federated run.

    Raises:
        ConfigError: a key is wrong, or asks for what the recording does not have: a line for each.
        WorkloadError: there is no such recording, or it is damaged.
    """
    if Path(source).suffix in SUFFIXES:
        content = read_mapping(Path(source), source, "recording: fed-mnist")
        plan = validated(FederatedPlan, content, source)
    else:
        plan = FederatedPlan(recording=source)
    loaded = LoadedPlan(plan, _recording(plan.recording, source), source)
    check_plan(loaded)
    return loaded


def _recording(name: str, source: str) -> FederatedRun:
    """The recording that a plan names; where there is none, the plan's line is told."""
    try:
        return open_federated(name)
    except WorkloadError as error:
        if name == source or is_federated(name):
            raise  # the text names what the user wrote, or the recording's own file
        raise WorkloadError(f"{located(source, ('recording',))}: recording: {error}") from None


def check_plan(loaded: LoadedPlan) -> None:
    """Hold a plan against its recording.

    Raises:
        ConfigError: it asks for what the recording does not have: a line for each mistake.
    """
    problems = dict(_variant_problems(loaded)) or dict(_problems(loaded))
    if problems:
        lines = (
            f"{located(loaded.where, tuple(key.split('.')))}: {key}: {why}"
            for key, why in problems.items()
        )
        raise ConfigError("\n".join(lines))


def _variant_problems(loaded: LoadedPlan) -> Iterator[tuple[str, str]]:
    """A split or a compression that was not trained."""
    plan, recording = loaded.plan.variant, loaded.recording
    splits = [split.name for split in recording.splits]
    if plan.split not in splits:
        yield "variant.split", f"got {plan.split!a}; recorded are {', '.join(splits)}"
        return
    names = [item.compression.name for item in recording.variants if item.split == plan.split]
    if plan.compression not in names:
        yield (
            "variant.compression",
            f"got {plan.compression!a}; recorded of {plan.split} are {', '.join(names)}",
        )


def _problems(loaded: LoadedPlan) -> Iterator[tuple[str, str]]:
    """(key, what is wrong) of what the recording or the number of workers contradicts."""
    plan, recording = loaded.plan, loaded.recording
    compression = recording.variant(plan.variant.split, plan.variant.compression).compression
    if plan.rounds > recording.rounds:
        yield "rounds", f"recorded are {recording.rounds}, got {plan.rounds}; lower it"
    if len(plan.chip) not in (1, loaded.workers):
        yield "chip", f"expected one, or {loaded.workers}, one a worker; got {len(plan.chip)}"
    for key in ("slow", "links", "drop"):
        for name in getattr(plan, key):
            if (worker_number(name) or 0) >= loaded.workers:
                last = f"worker{loaded.workers - 1}"
                yield f"{key}.{name}", f"there is none; they are worker0 to {last}"
    for name, drop in plan.drop.items():
        if drop.round > plan.rounds:
            yield f"drop.{name}.round", f"there are {plan.rounds} rounds, got {drop.round}"
    if compression.share is None:
        return
    if plan.overlap:
        yield (
            "overlap",
            f"{compression.name} sends the largest differences of all layers, which are known "
            "only when the last is trained; leave it out, or use compression none or fp16",
        )
    if plan.protocol == "data-parallel":
        yield (
            "variant.compression",
            f"sums of gradients cannot be sent as {compression.name}; use none or fp16",
        )

"""A federated run before its time 0: the plan, its recording, its chips, what is to simulate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tlm.config.layers import LoadedChip, load_chip
from tlm.config.yaml_lines import located
from tlm.errors import ConfigError
from tlm.federated.local import LocalTask
from tlm.federated.plan_file import LoadedPlan, load_plan
from tlm.running.preparation import check_chip

RUNS = "iterations"  # folder of the runs of single iterations, below that of the federated run
JOBS = 2  # iterations that are simulated at a time


@dataclass(frozen=True)
class FederatedRequest:
    """What was asked: a plan's file or a recording's name, and how many processes."""

    source: str
    jobs: int


@dataclass(frozen=True)
class PreparedFederation:
    """A checked plan and the recorded iterations to simulate; nothing has been written.

    ``places`` says which of the ``tasks`` stands for each worker (by place) and round (in order).
    """

    request: FederatedRequest
    loaded: LoadedPlan
    tasks: tuple[LocalTask, ...]
    places: tuple[tuple[int, ...], ...]


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
        check_chip(_chip(chip, source))
    return prepare_plan(loaded, FederatedRequest(source, jobs))


def _chip(chip: str, source: str) -> LoadedChip:
    """A chip that a plan names; where there is none, the plan's line is told."""
    try:
        return load_chip(chip)
    except ConfigError as error:
        if not str(error).startswith(f'chip "{chip}"'):
            raise  # the text names the chip's own file
        raise ConfigError(f"{located(source, ('chip',))}: {error}") from None


def prepare_plan(loaded: LoadedPlan, request: FederatedRequest) -> PreparedFederation:
    """A loaded plan whose chips are not looked at."""
    tasks, places = _tasks(loaded)
    return PreparedFederation(request, loaded, tasks, places)


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

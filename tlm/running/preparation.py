"""A run before its time 0: load job and chip, place the job, and write its program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tlm.config.layers import LoadedChip, load_chip
from tlm.config.resolved import resolved_yaml
from tlm.config.sources import ValueSource, mapping_source
from tlm.config.tables.dram_timing import DramTiming, load_dram_timing
from tlm.counts.core_arrays import arrays_of
from tlm.errors import ConfigError, MappingError, WorkloadError
from tlm.kernel import collector_paused
from tlm.laws.due import Due, due_of
from tlm.placement.choices import grids_of, read_choices
from tlm.program.build import build_program
from tlm.running.cost import chip_bytes, loading_bytes
from tlm.running.memory import require_memory
from tlm.running.request import RunRequest
from tlm.running.structures import check_structures
from tlm.space.program import Program
from tlm.storage.plan import Plan
from tlm.storage.planning import make_plan
from tlm.workload.bundled import open_workload
from tlm.workload.drawn.kinds import as_activity
from tlm.workload.drawn.weights import WeightRule, parse_weights, weight_masks
from tlm.workload.inference import MODES, as_inference
from tlm.workload.mode import require_training
from tlm.workload.model import Recording, RunMode, Workload

# Settings of a chip whose engines skip nothing: they go with every activity but the recorded.
NOTHING_SKIPPED = (
    *(f"core.engines.{engine}.mode=dense" for engine in ("fp", "bp", "wg")),
    "core.skip_slices=false",
)
# Running statistics are known before a sample comes: inference has them in weights and biases, or,
# where a norm scales by step, beside the weights, which all steps share.
FOLDED, FROZEN = ("mapping.batch_norm=folded",), ("mapping.batch_norm=frozen",)
# All layers of a step before the next step: a sample that stops has begun nothing in vain. A
# pipelined chip does so with each of its groups of samples, others with all samples together.
STEP_BY_STEP = ("mapping.schedule=wavefront",)
GROUP_BY_GROUP = ("mapping.static_input=every_step",)


@dataclass(frozen=True)
class PlacedJob:
    """A job on a chip, planned: nothing has been built or written yet.

    ``asked`` is the job as it was opened, ``workload`` what the request's activity makes of it,
    ``weights`` the rule by which weights are zero.
    """

    asked: Workload
    workload: Workload
    recording: Recording
    weights: WeightRule
    chip: LoadedChip
    timing: DramTiming
    plan: Plan


@dataclass(frozen=True)
class PreparedRun(PlacedJob):
    """A run's inputs, all loaded, checked and built: nothing has been written yet.

    ``due`` is what the laws will ask of the run; ``config_text`` describes its chip.
    """

    program: Program
    due: Due
    config_text: str


def place_job(request: RunRequest, workload: Workload | None = None) -> PlacedJob:
    """Load and place what ``request`` names; ``workload`` is the job if it is open already.

    Raises:
        TlmError: a workload, chip or mapping is refused, in one line; or its tensors alone need
            more memory than the request allows or the machine has.
    """
    asked = workload or open_workload(request.workload)
    mode = check_job(request, asked)
    loaded = as_activity(asked, request.activity)
    workload, rule = _in_mode(request, mode, loaded), parse_weights(request.weights)
    file = request.mapping
    choices = read_choices(Path(file)) if file is not None else None
    settings = mapping_source(str(file), choices.mapping) if choices is not None else None
    chip = _chip(request, workload, settings)
    timing = load_dram_timing(chip.config.dram.device)
    number = _number(workload, request.iteration)
    loading = f"{workload.path.name}: loading an iteration, and the chip,"
    needed = loading_bytes(loaded, number) + chip_bytes(chip.config)
    require_memory(needed, request.mem_bytes, loading)
    weights = weight_masks(workload, number, rule)
    recording = replace(workload.load(number), weights=weights)
    with _places_named(chip):
        grids = grids_of(choices, workload, chip.config, str(file)) if choices is not None else None
        plan = make_plan(workload, recording, chip, timing, grids)
    return PlacedJob(asked, workload, recording, rule, chip, timing, plan)


def check_job(request: RunRequest, job: Workload) -> RunMode:
    """The mode that is asked for, or that a job was recorded for.

    Raises:
        ConfigError: there is no such mode.
        WorkloadError: there is no training in the job, or no chip runs a part of it.
    """
    mode = job.mode if request.mode is None else request.mode
    if mode not in MODES:
        raise ConfigError(f"mode: there is no mode {mode!r}; give one of: {', '.join(MODES)}")
    if mode == "training":
        require_training(job, "leave --mode out, or give --mode inference")
    check_structures(replace(job, mode=mode))
    return mode


def _in_mode(request: RunRequest, mode: RunMode, workload: Workload) -> Workload:
    """The job in a mode.

    Raises:
        ConfigError: what inference alone has is asked of training.
        WorkloadError: as :func:`tlm.workload.inference.as_inference`.
    """
    if mode == "inference":
        return as_inference(workload, request.batch, request.stop)
    if request.batch is not None or request.stop != "all-steps":
        key = "stop" if request.batch is None else "batch"
        raise ConfigError(
            f"{key}: a training iteration runs as it was recorded; use it with mode inference"
        )
    return workload


def _chip(request: RunRequest, workload: Workload, mapping: ValueSource | None) -> LoadedChip:
    """The chip, with what is imposed on it."""

    def load(stop: Sequence[str]) -> LoadedChip:
        imposed = [*_imposed(request, workload), *stop]
        return load_chip(request.chip, request.overrides, mapping, imposed)

    chip = load(())
    if request.stop == "all-steps":
        return chip
    pipelined = chip.config.mapping.schedule == "pipelined"
    return load(GROUP_BY_GROUP if pipelined else STEP_BY_STEP)


def _imposed(request: RunRequest, workload: Workload) -> list[str]:
    """Settings of the chip that go with what is asked, whatever the chip says."""
    norms = [layer.norm for layer in workload.layers if layer.norm is not None]
    statistics = FOLDED if all(norm.foldable for norm in norms) else FROZEN
    return [
        *(NOTHING_SKIPPED if request.activity != "recorded" else ()),
        *(() if workload.learns else statistics),
    ]


def check_chip(chip: LoadedChip) -> None:
    """Refuse, without a job, a chip on which no job runs.

    Raises:
        MappingError: so it is, in one line with file and key.
    """
    with _places_named(chip):
        arrays_of(chip.config)


@contextmanager
def _places_named(chip: LoadedChip) -> Iterator[None]:
    """Puts the file and line of the key before the text of a mapping error that starts with one."""
    try:
        yield
    except MappingError as error:
        raise MappingError(chip.located(str(error))) from None


def _number(workload: Workload, iteration: int | None) -> int:
    """The place of a training iteration among those recorded; the last one if None."""
    if iteration is None:
        return len(workload.iterations) - 1
    if iteration not in workload.iterations:
        known = ", ".join(map(str, workload.iterations))
        raise WorkloadError(
            f"{workload.path.name}: no iteration {iteration}; recorded are {known}: choose one of "
            "them"
        )
    return workload.iterations.index(iteration)


def prepare(request: RunRequest, workload: Workload | None = None) -> PreparedRun:
    """Place a job as :func:`place_job` does, build its program, and count what is due."""
    with collector_paused():
        placed = place_job(request, workload)
        with _places_named(placed.chip):
            due = due_of(placed.plan, placed.recording)  # before the program takes memory
            program = build_program(placed.plan)
    config_text = resolved_yaml(placed.chip, origins=False)
    return PreparedRun(**vars(placed), program=program, due=due, config_text=config_text)

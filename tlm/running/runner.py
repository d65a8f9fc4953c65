"""A run, from names to a run folder: load, place, estimate, then simulate, check and write."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tlm.config.layers import load_chip
from tlm.config.resolved import resolved_yaml
from tlm.config.sources import mapping_source
from tlm.config.tables.dram_timing import load_dram_timing
from tlm.errors import OutOfMemoryError, WorkloadError
from tlm.kernel import collector_paused
from tlm.laws.due import due_of
from tlm.placement.choices import grids_of, read_choices
from tlm.program.build import build_program
from tlm.running.cost import LIBRARY_BYTES, RunCost, estimate, loading_bytes
from tlm.running.execution import Execution
from tlm.running.folder import create, release
from tlm.running.interrupts import stop_request
from tlm.running.memory import memory_limit, require_memory, resident_bytes
from tlm.running.request import PlacedJob, PreparedRun, Progress, RunRequest, RunResult
from tlm.storage.planning import make_plan
from tlm.studies.counterfactual import Activity, as_activity
from tlm.trace.limits import NO_LIMITS, TraceLimits
from tlm.workload.bundled import open_workload
from tlm.workload.model import Workload

__all__ = [
    "PlacedJob",
    "PreparedRun",
    "Progress",
    "RunResult",
    "place_job",
    "prepare",
    "run_job",
]


def place_job(
    workload: str | Workload,
    chip: str,
    overrides: Sequence[str],
    iteration: int | None,
    *,
    mapping: Path | None = None,
    activity: Activity = "recorded",
    mem_bytes: int | None = None,
) -> PlacedJob:
    """Load and place a recorded iteration; the last one recorded if ``iteration`` is None.

    ``mapping`` is a mapping file to place it by; ``mapping.*`` overrides win over its settings.

    Raises:
        TlmError: a workload, chip or mapping is refused, in one line; or its tensors alone need
            more memory than ``mem_bytes`` or the machine has.
    """
    job = workload if isinstance(workload, Workload) else open_workload(workload)
    job, nothing_skipped = as_activity(job, activity)
    choices = read_choices(mapping) if mapping is not None else None
    settings = mapping_source(str(mapping), choices.mapping) if choices is not None else None
    loaded = load_chip(chip, [*overrides, *nothing_skipped], settings)
    timing = load_dram_timing(loaded.config.dram.device)
    which = _index(job, iteration)
    require_memory(loading_bytes(job, which), mem_bytes, f"{job.path.name}: loading an iteration")
    recording = job.load(which)
    grids = grids_of(choices, job, loaded.config, str(mapping)) if choices is not None else None
    plan = make_plan(job, recording, loaded, timing, grids)
    return PlacedJob(job, recording, loaded, timing, plan)


def prepare(
    workload: str | Workload,
    chip: str,
    overrides: Sequence[str],
    iteration: int | None,
    *,
    mapping: Path | None = None,
    activity: Activity = "recorded",
    mem_bytes: int | None = None,
) -> PreparedRun:
    """Place a job as :func:`place_job` does, build its program, and count what is due."""
    with collector_paused():
        placed = place_job(
            workload, chip, overrides, iteration,
            mapping=mapping, activity=activity, mem_bytes=mem_bytes,
        )  # fmt: skip
        program = build_program(placed.plan)
        due = due_of(placed.plan, placed.recording)
    config_text = resolved_yaml(placed.chip, origins=False)
    return PreparedRun(**vars(placed), program=program, due=due, config_text=config_text)


def _index(job: Workload, iteration: int | None) -> int:
    if iteration is None:
        return len(job.iterations) - 1
    if iteration not in job.iterations:
        known = ", ".join(map(str, job.iterations))
        raise WorkloadError(
            f"{job.path.name}: no iteration {iteration}; recorded are {known}: choose one of them"
        )
    return job.iterations.index(iteration)


def run_job(
    workload: str | Workload,
    *,
    chip: str = "neuromc-20",
    overrides: Sequence[str] = (),
    iteration: int | None = None,
    mapping: Path | None = None,
    out: Path | None = None,
    trace: str = "transaction",
    activity: Activity = "recorded",
    limits: TraceLimits = NO_LIMITS,
    mem_bytes: int | None = None,
    on_estimate: Callable[[RunCost], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> RunResult:
    """Run a recorded training iteration on a chip and leave a run folder.

    Args:
        workload: name of a bundled job, path of a workload file, or an open job.
        chip, overrides, iteration, mapping, trace, activity, limits, mem_bytes: see
            :class:`RunRequest`.
        out: folder to use; a fresh one under ``runs/`` by default.
        on_estimate: called once with what the run will cost, before it begins.
        on_progress: called about 50 times a second of wall time.

    Raises:
        TlmError: bad input (nothing is left behind), a deadlock, a signal, memory or disk that ran
            out, or a folder that cannot be written. A run that breaks an invariant returns a
            result that is not ``ok``; one whose trace ended early says so in the result.
    """
    name = workload.name if isinstance(workload, Workload) else workload
    request = RunRequest(
        workload=name,
        chip=chip,
        overrides=tuple(overrides),
        iteration=iteration,
        mapping=None if mapping is None else str(mapping),
        trace=trace,
        activity=activity,
        limits=limits,
        mem_bytes=mem_bytes,
    )
    started = time.perf_counter()
    require_memory(max(resident_bytes(), LIBRARY_BYTES), mem_bytes, "the program itself")
    try:
        with memory_limit(mem_bytes):
            job = prepare(
                workload, chip, overrides, iteration,
                mapping=mapping, activity=activity, mem_bytes=mem_bytes,
            )  # fmt: skip
            cost = estimate(job.program, job.chip.config, trace, limits)
            require_memory(cost.memory_bytes, mem_bytes, f"{job.workload.name}: the simulation")
    except MemoryError:
        raise OutOfMemoryError(
            f"{name}: memory ran out while the job was laid out, before the run began; raise "
            "--mem, or choose a smaller batch or fewer steps"
        ) from None
    if on_estimate is not None:
        on_estimate(cost)
    with stop_request() as stop:
        folder = create(out, f"{job.workload.name}-{job.chip.config.name}")
        try:
            return Execution(job, request, folder, stop, cost, on_progress).run(started)
        finally:
            release(folder)

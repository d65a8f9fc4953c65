"""A run, from names to a run folder: prepare, estimate, then simulate, check and write."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tlm.running.cost import RunCost, estimate
from tlm.running.execution import Execution
from tlm.running.folder import create, release
from tlm.running.interrupts import stop_request
from tlm.running.kernels import kernel_of
from tlm.running.memory import require_memory, within_memory
from tlm.running.preparation import PreparedRun, prepare
from tlm.running.request import RunProgress, RunRequest, RunResult
from tlm.trace.limits import NO_LIMITS, TraceLimits
from tlm.workload.drawn.kinds import ActivityKind
from tlm.workload.inference import Stop
from tlm.workload.model import RunMode, Workload

__all__ = ["Listener", "RunResult", "run_job", "run_request"]


@dataclass(frozen=True)
class Listener:
    """Who is told of a run while it goes on.

    ``on_estimate`` is called once with what the run will cost, before it begins; ``on_progress``
    about 50 times per second of wall time.
    """

    on_estimate: Callable[[RunCost], None] | None = None
    on_progress: Callable[[RunProgress], None] | None = None


# More than six parameters: users call it by keyword, and each is a field of RunRequest.
def run_job(
    workload: str | Workload,
    *,
    chip: str = "neuromc-20",
    overrides: Sequence[str] = (),
    iteration: int | None = None,
    mapping: Path | None = None,
    out: Path | None = None,
    trace: str = "transaction",
    activity: ActivityKind = "recorded",
    limits: TraceLimits = NO_LIMITS,
    mem_bytes: int | None = None,
    weights: str = "dense",
    mode: RunMode | None = None,
    batch: int | None = None,
    stop: Stop = "all-steps",
    kernel: str | None = None,
    on_estimate: Callable[[RunCost], None] | None = None,
    on_progress: Callable[[RunProgress], None] | None = None,
) -> RunResult:
    """Run a recorded training iteration on a chip and leave a run folder.

    Args:
        workload: name of a bundled job, path of a workload file, or an open job.
        chip, overrides, iteration, mapping, trace, activity, limits, mem_bytes, weights, mode,
            batch, stop, kernel: see :class:`RunRequest`.
        out: folder to use; a fresh one under ``runs/`` by default.
        on_estimate, on_progress: see :class:`Listener`.

    Raises:
        TlmError: as :func:`run_request`.
    """
    opened = workload if isinstance(workload, Workload) else None
    request = RunRequest(
        workload=workload.name if isinstance(workload, Workload) else workload,
        chip=chip,
        overrides=tuple(overrides),
        iteration=iteration,
        mapping=None if mapping is None else str(mapping),
        trace=trace,
        activity=activity,
        limits=limits,
        mem_bytes=mem_bytes,
        weights=weights,
        mode=mode,
        batch=batch,
        stop=stop,
        kernel=kernel,
    )
    return run_request(request, out, opened, Listener(on_estimate, on_progress))


def run_request(
    request: RunRequest,
    out: Path | None = None,
    workload: Workload | None = None,
    listener: Listener = Listener(),
) -> RunResult:
    """Do what ``request`` asks, in the folder ``out`` or in a fresh one under ``runs/``.

    ``workload`` is the job if it is open already.

    Raises:
        TlmError: bad input (nothing is left behind), a deadlock, a signal, memory or disk that ran
            out, or a folder that cannot be written. A run that breaks an invariant returns a
            result that is not ``ok``; one whose trace ended early says so in the result.
    """
    started = time.perf_counter()
    kernel = kernel_of(request.kernel)  # refused before anything is loaded
    prepared, cost = _prepared(request, workload, kernel.name)
    if listener.on_estimate is not None:
        listener.on_estimate(cost)
    with stop_request() as stop:
        folder = create(out, f"{prepared.workload.name}-{prepared.chip.config.short_name}")
        try:
            execution = Execution(prepared, request, folder, stop, cost)
            return execution.run(started, listener.on_progress)
        finally:
            release(folder)


def _prepared(
    request: RunRequest, workload: Workload | None, kernel: str
) -> tuple[PreparedRun, RunCost]:
    """The run with all its inputs, and what it will cost; both within the memory it may take."""
    laid_out = "memory ran out while the job was laid out, before the run began"
    with within_memory(request.mem_bytes, f"{request.workload}: {laid_out}"):
        prepared = prepare(request, workload)
        config, limits = prepared.chip.config, request.limits
        cost = estimate(prepared.program, config, request.trace, limits, kernel)
        simulation = f"{prepared.workload.name}: the simulation"
        require_memory(cost.memory_bytes, request.mem_bytes, simulation)
    return prepared, cost

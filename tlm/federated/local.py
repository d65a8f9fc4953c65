"""Local training: recorded iterations, each simulated once on its chip, in processes of their own.

Chips share nothing but the network between them, so an iteration takes on a chip among others
exactly what it takes alone (``tests/hardware/test_several_chips.py``); and a round is its recorded
iteration, repeated.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import tlm.trace
from tlm.config.layers import LoadedChip, load_chip
from tlm.errors import InterruptedRunError, InvalidResultError, OutOfMemoryError
from tlm.running.interrupts import StopRequest, interrupts_held
from tlm.running.repeat import CONFIG
from tlm.running.request import RunRequest
from tlm.running.runner import run_request
from tlm.space.phase import Phase
from tlm.space.trace_rows import EngineState
from tlm.trace.summary import Summary
from tlm.trace.summary_file import read_summary
from tlm.workload.file.layout import parameter_shapes
from tlm.workload.file.reader import read_workload
from tlm.workload.model import Workload

_LOOK_S = 0.2  # between two looks at whether a signal came
_GRADIENT_PHASES = (Phase.WG, Phase.REDUCE)


@dataclass(frozen=True)
class LocalTask:
    """A recorded iteration to simulate: the job's file, the chip, and the folder of its run."""

    job: Path
    iteration: int
    chip: str
    folder: Path


@dataclass(frozen=True)
class LayerResult:
    """When a layer's dW is complete and its weights are updated, in ps from the iteration's begin.

    ``parameters`` counts the numbers that are sent of it.
    """

    parameters: int
    gradient_ps: int
    update_ps: int


@dataclass(frozen=True)
class LocalIteration:
    """What one iteration takes on a chip, in layers' order; and what additions take there.

    Energies are those of the whole run; ``leakage_pj`` over its time is the power of a chip that
    does nothing. Engines add ``adds_per_s``, each addition ``add_pj``.
    """

    chip: str
    iteration: int
    makespan_ps: int
    dynamic_pj: float
    leakage_pj: float
    layers: tuple[LayerResult, ...]
    adds_per_s: float
    add_pj: float


def simulate_iterations(
    tasks: Sequence[LocalTask], jobs: int, stop: StopRequest, on_step: Callable[[str], None]
) -> list[LocalIteration]:
    """Simulate every task, ``jobs`` at a time; results in the order of the tasks, whatever it is.

    Raises:
        InterruptedRunError: a signal came.
        InvalidResultError: a run breaks a law.
        TlmError: a run cannot be made, or did not reach its end.
    """
    if jobs == 1 or len(tasks) == 1:
        return [_simulated(task, stop, on_step) for task in tasks]
    # Fresh processes: a copy of this one could hold locks of threads that it does not have.
    context, before = multiprocessing.get_context("spawn"), multiprocessing.active_children()
    with ProcessPoolExecutor(min(jobs, len(tasks)), context) as pool:
        with interrupts_held():  # who is born of a terminal's Ctrl-C would print what it was doing
            futures = [pool.submit(simulate_iteration, task) for task in tasks]
        try:
            return list(_collected(tasks, futures, stop, on_step))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in multiprocessing.active_children():
                if child not in before:
                    child.kill()  # who merely ends its run may wait for ever at a dead one's lock
            raise


def _simulated(
    task: LocalTask, stop: StopRequest, on_step: Callable[[str], None]
) -> LocalIteration:
    _check_stop(stop, task.folder.parent)
    on_step(task.folder.name)
    return simulate_iteration(task)


def _collected(
    tasks: Sequence[LocalTask],
    futures: Sequence[Future[LocalIteration]],
    stop: StopRequest,
    on_step: Callable[[str], None],
) -> Iterator[LocalIteration]:
    """Results in order, as soon as they are there."""
    for task, future in zip(tasks, futures, strict=True):
        on_step(task.folder.name)
        while not future.done():
            _check_stop(stop, task.folder.parent)
            wait([future], timeout=_LOOK_S)
        try:
            yield future.result()
        except BrokenExecutor as error:
            raise OutOfMemoryError(
                f"{task.folder}: its process ended at once ({error}); if memory ran out, --jobs 1 "
                "takes less"
            ) from None


def _check_stop(stop: StopRequest, folder: Path) -> None:
    if stop.exit_code:
        raise InterruptedRunError(
            f"interrupted while chips trained; iterations that ended are in {folder}",
            stop.exit_code,
        )


def simulate_iteration(task: LocalTask) -> LocalIteration:
    """Simulate one task and leave its run folder; raises as :func:`simulate_iterations`."""
    request = RunRequest(str(task.job), task.chip, iteration=task.iteration)
    workload = read_workload(task.job)
    result = run_request(request, task.folder, workload)
    if not result.ok:
        broken = ", ".join(result.summary.broken)
        raise InvalidResultError(f"{task.folder}: the run breaks {broken}; please report it")
    return _local_iteration(task, workload, result.summary, result.chip)


def read_iteration(task: LocalTask) -> LocalIteration:
    """What a task took, from the folder of its finished run.

    Raises:
        TlmError: the run did not reach its end, or a file of it is not as it left it.
    """
    summary, chip = read_summary(task.folder), load_chip(task.folder / CONFIG)
    return _local_iteration(task, read_workload(task.job), summary, chip)


def _local_iteration(
    task: LocalTask, workload: Workload, summary: Summary, chip: LoadedChip
) -> LocalIteration:
    adds_per_s, add_pj = _additions(chip)
    return LocalIteration(
        chip=chip.config.name,
        iteration=task.iteration,
        makespan_ps=summary.time.makespan_ps,
        dynamic_pj=summary.energy.dynamic_pj,
        leakage_pj=summary.energy.leakage_pj,
        layers=tuple(_layer_results(task.folder, workload)),
        adds_per_s=adds_per_s,
        add_pj=add_pj,
    )


def _layer_results(folder: Path, workload: Workload) -> Iterator[LayerResult]:
    """Of every layer: dW is complete when it is computed, and its sums over cores have arrived."""
    with tlm.trace.open(folder) as trace:
        computed, moved = trace.activity, trace.transactions
    computed = computed[computed["what"] == EngineState.COMPUTE]
    for layer in workload.layers:
        computed_of, moved_of = (rows[rows["layer"] == layer.index] for rows in (computed, moved))
        yield LayerResult(
            parameters=sum(map(prod, parameter_shapes(layer, workload.steps).values())),
            gradient_ps=max(
                _last(computed_of, "end", _GRADIENT_PHASES),
                _last(moved_of, "end_resp", _GRADIENT_PHASES),
            ),
            update_ps=_last(computed_of, "end", (Phase.UPDATE,)),
        )


def _last(rows: NDArray[np.void], time: str, phases: Sequence[Phase]) -> int:
    """The last ``time`` in ps of the rows of some phases; 0 if there are none."""
    return int(rows[time][np.isin(rows["phase"], phases)].max(initial=0))


def _additions(chip: LoadedChip) -> tuple[float, float]:
    """Additions a second of all cores' units beside the arrays, and pJ of one."""
    rate = chip.config.core_cycles_per_s * chip.config.core.unit_lanes
    return rate, chip.energy.pj("wg", "reduce_add")

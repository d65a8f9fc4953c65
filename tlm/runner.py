"""A run, from names to a run folder: load, place, build, simulate, check, write."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tlm.config.dram_timing import DramTiming, load_dram_timing
from tlm.config.layers import LoadedChip, load_chip, mapping_layer
from tlm.config.resolved import resolved_yaml
from tlm.counterfactual import Activity, as_activity
from tlm.errors import DeadlockError, TraceError, WorkloadError
from tlm.folder import Manifest, create, csv_text, sha256, write_atomic, write_json
from tlm.hardware.chip import Chip, unit_names
from tlm.hardware.energy import EnergyRow, energy_rows
from tlm.invariants import Check, check_run
from tlm.kernel import StuckError, run_until
from tlm.mapping.choices import grids_of, read_choices
from tlm.mapping.mapping_file import mapping_text
from tlm.mapping.plan import Plan
from tlm.mapping.planning import make_plan
from tlm.mapping.program import build_program
from tlm.stats import stats_rows
from tlm.summary import Json, summarise, verdict
from tlm.task import Program
from tlm.trace.schema import FILE_NAME
from tlm.trace.writer import TraceWriter
from tlm.version import __version__
from tlm.workload.bundled import open_workload
from tlm.workload.model import Recording, Workload


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: simulated time in ps, transactions so far, tiles done of all."""

    time_ps: int
    transactions: int
    tiles_done: int
    tiles: int


@dataclass(frozen=True)
class RunResult:
    """A finished run: its folder, the summary, and what it cost to simulate."""

    folder: Path
    summary: Json
    workload: Workload
    chip: LoadedChip
    cost: dict[str, Any]

    @property
    def ok(self) -> bool:
        """Whether every invariant holds."""
        return bool(self.summary["status"] == "ok")


@dataclass(frozen=True)
class Job:
    """A run's inputs, all loaded and checked: nothing has been written yet."""

    workload: Workload
    recording: Recording
    chip: LoadedChip
    timing: DramTiming
    plan: Plan
    program: Program
    config_text: str


def prepare(
    workload: str | Workload,
    chip: str,
    overrides: Sequence[str],
    iteration: int | None,
    activity: Activity = "recorded",
    mapping: Path | None = None,
) -> Job:
    """Load and place a recorded iteration; the last one recorded if ``iteration`` is None.

    ``mapping`` is a mapping file to place it by; ``mapping.*`` overrides win over its settings.

    Raises:
        TlmError: a workload, chip or mapping is refused, in one line.
    """
    choices = read_choices(mapping) if mapping is not None else None
    settings = mapping_layer(str(mapping), choices.mapping) if choices is not None else None
    job = workload if isinstance(workload, Workload) else open_workload(workload)
    job, nothing_skipped = as_activity(job, activity)
    loaded = load_chip(chip, [*overrides, *nothing_skipped], settings)
    timing = load_dram_timing(loaded.config.dram.device)
    recording = job.load(_index(job, iteration))
    channels = loaded.config.dram.channels
    grids = grids_of(choices, job, loaded.config, str(mapping)) if choices is not None else None
    plan = make_plan(
        job,
        recording,
        loaded.config,
        timing.page_bytes * channels,
        timing.capacity_bytes * channels,
        grids,
    )
    program = build_program(plan)
    return Job(job, recording, loaded, timing, plan, program, resolved_yaml(loaded, origins=False))


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
    on_progress: Callable[[Progress], None] | None = None,
) -> RunResult:
    """Run a recorded training iteration on a chip and leave a run folder.

    Args:
        workload: name of a bundled job, path of a workload file, or an open job.
        chip: name of a preset, or path of a chip file.
        overrides: ``a.b=value`` each, applied last.
        iteration: which recorded training iteration; the last by default.
        mapping: a mapping file to place it by, such as an earlier run's mapping.yaml.
        out: folder to use; a fresh one under ``runs/`` by default.
        trace: ``off``, ``phase`` or ``transaction``.
        activity: as recorded, with nothing skipped, or as an ANN (:mod:`tlm.counterfactual`).
        on_progress: called about 50 times a second of wall time.

    Raises:
        TlmError: bad input (nothing is left behind), a deadlock, or a folder that cannot be
            written. A run that breaks an invariant returns a result that is not ``ok``.
    """
    started = time.perf_counter()
    job = prepare(workload, chip, overrides, iteration, activity, mapping)
    folder = create(out, f"{job.workload.name}-{job.chip.config.name}")
    manifest = Manifest(folder, _inputs(job) | {"activity": activity})
    try:
        return _simulate(job, folder, manifest, trace, on_progress, started)
    except DeadlockError as error:
        manifest.close("deadlock", reason=str(error))
        raise
    except KeyboardInterrupt:
        manifest.close("interrupted")
        raise
    except BaseException as error:
        manifest.close("error", reason=f"{type(error).__name__}: {error}")
        raise


def _inputs(job: Job) -> dict[str, Any]:
    return {
        "workload": job.workload.name,
        "workload_sha256": job.workload.sha256,
        "iteration": job.recording.iteration,
        "chip": job.chip.config.name,
        "config_sha256": sha256(job.config_text),
        "energy_table": job.chip.energy.name,
    }


def _simulate(
    job: Job,
    folder: Path,
    manifest: Manifest,
    trace: str,
    on_progress: Callable[[Progress], None] | None,
    started: float,
) -> RunResult:
    write_atomic(folder / "config.resolved.yaml", resolved_yaml(job.chip))
    write_atomic(folder / "mapping.yaml", mapping_text(job.plan))
    writer = _writer(job, folder, trace)
    chip = Chip(
        job.chip.config,
        job.timing,
        job.program,
        writer.transactions if trace == "transaction" else None,
        writer.activity if trace != "off" else None,
    )
    began, used = time.perf_counter(), time.process_time()
    events = _events(chip, writer, on_progress)
    chip.settle()
    writer.close(complete=True)
    simulated = {"wall_s": time.perf_counter() - began, "cpu_s": time.process_time() - used}
    rows = energy_rows(chip, job.chip.energy)
    summary = summarise(chip, job.plan, job.recording, rows)
    checks = check_run(chip, job.program, rows, summary["energy"]["total_pj"])
    summary = verdict(summary, checks)
    _write_results(folder, summary, rows, checks)
    cost = _cost(chip, events, simulated, started) | {"trace_truncated": writer.truncated}
    manifest.close(summary["status"], cost=cost)
    return RunResult(folder, summary, job.workload, job.chip, cost)


def _writer(job: Job, folder: Path, trace: str) -> TraceWriter:
    attributes = {
        "tlm_version": __version__,
        "config_sha256": sha256(job.config_text),
        "workload_sha256": job.workload.sha256,
    }
    units = unit_names(job.chip.config)
    return TraceWriter(folder / FILE_NAME, trace, attributes, job.config_text, units)


def _events(chip: Chip, writer: TraceWriter, on_progress: Callable[[Progress], None] | None) -> int:
    """Run to the end; returns the number of kernel events."""
    tiles = sum(len(engine.tiles) for engine in chip.engines)

    def look(now: int, _: int) -> None:
        writer.flush_if_due()
        if on_progress is not None:
            done = sum(engine.position for engine in chip.engines)
            moved = sum(t.transactions for t in chip.traffic.values())
            on_progress(Progress(now, moved, done, tiles))

    try:
        return run_until(chip.env, chip.finished, look)
    except StuckError as error:
        writer.close(complete=False)
        waiting = chip.waiting()
        raise DeadlockError(
            f"deadlock: {error}; {len(waiting)} engines wait: " + "; ".join(waiting[:5])
        ) from error


def _write_results(folder: Path, summary: Json, rows: list[EnergyRow], checks: list[Check]) -> None:
    write_atomic(
        folder / "energy.csv",
        csv_text(
            ["component", "action", "phase", "layer", "count", "pj_each", "total_pj", "source",
             "confidence"],
            (
                (r.component, r.action, r.phase, r.layer, r.count, r.pj_each, r.total_pj,
                 r.source, r.confidence)
                for r in rows
            ),
        ),
    )  # fmt: skip
    write_atomic(
        folder / "stats.csv",
        csv_text(
            ["component", "instance", "phase", "layer", "metric", "value", "unit"],
            stats_rows(summary, checks),
        ),
    )
    try:
        write_json(folder / "summary.json", summary)
    except ValueError as error:
        raise TraceError(f"{folder}: the summary holds a figure that is no number") from error


def _cost(chip: Chip, events: int, simulated: dict[str, float], started: float) -> dict[str, Any]:
    """What the simulation cost: for the manifest, never for the summary."""
    transactions = sum(t.transactions for t in chip.traffic.values())
    return {
        "events": events,
        "transactions": transactions,
        "events_per_transaction": events / max(1, transactions),
        "simulation_wall_s": simulated["wall_s"],
        "simulation_cpu_s": simulated["cpu_s"],
        "transactions_per_s": transactions / simulated["wall_s"],
        "total_wall_s": time.perf_counter() - started,
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }

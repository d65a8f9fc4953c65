"""``explain``: what held a run up, and what relief would gain."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tlm.cli.options import AsJson

if TYPE_CHECKING:
    from tlm.running.request import PreparedRun


def explain(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="A folder that a run left.")],
    verify: Annotated[
        bool, typer.Option("--verify", help="Run every relieved chip and hold it to its bound.")
    ] = False,
    workload: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The job, where it is not where the run found it."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what held a run up, and what twice as much of each resource would gain."""
    found = _explain(run_dir, workload, verify)
    if as_json:
        typer.echo(json.dumps(found.as_json(), indent=1, allow_nan=False))
    else:
        from tlm.cli.explain_screen import show

        show(found)


@dataclass(frozen=True)
class Explanation:
    """A run's critical path, estimates by falling gain, and gains measured by re-runs.

    ``path`` is None where the trace, as ``partial`` says, holds a part of the run only.
    ``replay_error`` is how far the replay misses the run's own time, as a share of it.
    """

    run: Any
    path: Any | None
    partial: str
    estimates: list[Any]
    replay_error: float
    measured: dict[str, float]
    energy: dict[str, float]

    @property
    def confirmed(self) -> bool:
        """Whether the first resource named gains most, and every gain lies in its bound."""
        best = max(self.measured, key=lambda name: self.measured[name])
        return best == self.estimates[0].resource and all(
            estimate.holds(self.measured[estimate.resource]) for estimate in self.estimates
        )

    def as_json(self) -> dict[str, Any]:
        """Plain figures, gains and shares 0..1."""
        rows = [
            {
                "resource": estimate.resource,
                "relief": estimate.knob,
                "gain": estimate.gain,
                "bound": [estimate.low, estimate.high],
            }
            for estimate in self.estimates
        ]
        for row in rows if self.measured else ():
            name = row["resource"]
            row |= {"measured": self.measured[name], "energy_change": self.energy[name]}
        return {
            "run": str(self.run.folder),
            "makespan_ps": self.run.summary["time"]["makespan_ps"],
            "critical_path": self.path and self.path.shares,
            "critical_path_by_phase": self.path and self.path.shares_by_phase,
            "partial_trace": self.partial,
            "replay_error": self.replay_error,
            "what_if": rows,
            **({"confirmed": self.confirmed} if self.measured else {}),
        }


def _explain(run_dir: Path, workload: str | None, verify: bool) -> Explanation:
    from tlm_analysis.findings.critical_path import critical_path
    from tlm_analysis.reading.coverage import coverage
    from tlm_analysis.reading.run_dir import open_run_dir

    import tlm.trace
    from tlm.cli.progress import steps_bar
    from tlm.studies.relief import RESOURCES

    run = open_run_dir(run_dir)
    job = prepared(run_dir.absolute(), workload)
    with tlm.trace.open(run_dir) as trace:
        partial = coverage(trace).note
        path = None if partial else critical_path(trace)
    recorded_ps = run.summary["time"]["makespan_ps"]
    steps = len(RESOURCES) + 1
    with steps_bar("explain", 2 * steps if verify else steps) as step:
        estimates, replay_error = _estimates(job, recorded_ps, step)
        measured, energy = _measured(job, recorded_ps, step) if verify else ({}, {})
    return Explanation(run, path, partial, estimates, replay_error, measured, energy)


def prepared(folder: Path, workload: str | None) -> PreparedRun:
    """The job of a run, prepared anew from what the run left and placed as it was.

    Raises:
        TraceError: the folder holds no finished run, or not what the run left, or of another job.
    """
    from tlm.errors import TraceError
    from tlm.running.repeat import CONFIG, MAPPING, check_files, check_record
    from tlm.running.runner import prepare

    record = check_record(folder)
    check_files(folder, record)
    inputs, cwd = record.inputs, Path(record.cwd)
    there = workload is None and cwd.is_dir()
    with contextlib.chdir(cwd) if there else contextlib.nullcontext():
        job = prepare(
            workload or record.request.workload, str(folder / CONFIG), (), inputs["iteration"],
            mapping=folder / MAPPING, activity=record.request.activity,
        )  # fmt: skip
    if job.workload.sha256 != inputs["workload_sha256"]:
        raise TraceError(
            f"{folder}: the run was of another {inputs['workload']} (its checksum differs); "
            "name the file with --workload"
        )
    return job


def _estimates(job: PreparedRun, recorded_ps: int, step: Any) -> tuple[list[Any], float]:
    """Estimates by falling gain, and how far the replay misses the run itself."""
    from tlm_analysis.replay import GainEstimate as estimate

    from tlm.studies.relief import KNOBS, RESOURCES, relieve

    step("replay")
    base_ps = _replay_ps(job)
    found = []
    for resource in RESOURCES:
        step(f"replay, faster {resource}")
        gain = 1 - _replay_ps(relieve(job, resource)) / base_ps
        found.append(estimate(resource, KNOBS[resource], gain))
    found.sort(key=lambda one: -one.gain)
    return found, base_ps / recorded_ps - 1


def _replay_ps(job: PreparedRun) -> int:
    from tlm_analysis import replay

    from tlm.space.phase import ENGINES

    cores = [[tiles[engine] for engine in ENGINES] for tiles in job.program.tiles]
    chip = replay.ReplayChip(job.chip.config, job.timing)
    makespan_ps: int = replay.replay_ps(cores, job.program.completions.counts, chip)
    return makespan_ps


def _measured(
    job: PreparedRun, recorded_ps: int, step: Any
) -> tuple[dict[str, float], dict[str, float]]:
    """Gain in time and change in energy of each relieved chip, by running it."""
    from tlm.errors import TraceError
    from tlm.studies.relief import RESOURCES, relieve, rerun

    step("run")
    base = rerun(job)
    if base.makespan_ps != recorded_ps:
        raise TraceError(
            f"run again, the job takes {base.makespan_ps} ps and not the {recorded_ps} recorded; "
            "run it anew with this version of tlm, then explain that"
        )
    gains, energy = {}, {}
    for resource in RESOURCES:
        step(f"run, faster {resource}")
        relieved = rerun(relieve(job, resource))
        gains[resource] = 1 - relieved.makespan_ps / recorded_ps
        energy[resource] = relieved.energy_pj / base.energy_pj - 1
    return gains, energy

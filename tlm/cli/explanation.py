"""What ``explain`` finds out: a run's critical path, and the gain of more of each resource."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tlm_analysis.findings.critical_path import CriticalPath, critical_path
from tlm_analysis.reading.coverage import coverage
from tlm_analysis.reading.run_dir import RunDir, open_run_dir
from tlm_analysis.replay import GainEstimate, ReplayChip, replay_ps

import tlm.trace
from tlm.cli.progress import steps_bar
from tlm.errors import TraceError
from tlm.running.memory import within_memory
from tlm.running.preparation import PreparedRun
from tlm.running.repeat import prepare_recorded
from tlm.space.phase import ENGINES
from tlm.studies.relief import knob, relievable, relieve, settings, simulate
from tlm.studies.rereads import Reread, rereads

Step = Callable[[str], None]
"""Called before each step with its name."""


@dataclass(frozen=True)
class Explanation:
    """A run's critical path, estimates by falling gain, and gains measured by runs.

    ``path`` is None where the trace, as ``partial`` says, holds a part of the run only.
    ``settings`` are what ``--set`` takes for each relief, none where no keys do just that.
    ``replay_error`` is how far the replay misses the run's own time, as a share of it.
    ``measured`` and ``energy`` are the saved share of time and the change of energy by resource;
    both are empty if nothing was run. ``rereads`` are the tensors of which most DRAM
    bytes are read more than once, and why.
    """

    run: RunDir
    path: CriticalPath | None
    partial: str
    estimates: list[GainEstimate]
    settings: dict[str, list[str]]
    replay_error: float
    measured: dict[str, float]
    energy: dict[str, float]
    rereads: list[Reread]

    @property
    def confirmed(self) -> bool:
        """Whether the first resource named gains most, and every gain lies in its bound."""
        best = max(self.measured, key=lambda name: self.measured[name])
        return best == self.estimates[0].resource and all(
            estimate.holds(self.measured[estimate.resource]) for estimate in self.estimates
        )

    def as_json(self) -> dict[str, Any]:
        """Plain figures, gains and shares 0..1."""
        relief = [
            {
                "resource": estimate.resource,
                "relief": estimate.knob,
                "settings": self.settings[estimate.resource],
                "gain": estimate.gain,
                "bound": [estimate.low, estimate.high],
                **self._measured(estimate.resource),
            }
            for estimate in self.estimates
        ]
        return {
            "run": str(self.run.folder),
            "makespan_ps": self.run.summary.time.makespan_ps,
            "critical_path": self.path and self.path.shares,
            "critical_path_by_phase": self.path and self.path.shares_by_phase,
            "partial_trace": self.partial,
            "stalls": [asdict(stall) for stall in self.run.summary.stalls],
            "replay_error": self.replay_error,
            "what_if": relief,
            "rereads": [asdict(row) for row in self.rereads],
            **({"confirmed": self.confirmed} if self.measured else {}),
        }

    def _measured(self, resource: str) -> dict[str, float]:
        if not self.measured:
            return {}
        return {"measured": self.measured[resource], "energy_change": self.energy[resource]}


def explanation(
    run_dir: Path, workload: str | None, verify: bool, mem_bytes: int | None = None
) -> Explanation:
    """Explain the run in ``run_dir``; ``verify`` runs every relieved chip.

    ``workload`` names a job that does not ship; ``mem_bytes`` is the memory that all of it may
    take, what is free if None.

    Raises:
        TraceError: the folder holds no finished run, or not what the run left, or of another job.
        MemoryLimitError, OutOfMemoryError: the run does not fit the memory.
    """
    run = open_run_dir(run_dir)
    with within_memory(mem_bytes, f"{run_dir}: memory ran out while the run was explained"):
        prepared = prepare_recorded(run_dir, workload, mem_bytes)
        with tlm.trace.open(run_dir) as trace:
            partial = coverage(trace).note
            path = None if partial else critical_path(trace)
        recorded_ps = run.summary.time.makespan_ps
        steps = len(relievable(prepared)) + 1
        with steps_bar("explain", 2 * steps if verify else steps) as step:
            estimates, replay_error = _estimates(prepared, recorded_ps, step)
            measured, energy = _measured(prepared, recorded_ps, step) if verify else ({}, {})
        repeated = rereads(prepared, prepared.program)
    keys = {resource: settings(resource, prepared.chip.config) for resource in relievable(prepared)}
    return Explanation(
        run, path, partial, estimates, keys, replay_error, measured, energy, repeated
    )


def _estimates(
    prepared: PreparedRun, recorded_ps: int, step: Step
) -> tuple[list[GainEstimate], float]:
    """Estimates by falling gain, and how far the replay misses the run itself."""
    step("replay")
    base_ps = _replay_ps(prepared)
    estimates = []
    for resource in relievable(prepared):
        step(f"replay, faster {resource}")
        gain = 1 - _replay_ps(relieve(prepared, resource)) / base_ps
        estimates.append(GainEstimate(resource, knob(resource, prepared.chip.config), gain))
    estimates.sort(key=lambda estimate: -estimate.gain)
    return estimates, base_ps / recorded_ps - 1


def _replay_ps(prepared: PreparedRun) -> int:
    cores = [[tiles[engine] for engine in ENGINES] for tiles in prepared.program.tiles]
    chip = ReplayChip(prepared.chip.config, prepared.timing)
    return replay_ps(cores, prepared.program.completions.counts, chip)


def _measured(
    prepared: PreparedRun, recorded_ps: int, step: Step
) -> tuple[dict[str, float], dict[str, float]]:
    """Saved share of time and change of energy of each relieved chip, by running it."""
    step("run")
    base = simulate(prepared)
    if base.makespan_ps != recorded_ps:
        raise TraceError(
            f"run again, the job takes {base.makespan_ps} ps and not the {recorded_ps} recorded; "
            "run it anew with this version of tlm, then explain that"
        )
    gains, energy = {}, {}
    for resource in relievable(prepared):
        step(f"run, faster {resource}")
        relieved = simulate(relieve(prepared, resource), resource in ENGINES)
        gains[resource] = 1 - relieved.makespan_ps / recorded_ps
        energy[resource] = relieved.energy_pj / base.energy_pj - 1
    return gains, energy

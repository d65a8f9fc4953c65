"""What ``explain`` finds out: a run's critical path, and the gain of more of each resource."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tlm_analysis.findings.critical_path import CriticalPath, critical_path
from tlm_analysis.reading.coverage import coverage
from tlm_analysis.reading.run_dir import RunDir, open_run_dir

import tlm.trace
from tlm.cli.progress import steps_bar
from tlm.errors import WorkloadError
from tlm.running.memory import within_memory
from tlm.running.preparation import PreparedRun
from tlm.running.repeat import check_record, prepare_recorded
from tlm.studies.relief import relievable
from tlm.studies.relief_gains import ResourceGain, relief_gains
from tlm.studies.rereads import Reread, rereads

NO_TRACE = "The run left no trace (--trace off)"


@dataclass(frozen=True)
class Explanation:
    """A run's critical path, and what relief of each resource gains, by falling gain.

    ``path`` is None where the trace, as ``partial`` says, holds a part of the run only, or where
    there is none. ``rereads`` are the tensors of which most DRAM bytes are read more than once, and
    why. ``unopened`` says why the job could not be run again, if so: then ``gains`` and ``rereads``
    are empty.
    """

    run: RunDir
    path: CriticalPath | None
    partial: str
    gains: list[ResourceGain]
    rereads: list[Reread]
    unopened: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain figures, gains and shares 0..1."""
        return {
            "run": str(self.run.folder),
            "makespan_ps": self.run.summary.time.makespan_ps,
            "critical_path": self.path and self.path.shares,
            "critical_path_by_phase": self.path and self.path.shares_by_phase,
            "partial_trace": self.partial,
            "stalls": [asdict(stall) for stall in self.run.summary.stalls],
            "what_if": [asdict(gain) for gain in self.gains],
            "rereads": [asdict(row) for row in self.rereads],
            "unopened": self.unopened,
        }


def explanation(run_dir: Path, workload: str | None, mem_bytes: int | None = None) -> Explanation:
    """Explain the run in ``run_dir``: what its trace says, and what each relief gains, simulated.

    ``workload`` names a job that does not ship; ``mem_bytes`` is the memory that all of it may
    take, what is free if None.

    Raises:
        TraceError: the folder holds no finished run, or not what the run left, or of another job.
        MemoryLimitError, OutOfMemoryError: the run does not fit the memory.
    """
    run = open_run_dir(run_dir)
    with within_memory(mem_bytes, f"{run_dir}: memory ran out while the run was explained"):
        path, partial = _path(run_dir)
        try:
            prepared = prepare_recorded(run_dir, workload, mem_bytes)
        except WorkloadError as error:
            if workload is not None:
                raise
            return Explanation(run, path, partial, [], [], str(error))
        gains = _gains(prepared, run.summary.time.makespan_ps)
        return Explanation(run, path, partial, gains, rereads(prepared, prepared.program))


def _path(run_dir: Path) -> tuple[CriticalPath | None, str]:
    """The critical path, or why there is none."""
    if check_record(run_dir).request.trace == "off":
        return None, NO_TRACE
    with tlm.trace.open(run_dir) as trace:
        partial = coverage(trace).note
        return (None if partial else critical_path(trace)), partial


def _gains(prepared: PreparedRun, recorded_ps: int) -> list[ResourceGain]:
    with steps_bar("explain", len(relievable(prepared)) + 1) as step:
        return relief_gains(prepared, recorded_ps, step)

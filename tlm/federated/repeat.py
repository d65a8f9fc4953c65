"""A federated run prepared anew from its folder: what its chips took is read, not simulated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from tlm.config.problems import validated
from tlm.errors import TraceError, WorkloadError
from tlm.federated.exchange import exchange
from tlm.federated.files import read_federated_summary
from tlm.federated.local import LocalIteration, read_iteration
from tlm.federated.plan import FederatedPlan
from tlm.federated.plan_file import LoadedPlan, check_plan
from tlm.federated.preparation import FederatedRequest, PreparedFederation, prepare_plan
from tlm.federated.results import FederatedSummary
from tlm.running.interrupts import StopRequest
from tlm.trace.summary_file import FILE_NAME as SUMMARY_NAME
from tlm.workload.federated import FederatedRun, federated_names, open_federated


@dataclass(frozen=True)
class RecordedFederation:
    """A finished federated run: its figures, and all that its exchange is simulated again with."""

    summary: FederatedSummary
    prepared: PreparedFederation
    iterations: tuple[LocalIteration, ...]


def recorded_federation(folder: Path, recording: str | None = None) -> RecordedFederation:
    """The run in ``folder``; ``recording`` is the folder of its recording if that does not ship.

    Raises:
        TraceError: no run, or simulated again it takes another time: files are not those it left.
        TlmError: its recording cannot be opened, or is another one.
    """
    summary = read_federated_summary(folder)
    where = str(folder / SUMMARY_NAME)
    plan = validated(FederatedPlan, summary.plan, where)
    loaded = LoadedPlan(plan, recording_of(folder, summary, recording), where)
    check_plan(loaded)
    prepared = prepare_plan(loaded, FederatedRequest(where, 1))
    tasks = [replace(task, folder=folder / task.folder) for task in prepared.tasks]
    iterations = tuple(read_iteration(task) for task in tasks)
    again = exchange(prepared, iterations, StopRequest()).summary
    if (again.time_ps, again.energy_pj) != (summary.time_ps, summary.energy_pj):
        raise TraceError(
            f"{folder}: simulated again from its iterations it takes {again.time_ps} ps and not "
            f"{summary.time_ps}; run it anew with this version of tlm"
        )
    return RecordedFederation(summary, prepared, iterations)


def recording_of(folder: Path, summary: FederatedSummary, named: str | None) -> FederatedRun:
    """The recording of a run: ``named`` if the user names it, else one that ships.

    A folder may come from a stranger, so what else it names is not opened.
    """
    name = named or summary.recording.name
    if named is None and name not in federated_names():
        raise WorkloadError(
            f"{folder}: its recording {name!a} does not ship; name its folder with --workload"
        )
    recording = open_federated(name)
    if recording.sha256 != summary.recording.sha256:
        raise WorkloadError(
            f"{folder}: {name} is not the recording that this run was of; name that one's folder "
            "with --workload"
        )
    return recording


def iteration_job(folder: Path) -> str | None:
    """The job of an iteration's run that lies below a federated run of a recording that ships.

    None if ``folder`` is no such run.
    """
    above = folder.resolve().parent.parent
    try:
        summary = read_federated_summary(above)
        recording = recording_of(above, summary, None)
    except (TraceError, WorkloadError):
        return None
    for part in summary.iterations:
        if (above / part.run).name == folder.resolve().name:
            worker = summary.members[part.worker].recorded_worker
            return str(recording.job(worker, summary.recording.split).path)
    return None

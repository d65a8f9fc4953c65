"""Repeat a run from the record in its folder, and hold the two against each other byte by byte."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from tlm.errors import DiskFullError, InvalidResultError, TraceError
from tlm.running.difference import first_text_difference, first_trace_difference
from tlm.running.manifest import FILE_NAME, RunInputs, read_manifest, source_digest
from tlm.running.preparation import PreparedRun, prepare
from tlm.running.request import RunRequest
from tlm.running.results import file_digest
from tlm.running.runner import run_request
from tlm.trace.schema import FILE_NAME as TRACE_NAME
from tlm.trace.schema import LEVELS
from tlm.version import __version__
from tlm.workload import Workload, open_shipped, open_workload
from tlm.workload.job_file import FILE_NAME as JOB_NAME
from tlm.workload.job_file import read_drawn_job

FINISHED = ("ok", "invalid", "disk-full")
TEXTS = ("mapping.yaml", "summary.json", "energy.csv", "stats.csv")
INPUTS = ("workload_sha256", "config_sha256", "energy_sha256", "dram_sha256")
CONFIG = "config.resolved.yaml"
MAPPING = "mapping.yaml"  # places the job as the file did that the run was given


class Record(BaseModel):
    """What of a manifest a rerun relies on."""

    model_config = ConfigDict(strict=True, extra="forbid")

    status: str
    tlm_version: str
    source_sha256: str
    request: RunRequest
    inputs: RunInputs
    results: dict[str, str] = {}


def rerun_run(folder: Path, out: Path | None = None, workload: str | None = None) -> Iterator[str]:
    """Run again what ``folder`` records, from its own configuration; yields lines to show.

    Job, energy table and DRAM device must have the digest they had. ``workload`` names a job that
    does not ship. ``out`` keeps the new run; by default it is thrown away.

    Raises:
        DiskFullError: the new run has no room.
        InvalidResultError: the new run differs; the text names the first difference.
        TraceError: the folder holds no finished run, or its files are not as it left them.
        TlmError: the run cannot be repeated.
    """
    record = check_record(folder)
    check_files(folder, record)
    if record.source_sha256 != source_digest():
        yield f"run by another tlm ({record.tlm_version}), rerun by this one ({__version__})"
    job = recorded_job(folder, record, workload)
    with contextlib.ExitStack() as stack:
        if out is None:
            out = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "rerun"
        _run(folder, out, record, job)
        compared = _compare(folder, out)
    yield f"identical: {', '.join(compared)}"


def prepare_recorded(
    folder: Path, workload: str | None, mem_bytes: int | None = None
) -> PreparedRun:
    """The run in ``folder`` prepared anew from what it left there, every slice on its core.

    ``workload`` names a job that does not ship; ``mem_bytes`` as in :class:`RunRequest`.

    Raises:
        TraceError: the folder holds no finished run, or not what the run left, or of another job.
    """
    record = check_record(folder)
    check_files(folder, record)
    inputs = record.inputs
    request = RunRequest(
        record.request.workload,
        str(folder / CONFIG),
        iteration=inputs.iteration,
        mapping=str(folder / MAPPING),
        activity=record.request.activity,
        mem_bytes=mem_bytes,
        weights=record.request.weights,
        mode=record.request.mode,
        batch=record.request.batch,
        stop=record.request.stop,
    )
    prepared = prepare(request, recorded_job(folder, record, workload))
    if prepared.workload.sha256 != inputs.workload_sha256:
        raise TraceError(
            f"{folder}: the run was of another {inputs.workload} (its checksum differs); "
            "name the file with --workload"
        )
    return prepared


def recorded_job(folder: Path, record: Record, workload: str | None) -> Workload:
    """The job of the run in ``folder``: ``workload`` if the user names it, else as data only.

    A manifest may come from a stranger, so of what it names only jobs that ship are opened. A
    network of one's own, drawn, lies in the folder as ``job.json``.

    Raises:
        WorkloadError: the job is neither; it has to be named.
    """
    if workload is not None:
        return open_workload(workload)
    if JOB_NAME in record.results:
        return read_drawn_job(folder / JOB_NAME, open_shipped)
    return open_shipped(record.request.workload)


def check_record(folder: Path) -> Record:
    """What the manifest in ``folder`` says of a finished run.

    Raises:
        TraceError: there is none, it is not one, or its run did not reach its end.
    """
    content = read_manifest(folder)
    where = folder / FILE_NAME
    if content["status"] not in FINISHED:
        raise TraceError(
            f"{where}: status {content['status']}: only a run that reached its end can be "
            f"compared ({', '.join(FINISHED)}); run the job again"
        )
    try:
        # From JSON text: the strict rules take lists for tuples there, and mappings for classes.
        relied_on = {name: content[name] for name in Record.model_fields if name in content}
        record = Record.model_validate_json(json.dumps(relied_on, allow_nan=False))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        raise TraceError(f"{where}: {key}: {first['msg']}; give a folder that a run left") from None
    missing = [key.name for key in fields(RunRequest) if key.name not in content["request"]]
    if missing:  # a default is what is asked today, not what was asked then
        raise TraceError(f"{where}: request.{missing[0]}: missing; give a folder that a run left")
    if record.request.trace not in LEVELS:
        raise TraceError(f"{where}: request.trace: expected one of {', '.join(LEVELS)}")
    return record


def check_files(folder: Path, record: Record) -> None:
    """What the run left must still be what it left.

    Raises:
        TraceError: a file is missing, or another than the manifest says.
    """
    texts = (CONFIG, *TEXTS, *({JOB_NAME} & record.results.keys()))
    for name in texts:
        path = folder / name
        if name not in record.results or not path.is_file():
            raise TraceError(f"{path}: missing from the run, or not listed in its manifest")
        if file_digest(path) != record.results[name]:
            raise TraceError(
                f"{path}: changed since the run wrote it (another SHA-256 than in {FILE_NAME})"
            )


def _run(folder: Path, repeated: Path, record: Record, job: Workload) -> None:
    """The same job on the chip that the folder describes."""
    request = replace(
        record.request,
        chip=str(folder / CONFIG),
        overrides=(),
        iteration=record.inputs.iteration,
        mapping=None if record.request.mapping is None else str(folder / MAPPING),
    )
    if run_request(request, repeated, job).trace_truncated == "disk-full":
        raise DiskFullError(f"{repeated}: the disk is full: the trace ends early, nothing compared")
    inputs = read_manifest(repeated)["inputs"]
    for key in INPUTS:
        if inputs[key] != getattr(record.inputs, key):
            raise TraceError(
                f"{folder / FILE_NAME}: {key} was {getattr(record.inputs, key)[:12]}..., is "
                f"{inputs[key][:12]}...: this input has changed since, so nothing can be compared"
            )


def _compare(folder: Path, repeated: Path) -> list[str]:
    """The names of the files that are equal; raises at the first that is not."""
    pairs = [(name, first_text_difference(folder / name, repeated / name)) for name in TEXTS]
    if (folder / TRACE_NAME).exists() and (repeated / TRACE_NAME).exists():
        equal = file_digest(folder / TRACE_NAME) == file_digest(repeated / TRACE_NAME)
        difference = (
            None if equal else first_trace_difference(folder / TRACE_NAME, repeated / TRACE_NAME)
        )
        pairs.append((TRACE_NAME if equal else f"{TRACE_NAME} (rows)", difference))
    for _, difference in pairs:
        if difference is not None:
            raise InvalidResultError(f"{folder}: not reproduced: {difference}")
    return [name for name, _ in pairs]

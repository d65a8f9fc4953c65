"""A drawn job as data: its network, and the words of the rule that draws its masks, in JSON.

A run leaves such a ``job.json`` beside its figures. So it can be run again without the program
that described its network: reading one runs nothing.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from tlm.errors import WorkloadError
from tlm.files import parse_json, read_regular
from tlm.workload.drawn.activity import OpenJob, parse_activity
from tlm.workload.drawn.tensors import DrawnTensors
from tlm.workload.file import schema
from tlm.workload.file.fault import fault
from tlm.workload.file.graph import Reader, layers_from_rows, layers_to_json
from tlm.workload.file.header import check_input_kinds
from tlm.workload.model import Workload
from tlm.workload.synthetic import Network, network_job

FILE_NAME = "job.json"
SUFFIX = ".json"
_SCHEMA, _VERSION = "tlm-drawn-job", 1
_KEYS = ("schema", "schema_version", "name", "source", "encoding", "batch", "steps", "activity",
         "layers")  # fmt: skip
_MAX_BYTES = 4 << 20  # more than the layers that a job may have
_REMEDY = "give the job.json that a run left"


def drawn_job_text(job: Workload) -> str | None:
    """``job`` as JSON; None if it is not drawn for a network without tensors."""
    if not isinstance(job.tensors, DrawnTensors):
        return None
    source, words = job.provenance.get("network", ""), job.tensors.words
    network = Network(job.name, job.layers, job.batch, job.steps, job.encoding, source)
    if network_job(network, job.tensors.rule, words).sha256 != job.sha256:
        return None  # drawn over a recorded job
    content = {
        "schema": _SCHEMA,
        "schema_version": _VERSION,
        "name": job.name,
        "source": source,
        "encoding": job.encoding,
        "batch": job.batch,
        "steps": job.steps,
        "activity": words,
        "layers": json.loads(layers_to_json(job.layers)),
    }
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def read_drawn_job(path: Path, open_job: OpenJob) -> Workload:
    """The job that ``drawn_job_text`` wrote; ``open_job`` opens a job that its activity names.

    Raises WorkloadError at the first value that is not as it was written.
    """
    try:
        content = parse_json(read_regular(path, _MAX_BYTES))
    except ValueError as error:
        raise WorkloadError(f"{path}: {error}; {_REMEDY}") from None
    if not isinstance(content, dict) or content.get("schema") != _SCHEMA:
        raise WorkloadError(f"{path}: expected JSON of schema {_SCHEMA!r}; {_REMEDY}")
    reader = Reader(path)
    row = reader.record("job", content, _KEYS)
    reader.integer("schema_version", row["schema_version"], _VERSION, _VERSION)
    if not isinstance(row["source"], str) or not isinstance(row["activity"], str):
        raise fault(path, "source, activity", "texts", "something else", _REMEDY)
    network = Network(
        name=reader.text("name", row["name"]),
        layers=layers_from_rows(path, row["layers"]),
        batch=reader.integer("batch", row["batch"], 1, schema.MAX_BATCH),
        steps=reader.integer("steps", row["steps"], 1, schema.MAX_STEPS),
        encoding=reader.choice("encoding", row["encoding"], schema.ENCODINGS, _REMEDY),
        source=row["source"],
    )
    activity = row["activity"]
    job = network_job(network, parse_activity(activity, open_job), activity)
    check_input_kinds(replace(job, path=path))
    return job

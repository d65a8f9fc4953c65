"""A drawn job as data: its network, and the words of the rule that draws its masks, in JSON.

A run leaves such a ``job.json`` beside its figures. So it can be run again without the program
that described its network: reading one runs nothing.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from tlm.workload.drawn.activity import OpenJob, parse_activity
from tlm.workload.drawn.tensors import DrawnTensors
from tlm.workload.file.fault import fault
from tlm.workload.file.graph import Reader
from tlm.workload.file.header import check_input_kinds
from tlm.workload.model import Workload
from tlm.workload.network import Network
from tlm.workload.network_file import network_from, network_row, read_object
from tlm.workload.synthetic import network_job

FILE_NAME = "job.json"
SUFFIX = ".json"
_SCHEMA, _VERSION = "tlm-drawn-job", 1
_KEYS = ("name", "source", "encoding", "batch", "steps", "activity", "layers")
_REMEDY = (
    "give the job.json that a run left, or a network's file and how its masks are drawn: "
    "NETWORK.json:bernoulli(0.1)"
)


def drawn_job_text(job: Workload) -> str | None:
    """``job`` as JSON; None if it is not drawn for a network without tensors."""
    if not isinstance(job.tensors, DrawnTensors):
        return None
    source, words = job.provenance.get("network", ""), job.tensors.words
    network = Network(job.name, job.layers, job.batch, job.steps, job.encoding, source)
    if network_job(network, job.tensors.rule, words).sha256 != job.sha256:
        return None  # drawn over a recorded job
    row = {**network_row(network), "activity": words}
    content = {"schema": _SCHEMA, "schema_version": _VERSION, **{key: row[key] for key in _KEYS}}
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def read_drawn_job(path: Path, open_job: OpenJob) -> Workload:
    """The job that ``drawn_job_text`` wrote; ``open_job`` opens a job that its activity names.

    Raises WorkloadError at the first value that is not as it was written.
    """
    content = read_object(path, _SCHEMA, _REMEDY)
    reader = Reader(path)
    row = reader.record("job", content, ("schema", "schema_version", *_KEYS))
    reader.integer("schema_version", row["schema_version"], _VERSION, _VERSION)
    if not isinstance(row["activity"], str):
        raise fault(path, "activity", "a text", "something else", _REMEDY)
    network = network_from(reader, row, _REMEDY)
    activity = row["activity"]
    job = network_job(network, parse_activity(activity, open_job), activity)
    check_input_kinds(replace(job, path=path))
    return job

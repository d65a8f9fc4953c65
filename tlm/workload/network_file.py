"""A network without tensors as data, in JSON: what ``workload import`` writes.

``NETWORK.json:bernoulli(0.1)`` opens it as a job with drawn masks. Reading one runs nothing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tlm.errors import WorkloadError
from tlm.files import parse_json, read_regular, whole_file
from tlm.workload.file import schema
from tlm.workload.file.fault import fault
from tlm.workload.file.graph import Reader, check_layers, layers_from_rows, layers_to_json
from tlm.workload.network import Network

SUFFIX = ".json"
KEYS = ("name", "source", "encoding", "batch", "steps", "layers")
_SCHEMA, _VERSION = "tlm-network", 1
_MAX_BYTES = 4 << 20  # more than the layers that a job may have
_REMEDY = "give a file that `workload import` wrote"


def network_row(network: Network) -> dict[str, Any]:
    """A network as JSON has it, by ``KEYS``."""
    return {
        "name": network.name,
        "source": network.source,
        "encoding": network.encoding,
        "batch": network.batch,
        "steps": network.steps,
        "layers": json.loads(layers_to_json(network.layers)),
    }


def network_from(reader: Reader, row: dict[str, Any], remedy: str) -> Network:
    """The network that ``row`` describes.

    Raises WorkloadError at the first value that is not as ``network_row`` writes it.
    """
    if not isinstance(row["source"], str):
        raise fault(reader.path, "source", "a text", "something else", remedy)
    return Network(
        name=reader.text("name", row["name"]),
        layers=layers_from_rows(reader.path, row["layers"]),
        batch=reader.integer("batch", row["batch"], 1, schema.MAX_BATCH),
        steps=reader.integer("steps", row["steps"], 1, schema.MAX_STEPS),
        encoding=reader.choice("encoding", row["encoding"], schema.ENCODINGS, remedy),
        source=row["source"],
    )


def write_network(path: Path, network: Network) -> None:
    """Write ``network`` to ``path``, whole or not at all.

    Raises WorkloadError if its layers do not fit together, its name does not end as those of such
    files do, or it cannot be written.
    """
    if path.suffix != SUFFIX:
        raise WorkloadError(f"{path}: expected a name that ends in {SUFFIX}, by which it is known")
    check_layers(path, network.layers)
    content = {"schema": _SCHEMA, "schema_version": _VERSION, **network_row(network)}
    with whole_file(path, WorkloadError) as part:
        part.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read_network_file(path: Path) -> Network:
    """The network that ``write_network`` wrote.

    Raises WorkloadError at the first value that is not as it was written.
    """
    content = read_object(path, _SCHEMA, _REMEDY)
    reader = Reader(path)
    row = reader.record("network", content, ("schema", "schema_version", *KEYS))
    reader.integer("schema_version", row["schema_version"], _VERSION, _VERSION)
    return network_from(reader, row, _REMEDY)


def read_object(path: Path, stated: str, remedy: str) -> dict[str, Any]:
    """The JSON object of schema ``stated`` in ``path``; raises WorkloadError if it is none."""
    try:
        content = parse_json(read_regular(path, _MAX_BYTES))
    except ValueError as error:
        raise WorkloadError(f"{path}: {error}; {remedy}") from None
    if not isinstance(content, dict) or content.get("schema") != stated:
        raise WorkloadError(f"{path}: expected JSON of schema {stated!r}; {remedy}")
    return content

"""The header of an untrusted workload file: its attributes -> a Workload."""

from __future__ import annotations

from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tlm.files import parse_json
from tlm.workload.file import schema
from tlm.workload.file.attributes import (
    check_attribute_names,
    read_fraction,
    read_integer,
    read_label,
    read_numbers,
    read_text,
    read_word,
)
from tlm.workload.file.fault import REMEDY, fault
from tlm.workload.file.graph import layers_from_json
from tlm.workload.file.layers_text import read_layers_text, root_attributes
from tlm.workload.file.layout import expected_datasets
from tlm.workload.file.mode import check_mode
from tlm.workload.input_kind import CODED, kind_of
from tlm.workload.model import RunMode, Workload


def check_version(path: Path, file: h5py.File) -> None:
    """Raise WorkloadError unless the file has this schema, in the version that is read here.

    To be called first: a newer file may differ in everything that follows.
    """
    name = read_text(path, file, "schema")
    if name != schema.SCHEMA:
        raise fault(path, "schema", schema.SCHEMA, name, "give a file made by 'record'")
    version = read_integer(path, file, "schema_version", 1, 1 << 30)
    if version > schema.SCHEMA_VERSION:
        expected = f"at most {schema.SCHEMA_VERSION}"
        raise fault(path, "schema_version", expected, version, "install a newer snn-tlm")
    if version < schema.SCHEMA_VERSION:
        expected = f"{schema.SCHEMA_VERSION}"
        raise fault(path, "schema_version", expected, version, "record the job again")


def read_header(path: Path, file: h5py.File, sha256: str) -> Workload:
    """The job that the attributes describe; ``sha256`` is the digest of the file.

    Raises WorkloadError at the first attribute that is not as the format page says.
    """
    check_attribute_names(path, file, root_attributes(file))
    encoding: Any = read_word(path, file, "encoding", schema.ENCODINGS)
    optimizer: Any = read_word(path, file, "optimizer", schema.OPTIMIZERS)
    iterations = _iterations(path, file)
    workload = Workload(
        path=path,
        name=read_label(path, file, "name"),
        layers=layers_from_json(path, read_layers_text(path, file)),
        steps=read_integer(path, file, "steps", 1, schema.MAX_STEPS),
        batch=read_integer(path, file, "batch", 1, schema.MAX_BATCH),
        dataset=read_label(path, file, "dataset"),
        licence=read_label(path, file, "licence"),
        accuracy=read_fraction(path, file, "accuracy"),
        optimizer=optimizer,
        encoding=encoding,
        iterations=iterations,
        levels=_levels(path, read_text(path, file, "levels"), len(iterations)),
        provenance=_provenance(path, read_text(path, file, "provenance")),
        sha256=sha256,
        mode=read_mode(path, file),
    )
    check_input_kinds(workload)
    check_mode(workload)
    _check_size(workload)
    return workload


def read_mode(path: Path, file: h5py.File) -> RunMode:
    """What the job was recorded for; files of jobs for training do not say so."""
    if schema.PURPOSE in file.attrs:
        read_word(path, file, schema.PURPOSE, ("inference",))
        return "inference"
    return "training"


def _check_size(workload: Workload) -> None:
    """Refuse iterations whose tensors have too many elements to unpack."""
    elements = max(
        sum(prod(dataset.shape) for dataset in expected_datasets(workload, position).values())
        for position in range(len(workload.iterations))
    )
    if elements > schema.MAX_ELEMENTS:
        limit = f"at most {schema.MAX_ELEMENTS} elements per iteration"
        remedy = "record a smaller batch or fewer steps"
        raise fault(workload.path, "layers", limit, elements, remedy)


def check_input_kinds(workload: Workload) -> None:
    """Refuse a layer whose ``input_kind`` is not what its sources leave."""
    for layer in workload.layers:
        kind = kind_of(layer, workload.layers, CODED[workload.encoding])
        if layer.input_kind != kind:
            key = f"layers[{layer.index}].input_kind"
            expected = f'"{kind}" with these sources and {workload.encoding} encoding'
            raise fault(workload.path, key, expected, layer.input_kind, REMEDY)


def _iterations(path: Path, file: h5py.File) -> tuple[int, ...]:
    stored = read_numbers(path, file, "iterations", "iu", schema.MAX_ITERATIONS)
    numbers = np.ravel(stored).tolist()
    if numbers[0] < 0 or any(later <= earlier for earlier, later in pairwise(numbers)):
        raise fault(path, "iterations", "rising numbers from 0", numbers, REMEDY)
    return tuple(numbers)


def _levels(path: Path, text: str, count: int) -> tuple[Any, ...]:
    """One level for each recorded iteration, from a JSON list of words."""
    levels = _json(path, "levels", text)
    words = " or ".join(schema.LEVELS)
    if not isinstance(levels, list) or len(levels) != count:
        raise fault(path, "levels", f"a JSON list of {count} of {words}", levels, REMEDY)
    for level in levels:
        if level not in schema.LEVELS:
            raise fault(path, "levels", words, level, REMEDY)
    return tuple(levels)


def _provenance(path: Path, text: str) -> dict[str, str]:
    provenance = _json(path, "provenance", text)
    if not isinstance(provenance, dict) or not all(map(_printable, provenance.items())):
        raise fault(path, "provenance", "a JSON object of printable texts", provenance, REMEDY)
    return provenance


def _json(path: Path, key: str, text: str) -> Any:
    try:
        return parse_json(text)
    except ValueError as error:
        raise fault(path, key, "JSON", str(error), REMEDY) from error


def _printable(pair: tuple[str, object]) -> bool:
    name, value = pair
    return name.isprintable() and isinstance(value, str) and value.isprintable()

"""Structure of an untrusted workload file, checked before any of its data are read.

HDF5 can point outside itself, inflate without bound and hold types that run code paths nobody
expects here; so only known names, hard links, plain types, whole chunks and gzip or shuffle pass.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tlm.errors import WorkloadError
from tlm.workload import schema
from tlm.workload.attributes import (
    check_attribute_names,
    read_fraction,
    read_integer,
    read_label,
    read_numbers,
    read_text,
    read_word,
)
from tlm.workload.fault import fault
from tlm.workload.graph import layers_from_json
from tlm.workload.model import Workload

_REMEDY = "see docs/workload-format.md, or record the job again"
_DAMAGED = "the file is damaged: copy or record it again"
_FILTERS = {h5py.h5z.FILTER_DEFLATE: "gzip", h5py.h5z.FILTER_SHUFFLE: "shuffle"}


@dataclass(frozen=True)
class Expected:
    """A dataset the header calls for: its HDF5 name and logical shape."""

    name: str
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Bytes once packed, eight elements a byte."""
        return -(-prod(self.shape) // 8)


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """The HDF5 file at ``path``, read-only; one-line WorkloadErrors if it is not one."""
    _check_is_hdf5(path)
    try:
        with h5py.File(path, "r") as file:
            yield file
    # Whatever h5py makes of damaged metadata: ValueError for a type, KeyError for a link, ...
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise fault(path, "file", "a whole HDF5 file", str(error), _DAMAGED) from error


def _check_is_hdf5(path: Path) -> None:
    try:
        nbytes = path.stat().st_size
        regular = path.is_file()
        hdf5 = regular and bool(h5py.is_hdf5(path))
    except OSError as error:
        raise WorkloadError(f"{path}: cannot be read: {error.strerror}") from error
    if not hdf5:
        got = "other content" if regular else "no regular file"
        raise fault(path, "file", "an HDF5 file", got, "give a .h5 file made by 'record'")
    if nbytes > schema.MAX_FILE_NBYTES:
        limit = f"at most {schema.MAX_FILE_NBYTES} bytes"
        raise fault(path, "file", limit, f"{nbytes} bytes", "record fewer or smaller iterations")


def check_file(path: Path, file: h5py.File, sha256: str) -> Workload:
    """Check attributes, names, links, types, storage and sizes; no tensor is read.

    Raises WorkloadError on one line at the first thing that is not as the format page says.
    """
    _check_version(path, file)
    check_attribute_names(path, file, schema.ROOT_ATTRIBUTES)
    workload = _header(path, file, sha256)
    groups = tuple(schema.iteration_group(which) for which in range(len(workload.iterations)))
    _check_members(path, file, groups, h5py.Group)
    for group in groups:
        _check_iteration(path, file[group], workload)
    return workload


def expected_datasets(workload: Workload, which: int) -> dict[str, Expected]:
    """Datasets of iteration ``which`` by key: "inputs", "0/spikes", "0/masks", ..."""
    group = schema.iteration_group(which)
    wanted = {schema.INPUTS: Expected(f"{group}/{schema.INPUTS}", workload.input_shape)}
    for layer in workload.layers:
        shape = workload.neuron_shape(layer)
        for kind in schema.LAYER_DATASETS:
            name = f"{group}/{schema.layer_group(layer.index)}/{kind}"
            wanted[f"{layer.index}/{kind}"] = Expected(name, shape)
    return wanted


def _check_version(path: Path, file: h5py.File) -> None:
    """Before all else: a newer file may differ in everything that follows."""
    name = read_text(path, file, "schema")
    if name != schema.SCHEMA:
        raise fault(path, "schema", schema.SCHEMA, name, "give a file made by 'record'")
    version = read_integer(path, file, "schema_version", 1, 1 << 30)
    if version > schema.SCHEMA_VERSION:
        expected = f"at most {schema.SCHEMA_VERSION}"
        raise fault(path, "schema_version", expected, version, "install a newer snn-tlm")


def _header(path: Path, file: h5py.File, sha256: str) -> Workload:
    read_word(path, file, "level", (schema.LEVEL,))
    encoding: Any = read_word(path, file, "encoding", schema.ENCODINGS)
    optimizer: Any = read_word(path, file, "optimizer", schema.OPTIMIZERS)
    workload = Workload(
        path=path,
        name=read_label(path, file, "name"),
        layers=layers_from_json(path, read_text(path, file, "layers")),
        steps=read_integer(path, file, "steps", 1, schema.MAX_STEPS),
        batch=read_integer(path, file, "batch", 1, schema.MAX_BATCH),
        dataset=read_label(path, file, "dataset"),
        licence=read_label(path, file, "licence"),
        accuracy=read_fraction(path, file, "accuracy"),
        optimizer=optimizer,
        encoding=encoding,
        iterations=_iterations(path, file),
        provenance=_provenance(path, read_text(path, file, "provenance")),
        sha256=sha256,
    )
    _check_input_kinds(workload)
    elements = sum(prod(one.shape) for one in expected_datasets(workload, 0).values())
    if elements > schema.MAX_ELEMENTS:
        limit = f"at most {schema.MAX_ELEMENTS} elements an iteration"
        raise fault(path, "layers", limit, elements, "record a smaller batch or fewer steps")
    return workload


def _check_input_kinds(workload: Workload) -> None:
    first = "analog" if workload.encoding == "direct" else "binary"
    for layer in workload.layers:
        wanted = "binary" if layer.index else first
        if layer.input_kind != wanted:
            key = f"layers[{layer.index}].input_kind"
            expected = f'"{wanted}" with {workload.encoding} encoding'
            raise fault(workload.path, key, expected, layer.input_kind, _REMEDY)


def _check_iteration(path: Path, group: h5py.Group, workload: Workload) -> None:
    layers = tuple(schema.layer_group(layer.index) for layer in workload.layers)
    check_attribute_names(path, group, ())
    _check_members(path, group, (schema.INPUTS, *layers), None)
    _check_dataset(path, group, schema.INPUTS, workload.input_shape)
    for name, layer in zip(layers, workload.layers, strict=True):
        inner = _member(path, group, name, h5py.Group)
        check_attribute_names(path, inner, ())
        _check_members(path, inner, schema.LAYER_DATASETS, h5py.Dataset)
        for kind in schema.LAYER_DATASETS:
            _check_dataset(path, inner, kind, workload.neuron_shape(layer))


def _check_members(
    path: Path, group: h5py.Group, names: tuple[str, ...], kind: type | None
) -> None:
    """Exactly these names, each a hard link, each of class ``kind`` if given."""
    present = list(group)
    for name in present:
        if name not in names:
            expected = f"only {', '.join(names)}"
            raise fault(path, group.name, expected, name, "remove it, or " + _REMEDY)
    for name in names:
        if name not in present:
            raise fault(path, _key(group, name), "to exist", "nothing", _REMEDY)
        link = group.get(name, getlink=True)
        if type(link) is not h5py.HardLink:
            got = type(link).__name__
            raise fault(path, _key(group, name), "data in this file", got, "copy the data in")
        if kind is not None:
            _member(path, group, name, kind)


def _member(path: Path, group: h5py.Group, name: str, kind: type) -> Any:
    found = group.get(name, getclass=True)
    if found is not kind:
        expected = f"a {kind.__name__.lower()}"
        raise fault(path, _key(group, name), expected, found.__name__, _REMEDY)
    return group[name]


def _check_dataset(path: Path, group: h5py.Group, name: str, shape: tuple[int, ...]) -> None:
    dataset = _member(path, group, name, h5py.Dataset)
    key = dataset.name
    nbytes = Expected(name, shape).nbytes
    if dataset.dtype != np.uint8 or dataset.shape != (nbytes,) or dataset.maxshape != (nbytes,):
        expected = f"uint8 of {nbytes} elements, not resizable (packed bits of {shape})"
        raise fault(path, key, expected, f"{dataset.dtype} of {dataset.shape}", _REMEDY)
    _check_storage(path, dataset)
    check_attribute_names(path, dataset, schema.DATASET_ATTRIBUTES)
    stated = tuple(np.atleast_1d(read_numbers(path, dataset, "shape", "iu", len(shape))).tolist())
    if stated != shape:
        raise fault(path, f"{key} shape", str(shape), stated, _REMEDY)
    digest = read_text(path, dataset, "sha256")
    if len(digest) != 64:
        raise fault(path, f"{key} sha256", "64 hexadecimal digits", digest, _REMEDY)


def _check_storage(path: Path, dataset: h5py.Dataset) -> None:
    """Bytes kept in this file, in chunks no larger than the data, gzip or shuffle alone."""
    remedy = "store the data in this file, in one chunk"
    layout = dataset.id.get_create_plist()
    if dataset.is_virtual or layout.get_external_count():
        got = "virtual" if dataset.is_virtual else "external"
        raise fault(path, dataset.name, "data in this file", f"{got} storage", remedy)
    if dataset.chunks is not None and dataset.chunks[0] > dataset.shape[0]:
        expected = f"chunks of at most {dataset.shape[0]} bytes"
        raise fault(path, dataset.name, expected, dataset.chunks, remedy)
    for position in range(layout.get_nfilters()):
        code = layout.get_filter(position)[0]
        if code not in _FILTERS:
            got = f"filter {code}"
            raise fault(path, dataset.name, "filters gzip and shuffle only", got, remedy)


def _key(group: h5py.Group, name: str) -> str:
    return f"{group.name.rstrip('/')}/{name}"


def _iterations(path: Path, file: h5py.File) -> tuple[int, ...]:
    found = np.ravel(read_numbers(path, file, "iterations", "iu", schema.MAX_ITERATIONS)).tolist()
    if found[0] < 0 or any(later <= earlier for earlier, later in pairwise(found)):
        raise fault(path, "iterations", "rising numbers from 0", found, _REMEDY)
    return tuple(found)


def _provenance(path: Path, text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise fault(path, "provenance", "a JSON object of texts", str(error), _REMEDY) from error
    if not isinstance(found, dict) or not all(_printable(one) for one in found.items()):
        raise fault(path, "provenance", "a JSON object of printable texts", found, _REMEDY)
    return found


def _printable(pair: tuple[str, object]) -> bool:
    name, value = pair
    return name.isprintable() and isinstance(value, str) and value.isprintable()

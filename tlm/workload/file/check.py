"""Structure of an untrusted workload file, checked before any of its data are read.

HDF5 can point outside itself, inflate without bound and hold types that run code paths nobody
expects here; so only known names, hard links, plain types, whole chunks and gzip or shuffle pass.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tlm.errors import WorkloadError
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
from tlm.workload.file.fault import fault
from tlm.workload.file.graph import layers_from_json
from tlm.workload.file.layout import Expected, expected_datasets
from tlm.workload.model import Workload, input_kind

_REMEDY = "see docs/workload-format.md, or record the job again"
_DAMAGED = "the file is damaged: copy or record it again"
_FILTERS = {h5py.h5z.FILTER_DEFLATE: "gzip", h5py.h5z.FILTER_SHUFFLE: "shuffle"}


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
    groups = tuple(schema.iteration_group(position) for position in range(len(workload.iterations)))
    _check_members(path, file, groups, h5py.Group)
    for position, group in enumerate(groups):
        _check_iteration(path, file[group], workload, position)
    return workload


def _check_version(path: Path, file: h5py.File) -> None:
    """Before all else: a newer file may differ in everything that follows."""
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


def _header(path: Path, file: h5py.File, sha256: str) -> Workload:
    encoding: Any = read_word(path, file, "encoding", schema.ENCODINGS)
    optimizer: Any = read_word(path, file, "optimizer", schema.OPTIMIZERS)
    iterations = _iterations(path, file)
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
        iterations=iterations,
        levels=_levels(path, read_text(path, file, "levels"), len(iterations)),
        provenance=_provenance(path, read_text(path, file, "provenance")),
        sha256=sha256,
    )
    _check_input_kinds(workload)
    check_size(workload)
    return workload


def check_size(workload: Workload) -> None:
    """Raise WorkloadError if the tensors of one iteration are too many to unpack."""
    elements = max(
        sum(prod(one.shape) for one in expected_datasets(workload, position).values())
        for position in range(len(workload.iterations))
    )
    if elements > schema.MAX_ELEMENTS:
        limit = f"at most {schema.MAX_ELEMENTS} elements an iteration"
        remedy = "record a smaller batch or fewer steps"
        raise fault(workload.path, "layers", limit, elements, remedy)


def _check_input_kinds(workload: Workload) -> None:
    for layer in workload.layers:
        pools = [workload.layers[source].pool for source in layer.sources if source >= 0]
        direct = workload.encoding == "direct"
        wanted = input_kind(layer.sources, [*pools, layer.input_pool], direct)
        if layer.input_kind != wanted:
            key = f"layers[{layer.index}].input_kind"
            expected = f'"{wanted}" with these sources and {workload.encoding} encoding'
            raise fault(workload.path, key, expected, layer.input_kind, _REMEDY)


def _check_iteration(path: Path, group: h5py.Group, workload: Workload, position: int) -> None:
    check_attribute_names(path, group, ())
    start = len(schema.iteration_group(position)) + 1
    wanted = {one.name[start:]: one for one in expected_datasets(workload, position).values()}
    layers = [schema.layer_group(layer.index) for layer in workload.layers]
    own = [name for name in wanted if "/" not in name]
    _check_members(path, group, (*own, *layers), None)
    for name in own:
        _check_dataset(path, group, name, wanted[name], workload.levels[position])
    for layer in layers:
        inner = _member(path, group, layer, h5py.Group)
        check_attribute_names(path, inner, ())
        inside = {name.split("/")[1]: one for name, one in wanted.items() if f"{layer}/" in name}
        _check_members(path, inner, tuple(inside), h5py.Dataset)
        for name, expected in inside.items():
            _check_dataset(path, inner, name, expected, workload.levels[position])


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


def _check_dataset(path: Path, group: h5py.Group, name: str, wanted: Expected, level: str) -> None:
    dataset = _member(path, group, name, h5py.Dataset)
    if wanted.form == "bits":
        _check_type(path, dataset, "uint8", wanted.nbytes, f"packed bits of {wanted.shape}")
        _check_storage(path, dataset)
        check_attribute_names(path, dataset, schema.BITS_ATTRIBUTES)
        _check_shape(path, dataset, wanted.shape)
    else:
        _check_floats(path, dataset, wanted, level)
    digest = read_text(path, dataset, "sha256")
    if len(digest) != 64:
        raise fault(path, f"{dataset.name} sha256", "64 hexadecimal digits", digest, _REMEDY)


def _check_floats(path: Path, dataset: h5py.Dataset, wanted: Expected, level: str) -> None:
    kind, count, shape = schema.FLOAT_TYPES[level], prod(wanted.shape), wanted.shape
    if wanted.form == "nonzeros":
        # How many there are is only known once the bits are read; more than all is never right.
        count = min(count, dataset.shape[0] if len(dataset.shape) == 1 else 0)
        shape = (count,)
    _check_type(path, dataset, kind, count, f"{wanted.form} of {wanted.shape}, level {level}")
    _check_storage(path, dataset)
    check_attribute_names(path, dataset, schema.FLOATS_ATTRIBUTES)
    _check_shape(path, dataset, shape)
    stated = read_numbers(path, dataset, "exponent", "iu", 1)
    exponent = int(np.ravel(stated)[0])
    limit = schema.MAX_EXPONENT if level == "value" else 0
    if abs(exponent) > limit:
        raise fault(path, f"{dataset.name} exponent", f"-{limit}..{limit}", exponent, _REMEDY)


def _check_type(path: Path, dataset: h5py.Dataset, kind: str, count: int, what: str) -> None:
    shape = (count,)
    if dataset.dtype != np.dtype(kind) or dataset.shape != shape or dataset.maxshape != shape:
        expected = f"{np.dtype(kind)} of {count} elements, not resizable ({what})"
        raise fault(path, dataset.name, expected, f"{dataset.dtype} of {dataset.shape}", _REMEDY)


def _check_shape(path: Path, dataset: h5py.Dataset, shape: tuple[int, ...]) -> None:
    stated = read_numbers(path, dataset, "shape", "iu", len(shape))
    if tuple(np.atleast_1d(stated).tolist()) != shape:
        raise fault(path, f"{dataset.name} shape", str(shape), stated, _REMEDY)


def _check_storage(path: Path, dataset: h5py.Dataset) -> None:
    """Bytes kept in this file, in chunks no larger than the data, gzip or shuffle alone."""
    remedy = "store the data in this file, in one chunk"
    layout = dataset.id.get_create_plist()
    if dataset.is_virtual or layout.get_external_count():
        got = "virtual" if dataset.is_virtual else "external"
        raise fault(path, dataset.name, "data in this file", f"{got} storage", remedy)
    if dataset.chunks is not None and dataset.chunks[0] > dataset.shape[0]:
        expected = f"chunks of at most {dataset.shape[0]} elements"
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


def _levels(path: Path, text: str, count: int) -> tuple[Any, ...]:
    """One level for each recorded iteration, from a JSON list of words."""
    found = _json(path, "levels", text)
    words = " or ".join(schema.LEVELS)
    if not isinstance(found, list) or len(found) != count:
        raise fault(path, "levels", f"a JSON list of {count} of {words}", found, _REMEDY)
    for one in found:
        if one not in schema.LEVELS:
            raise fault(path, "levels", words, one, _REMEDY)
    return tuple(found)


def _provenance(path: Path, text: str) -> dict[str, str]:
    found = _json(path, "provenance", text)
    if not isinstance(found, dict) or not all(_printable(one) for one in found.items()):
        raise fault(path, "provenance", "a JSON object of printable texts", found, _REMEDY)
    return found


def _json(path: Path, key: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise fault(path, key, "JSON", str(error), _REMEDY) from error


def _printable(pair: tuple[str, object]) -> bool:
    name, value = pair
    return name.isprintable() and isinstance(value, str) and value.isprintable()

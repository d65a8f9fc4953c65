"""Structure of an untrusted workload file, checked before any of its data are read.

HDF5 can point outside itself, inflate without bound and hold types that run code paths nobody
expects here; so only known names, hard links, plain types, whole chunks and gzip or shuffle pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path

import h5py
import numpy as np

from tlm.errors import WorkloadError
from tlm.workload.file import schema
from tlm.workload.file.attributes import check_attribute_names, read_numbers, read_text
from tlm.workload.file.fault import DAMAGED, REMEDY, fault
from tlm.workload.file.header import check_version, read_header
from tlm.workload.file.layers_text import root_datasets
from tlm.workload.file.layout import Expected, expected_datasets
from tlm.workload.file.stored import check_link, check_shape, check_storage, check_type, member
from tlm.workload.model import Workload


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """The HDF5 file at ``path``, read-only; one-line WorkloadErrors if it is not one."""
    _check_is_hdf5(path)
    try:
        with h5py.File(path, "r") as file:
            yield file
    # Whatever h5py makes of damaged metadata: ValueError for a type, KeyError for a link, ...
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise fault(path, "file", "a whole HDF5 file", str(error), DAMAGED) from error


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
    check_version(path, file)
    workload = read_header(path, file, sha256)
    groups = tuple(schema.iteration_group(position) for position in range(len(workload.iterations)))
    _check_members(path, file, (*groups, *root_datasets(file)))
    for position, group in enumerate(groups):
        _check_iteration(path, member(path, file, group, h5py.Group), workload, position)
    return workload


def _check_iteration(path: Path, group: h5py.Group, workload: Workload, position: int) -> None:
    check_attribute_names(path, group, ())
    start = len(schema.iteration_group(position)) + 1
    datasets = {
        expected.name[start:]: expected
        for expected in expected_datasets(workload, position).values()
    }
    layers = [schema.layer_group(layer.index) for layer in workload.layers]
    outside = [name for name in datasets if "/" not in name]
    _check_members(path, group, (*outside, *layers))
    for name in outside:
        _check_dataset(path, group, name, datasets[name], workload.levels[position])
    for layer in layers:
        subgroup = member(path, group, layer, h5py.Group)
        check_attribute_names(path, subgroup, ())
        inside = {
            name.split("/")[1]: expected
            for name, expected in datasets.items()
            if f"{layer}/" in name
        }
        _check_members(path, subgroup, tuple(inside))
        for name, expected in inside.items():
            _check_dataset(path, subgroup, name, expected, workload.levels[position])


def _check_members(path: Path, group: h5py.Group, names: tuple[str, ...]) -> None:
    """Check that ``group`` holds exactly ``names``, as hard links."""
    for name in group:
        if name not in names:
            expected = f"only {', '.join(names)}"
            raise fault(path, group.name, expected, name, "remove it, or " + REMEDY)
    for name in names:
        check_link(path, group, name)


def _check_dataset(
    path: Path, group: h5py.Group, name: str, expected: Expected, level: str
) -> None:
    dataset = member(path, group, name, h5py.Dataset)
    if expected.form in ("bits", "integers"):
        kind, count = schema.INTEGER_TYPE, expected.count
        if expected.form == "bits":
            kind, count = "uint8", expected.nbytes
        check_type(path, dataset, kind, count, f"{expected.form} of {expected.shape}")
        check_storage(path, dataset)
        check_attribute_names(path, dataset, schema.BITS_ATTRIBUTES)
        check_shape(path, dataset, expected.shape)
    else:
        _check_floats(path, dataset, expected, level)
    digest = read_text(path, dataset, "sha256")
    if len(digest) != 64:
        raise fault(path, f"{dataset.name} sha256", "64 hexadecimal digits", digest, REMEDY)


def _check_floats(path: Path, dataset: h5py.Dataset, expected: Expected, level: str) -> None:
    kind, count, shape = schema.FLOAT_TYPES[level], prod(expected.shape), expected.shape
    if expected.form == "nonzeros":
        # How many there are is only known once the bits are read; more than all is never right.
        count = min(count, dataset.shape[0] if len(dataset.shape) == 1 else 0)
        shape = (count,)
    check_type(path, dataset, kind, count, f"{expected.form} of {expected.shape}, level {level}")
    check_storage(path, dataset)
    check_attribute_names(path, dataset, schema.FLOATS_ATTRIBUTES)
    check_shape(path, dataset, shape)
    stated = read_numbers(path, dataset, "exponent", "iu", 1)
    exponent = int(np.ravel(stated)[0])
    limit = schema.MAX_EXPONENT if level == "value" else 0
    if abs(exponent) > limit:
        raise fault(path, f"{dataset.name} exponent", f"-{limit}..{limit}", exponent, REMEDY)

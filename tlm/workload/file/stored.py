"""How one dataset of an untrusted file is stored, checked before any of it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tlm.workload.file.attributes import read_numbers
from tlm.workload.file.fault import REMEDY, fault

_FILTERS = {h5py.h5z.FILTER_DEFLATE: "gzip", h5py.h5z.FILTER_SHUFFLE: "shuffle"}


def member(path: Path, group: h5py.Group, name: str, kind: type | None) -> Any:
    """A member of ``group``: a hard link, to an object of class ``kind`` if one is given.

    Raises WorkloadError if there is none of the name, or if it is something else.
    """
    link = group.get(name, getlink=True)
    if link is None:
        raise fault(path, _key(group, name), "to exist", "nothing", REMEDY)
    if type(link) is not h5py.HardLink:
        got = type(link).__name__
        raise fault(path, _key(group, name), "data in this file", got, "copy the data in")
    if kind is not None and (actual := group.get(name, getclass=True)) is not kind:
        expected = f"a {kind.__name__.lower()}"
        raise fault(path, _key(group, name), expected, actual.__name__, REMEDY)
    return group[name]


def check_type(path: Path, dataset: h5py.Dataset, kind: str, count: int, what: str) -> None:
    """Refuse a dataset that is not a vector of ``count`` elements of type ``kind``."""
    shape = (count,)
    if dataset.dtype != np.dtype(kind) or dataset.shape != shape or dataset.maxshape != shape:
        expected = f"{np.dtype(kind)} of {count} elements, not resizable ({what})"
        raise fault(path, dataset.name, expected, f"{dataset.dtype} of {dataset.shape}", REMEDY)


def check_shape(path: Path, dataset: h5py.Dataset, shape: tuple[int, ...]) -> None:
    """Refuse a dataset whose attribute ``shape``, that of the array packed in it, is another."""
    stated = read_numbers(path, dataset, "shape", "iu", len(shape))
    if tuple(np.atleast_1d(stated).tolist()) != shape:
        raise fault(path, f"{dataset.name} shape", str(shape), stated, REMEDY)


def check_storage(path: Path, dataset: h5py.Dataset) -> None:
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

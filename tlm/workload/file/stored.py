"""How one dataset of an untrusted file is stored, checked before any of it is read."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import h5py
import numpy as np

from tlm.workload.file.attributes import read_numbers
from tlm.workload.file.fault import REMEDY, fault

Stored = TypeVar("Stored", h5py.Group, h5py.Dataset)

_FILTERS = {h5py.h5z.FILTER_DEFLATE: "gzip", h5py.h5z.FILTER_SHUFFLE: "shuffle"}


_KINDS = {h5py.Group: h5py.h5o.TYPE_GROUP, h5py.Dataset: h5py.h5o.TYPE_DATASET}


def member(path: Path, group: h5py.Group, name: str, kind: type[Stored]) -> Stored:
    """A member of ``group``: a hard link, to an object of class ``kind``.

    Raises WorkloadError if there is none of the name, or if it is something else.
    """
    check_link(path, group, name)
    identifier = name.encode()
    if h5py.h5o.get_info(group.id, identifier).type != _KINDS[kind]:
        actual = group.get(name, getclass=True).__name__
        raise fault(path, _key(group, name), f"a {kind.__name__.lower()}", actual, REMEDY)
    return kind(h5py.h5o.open(group.id, identifier))


def check_link(path: Path, group: h5py.Group, name: str) -> None:
    """Raise WorkloadError unless ``group`` has a member ``name`` by a hard link."""
    identifier = name.encode()
    if not group.id.links.exists(identifier):
        raise fault(path, _key(group, name), "to exist", "nothing", REMEDY)
    if group.id.links.get_info(identifier).type != h5py.h5l.TYPE_HARD:
        got = type(group.get(name, getlink=True)).__name__
        raise fault(path, _key(group, name), "data in this file", got, "copy the data in")


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
    virtual = layout.get_layout() == h5py.h5d.VIRTUAL
    if virtual or layout.get_external_count():
        got = "virtual" if virtual else "external"
        raise fault(path, dataset.name, "data in this file", f"{got} storage", remedy)
    chunks = layout.get_chunk() if layout.get_layout() == h5py.h5d.CHUNKED else (0,)
    if chunks[0] > dataset.shape[0]:
        expected = f"chunks of at most {dataset.shape[0]} elements"
        raise fault(path, dataset.name, expected, chunks, remedy)
    for position in range(layout.get_nfilters()):
        code = layout.get_filter(position)[0]
        if code not in _FILTERS:
            got = f"filter {code}"
            raise fault(path, dataset.name, "filters gzip and shuffle only", got, remedy)


def _key(group: h5py.Group, name: str) -> str:
    return f"{group.name.rstrip('/')}/{name}"

"""One dataset and its attributes, written by the calls of HDF5 itself.

What h5py puts round these calls took more time than the calls, and most recordings are small.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5p, h5s, h5t
from numpy.typing import NDArray

_GZIP_LEVEL = 4


def store(file: h5py.File, name: str, elements: NDArray[Any], shape: tuple[int, ...]) -> Any:
    """Write ``elements`` (a vector) of an array of ``shape``; returns the dataset's id.

    In a single chunk; nothing can be stored in a chunk of no elements.
    """
    layout, links = h5p.create(h5p.DATASET_CREATE), h5p.create(h5p.LINK_CREATE)
    links.set_create_intermediate_group(True)
    layout.set_obj_track_times(False)
    if elements.size:
        layout.set_chunk(elements.shape)
        if elements.itemsize > 1:
            layout.set_shuffle()
        layout.set_deflate(_GZIP_LEVEL)
    kind = h5t.py_create(elements.dtype, logical=True)
    space = h5s.create_simple(elements.shape)
    dataset = h5d.create(file.id, name.encode(), kind, space, layout, links)
    if elements.size and elements.itemsize == 1:
        dataset.write_direct_chunk((0,), _deflated(elements))
    else:
        dataset.write(h5s.ALL, h5s.ALL, elements)
    set_attribute(dataset, "shape", np.array(shape, np.int64))
    digest = hashlib.sha256(elements.tobytes()).hexdigest()
    set_attribute(dataset, "sha256", np.bytes_(digest))
    return dataset


def set_attribute(holder: Any, name: str, value: NDArray[Any] | np.generic) -> None:
    """Give the object of id ``holder`` an attribute: numbers, or a text of fixed length."""
    array = np.asarray(value)
    space = h5s.create_simple(array.shape) if array.shape else h5s.create(h5s.SCALAR)
    kind = h5t.py_create(array.dtype, logical=True)
    h5a.create(holder, name.encode(), kind, space).write(array)


def _deflated(elements: NDArray[Any]) -> bytes:
    """Bytes behind gzip's filter, of which runs alone are matched.

    Packed bits repeat little else: files are as small (+20 % at most, of sparse jobs) in a third of
    the time, which HDF5's own filter cannot be told.
    """
    runs = zlib.compressobj(_GZIP_LEVEL, strategy=zlib.Z_RLE)
    return runs.compress(elements.tobytes()) + runs.flush()

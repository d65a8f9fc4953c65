"""The text of the layer graph: an attribute of the root, or a dataset where it is too long for one.

HDF5 keeps at most 64 KiB in an attribute; the layers of a deep network need more.
"""

from __future__ import annotations

from pathlib import Path

import h5py

from tlm.workload.file import schema
from tlm.workload.file.attributes import check_attribute_names, read_text
from tlm.workload.file.elements import read_elements
from tlm.workload.file.fault import REMEDY, fault
from tlm.workload.file.layout import Expected
from tlm.workload.file.stored import check_shape, check_storage, check_type, member


def root_attributes(file: h5py.File) -> tuple[str, ...]:
    """Names of the attributes that the root of this file must have."""
    of_some = [name for name in (schema.LAYERS, schema.PURPOSE) if name in file.attrs]
    return (*schema.ROOT_ATTRIBUTES, *of_some)


def root_datasets(file: h5py.File) -> tuple[str, ...]:
    """Names of the datasets that lie outside the iterations."""
    return () if schema.LAYERS in file.attrs else (schema.LAYERS,)


def read_layers_text(path: Path, file: h5py.File) -> str:
    """The text of the layer graph, wherever it lies.

    Raises WorkloadError if there is none, or if it is not stored as the format page says.
    """
    if schema.LAYERS in file.attrs:
        return read_text(path, file, schema.LAYERS)
    dataset = member(path, file, schema.LAYERS, h5py.Dataset)
    expected = f"1..{schema.MAX_LAYERS_NBYTES} bytes of UTF-8 text"
    if not 1 <= dataset.size <= schema.MAX_LAYERS_NBYTES:
        raise fault(path, dataset.name, expected, dataset.size, REMEDY)
    shape = (dataset.size,)
    check_type(path, dataset, "uint8", dataset.size, expected)
    check_storage(path, dataset)
    check_attribute_names(path, dataset, schema.BITS_ATTRIBUTES)
    check_shape(path, dataset, shape)
    text = read_elements(path, file, Expected(schema.LAYERS, shape)).tobytes()
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise fault(path, dataset.name, expected, str(error), REMEDY) from error

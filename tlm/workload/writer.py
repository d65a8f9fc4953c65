"""Workload and recordings -> file: atomic, and the same bytes for the same content."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from tlm.errors import WorkloadError
from tlm.workload import schema
from tlm.workload.check import expected_datasets
from tlm.workload.graph import layers_to_json
from tlm.workload.model import BoolArray, Recording, Workload
from tlm.workload.reader import read_workload

_GZIP_LEVEL = 4


def write_workload(workload: Workload, recordings: Sequence[Recording]) -> Workload:
    """Write ``workload.path`` and return the workload as read back and checked.

    ``workload.iterations`` and ``workload.sha256`` are taken from the recordings and the file.
    A reader never sees half a file: it is written beside its place, synced and moved in.
    Raises WorkloadError if shapes do not fit or the file cannot be written.
    """
    path = workload.path
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    except OSError as error:
        raise WorkloadError(f"{path}: cannot be written: {error.strerror}") from error
    os.close(handle)
    part = Path(name)
    try:
        _write(part, workload, recordings)
        _sync(part)
        part.chmod(0o644)
        read_workload(part)
        os.replace(part, path)
        _sync(path.parent)
    except OSError as error:
        raise WorkloadError(f"{path}: cannot be written: {error}") from error
    finally:
        part.unlink(missing_ok=True)
    return read_workload(path)


def _write(part: Path, workload: Workload, recordings: Sequence[Recording]) -> None:
    # A fixed format version: files do not depend on the HDF5 library's own newest one.
    with h5py.File(part, "w", libver=("v110", "v110")) as file:
        _write_header(file, workload, [recording.iteration for recording in recordings])
        for which, recording in enumerate(recordings):
            arrays = _arrays(recording)
            for key, wanted in expected_datasets(workload, which).items():
                if arrays[key].shape != wanted.shape:
                    raise WorkloadError(
                        f"{workload.path}: {wanted.name}: expected shape {wanted.shape}, "
                        f"got {arrays[key].shape}; record with the workload's own T, B and layers"
                    )
                _write_bits(file, wanted.name, arrays[key])


def _arrays(recording: Recording) -> dict[str, BoolArray]:
    """Arrays by the keys of ``expected_datasets``."""
    arrays = {schema.INPUTS: recording.inputs}
    for kind in schema.LAYER_DATASETS:
        layers: tuple[BoolArray, ...] = getattr(recording, kind)
        arrays.update({f"{index}/{kind}": array for index, array in enumerate(layers)})
    return arrays


def _write_header(file: h5py.File, workload: Workload, iterations: list[int]) -> None:
    text = {
        "schema": schema.SCHEMA,
        "level": schema.LEVEL,
        "name": workload.name,
        "dataset": workload.dataset,
        "licence": workload.licence,
        "optimizer": workload.optimizer,
        "encoding": workload.encoding,
        "layers": layers_to_json(workload.layers),
        "provenance": json.dumps(workload.provenance, sort_keys=True),
    }
    for name, value in text.items():
        file.attrs[name] = np.bytes_(value.encode())
    file.attrs["schema_version"] = np.int64(schema.SCHEMA_VERSION)
    file.attrs["steps"] = np.int64(workload.steps)
    file.attrs["batch"] = np.int64(workload.batch)
    file.attrs["accuracy"] = np.float64(workload.accuracy)
    file.attrs["iterations"] = np.array(iterations, np.int64)


def _write_bits(file: h5py.File, name: str, array: BoolArray) -> None:
    packed = np.packbits(array)
    dataset = file.create_dataset(
        name,
        data=packed,
        chunks=packed.shape,
        compression="gzip",
        compression_opts=_GZIP_LEVEL,
        track_times=False,
    )
    dataset.attrs["shape"] = np.array(array.shape, np.int64)
    dataset.attrs["sha256"] = np.bytes_(hashlib.sha256(packed.tobytes()).hexdigest())


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

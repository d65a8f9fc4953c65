"""What an untrusted trace file may hold, checked by rule before its rows are used."""

from __future__ import annotations

import hashlib
import re
from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from tlm.errors import TraceError
from tlm.space.trace_rows import PHASE_NONE
from tlm.trace import schema
from tlm.trace.schema import Unit

CheckedRows = NDArray[np.void]

_UNIT_NAME = re.compile(r"[a-z0-9.]{1,60} [a-z]{1,10}")
_CAPS = {"units": 1 << 15, "config": 16 << 20, "committed": schema.COMMITTED}  # elements
_FILTERS = (h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_FLETCHER32)
_MAX_READ_BYTES = 8 << 30  # rows of one table; a file of a few MB may declare them all
_MAX_TEXT_BYTES = 4096


def damaged(path: Path, reason: str) -> TraceError:
    """The error for a file that is not as it was written, on one line."""
    return TraceError(f"{path}: damaged trace: {' '.join(reason.split())}; run the job again")


def check_version(path: Path, file: h5py.File) -> None:
    """Refuse a file of another schema or version."""
    name = read_text(path, file, "schema") if "schema" in file.attrs else "none"
    if name != schema.SCHEMA:
        raise TraceError(f"{path}: expected an HDF5 file of schema {schema.SCHEMA!r}, got {name}")
    version = _numbers(path, file, "schema_version", 1)[0]
    if version != schema.SCHEMA_VERSION:
        newer = version > schema.SCHEMA_VERSION
        than, remedy = ("newer", "update tlm") if newer else ("older", "run the job again")
        raise TraceError(
            f"{path}: trace schema version {version} is {than} than the {schema.SCHEMA_VERSION} "
            f"this tlm reads; {remedy}"
        )


def check_layout(path: Path, file: h5py.File) -> None:
    """Refuse what a trace never holds, before any data is read: links, foreign storage, dtypes."""
    expected: dict[str, np.dtype[Any]] = {
        **schema.TABLES,
        "units": schema.UNIT_DTYPE,
        "config": np.dtype("u1"),
        "committed": np.dtype("<i8"),
    }
    if sorted(file) != sorted(expected):
        raise damaged(path, f"it holds {', '.join(sorted(file))[:200]}; expected {[*expected]}")
    for name, dtype in expected.items():
        if not isinstance(file.get(name, getlink=True), h5py.HardLink):
            raise damaged(path, f"/{name} is missing or a link")
        dataset = file[name]
        if not isinstance(dataset, h5py.Dataset) or dataset.external or dataset.is_virtual:
            raise damaged(path, f"/{name} is not a plain dataset")
        if dataset.dtype != dtype:
            raise damaged(path, f"/{name} has columns {dataset.dtype}, expected {dtype}")
        if name in _CAPS and (dataset.ndim != 1 or dataset.size > _CAPS[name]):
            raise damaged(path, f"/{name} has shape {dataset.shape}, over {_CAPS[name]} elements")
        if not set(_filters(dataset)) <= set(_FILTERS):
            raise damaged(path, f"/{name} has filters {_filters(dataset)}")
        if name in schema.TABLES and dataset.chunks != (schema.CHUNK_ROWS,):
            raise damaged(path, f"/{name} has chunks {dataset.chunks}, not {schema.CHUNK_ROWS}")


def _filters(dataset: h5py.Dataset) -> list[int]:
    plist = dataset.id.get_create_plist()
    return [plist.get_filter(position)[0] for position in range(plist.get_nfilters())]


def check_digest(path: Path, file: h5py.File, name: str, digest: str) -> None:
    """Refuse a dataset whose SHA-256 is not the one in the attribute ``digest``."""
    sha256 = hashlib.sha256(file[name][:].tobytes()).hexdigest()
    if sha256 != read_text(path, file, digest):
        raise damaged(path, f"/{name} does not have the digest {digest}")


def read_committed(path: Path, file: h5py.File) -> list[int]:
    """Rows of each table, and whether the run is complete; their sum must be right."""
    values = file["committed"][:]
    *counts, complete, _ = map(int, values)
    sealed = schema.committed_values(counts, bool(complete))
    if values.shape != sealed.shape or (values != sealed).any():
        raise damaged(path, "/committed does not have its own check sum")
    return [*counts, complete]


def check_committed(path: Path, dataset: h5py.Dataset, committed: int) -> None:
    """Every committed row must lie in a chunk that is really stored; absent ones read as zeros."""
    chunks = -(-committed // schema.CHUNK_ROWS)
    if not 0 <= committed <= dataset.shape[0] or dataset.id.get_num_chunks() < chunks:
        raise damaged(path, f"{dataset.name} lacks part of its {committed} committed rows")
    if committed * dataset.dtype.itemsize > _MAX_READ_BYTES:
        raise TraceError(
            f"{path}: {dataset.name} has {committed} rows, over {_MAX_READ_BYTES >> 30} GiB; "
            "run the job again with --trace-window or --trace-budget"
        )


def check_rows(path: Path, name: str, rows: CheckedRows, units: int) -> None:
    """Refuse numbers that name no unit, command, phase or reason, and times that run backwards.

    Raises:
        TraceError: a row of table ``name`` holds such a number.
    """
    if not len(rows):
        return
    ends = {"what": len(schema.STATE_NAMES), "command": len(schema.COMMAND_NAMES)}
    ends |= dict.fromkeys(("unit", "initiator", "target"), units)
    for column in rows.dtype.names or ():
        values = rows[column]
        if column == "phase":
            values = values[values != PHASE_NONE]
            wrong = len(values) and values.max() >= len(schema.PHASE_NAMES)
        else:
            wrong = column in ends and not 0 <= values.min() <= values.max() < ends[column]
        if wrong:
            raise damaged(path, f"/{name}: a row holds an impossible {column}")
    first, last = schema.SPANS[name]
    if (rows[first] < 0).any() or (rows[last] < rows[first]).any():
        raise damaged(path, f"/{name}: a row ends before it begins")


def read_window(path: Path, file: h5py.File) -> tuple[int, int] | None:
    """The part of the run that was recorded, (begin, end) in ps; None if that is all of it."""
    if schema.WINDOW not in file.attrs:
        return None
    begin, end = _numbers(path, file, schema.WINDOW, 2)
    return begin, end


def _numbers(path: Path, file: h5py.File, name: str, count: int) -> list[int]:
    """An attribute of ``count`` whole numbers, read once its type and size are known."""
    handle = _attribute(path, file, name)
    if handle.get_type().get_class() != h5py.h5t.INTEGER or prod(handle.shape) != count:
        raise damaged(path, f"attribute {name} is not {count} whole numbers")
    return [int(value) for value in np.ravel(file.attrs[name])]


def read_units(path: Path, file: h5py.File) -> tuple[Unit, ...]:
    """The streams in order of their ids; their names are words with dots, as a chip gives them."""
    units = tuple(Unit(row["path"].decode(), row["kind"].decode()) for row in file["units"][:])
    for unit in units:
        if _UNIT_NAME.fullmatch(f"{unit.path} {unit.kind}") is None:
            raise damaged(path, f"the name of a unit is {ascii(unit.path)[:60]}")
    return units


def read_text(path: Path, file: h5py.File, name: str) -> str:
    """An attribute of printable text of fixed length, read once its type and size are known."""
    handle = _attribute(path, file, name)
    kind = handle.get_type()
    fixed = kind.get_class() == h5py.h5t.STRING and not kind.is_variable_str()
    if not fixed or handle.shape != () or handle.get_storage_size() > _MAX_TEXT_BYTES:
        raise damaged(path, f"attribute {name} is not a text of fixed length")
    text = bytes(file.attrs[name]).decode()
    if not text.isprintable():
        raise damaged(path, f"attribute {name} is not printable")
    return text


def _attribute(path: Path, file: h5py.File, name: str) -> h5py.h5a.AttrID:
    if name not in file.attrs:
        raise damaged(path, f"attribute {name} is missing")
    return h5py.h5a.open(file.id, name.encode())

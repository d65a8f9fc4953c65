"""Reader: ``tlm.trace.open`` gives the committed rows of a trace, finished or not."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from tlm.errors import TraceError
from tlm.trace import schema
from tlm.trace.schema import Unit

Rows = NDArray[np.void]

_CAPS = {"units": 1 << 15, "config": 16 << 20, "committed": len(schema.TABLES)}  # elements


def open(source: str | Path) -> Trace:
    """Open the trace of a run for reading.

    Args:
        source: a run folder (holding ``trace.h5``) or the file itself.

    Raises:
        TraceError: no such file, not HDF5, damaged, another schema or a newer version.
    """
    path = Path(source)
    if path.is_dir():
        path = path / schema.FILE_NAME
    if not path.is_file():
        raise TraceError(
            f"{path}: no such trace; give a run folder or a {schema.FILE_NAME} "
            "(a run with --trace off leaves none)"
        )
    return Trace(path)


class Trace:
    """The committed rows of one trace; a context manager.

    ``attrs`` holds the text attributes of the run (``schema.RUN_ATTRIBUTES`` and ``level``),
    ``units`` the streams in order of their ids. ``transactions`` and ``activity`` are structured
    arrays with the columns of ``schema`` (times in ps), read on first use and clipped to the
    committed rows. ``complete`` is False if the run was killed, interrupted or ran out of disk:
    what is there is right, but is not the whole run.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = _open_file(path)
        try:
            _check_version(path, self._file)
            _check_layout(path, self._file)
            self.attrs = {
                name: _plain(self._file.attrs[name]) for name in (*schema.RUN_ATTRIBUTES, "level")
            }
            self.units = tuple(
                Unit(row["path"].decode(), row["kind"].decode()) for row in self._file["units"][:]
            )
            self.complete = bool(self._file["complete"][()])
            self._committed = dict(zip(schema.TABLES, self._file["committed"][:], strict=True))
            for name, rows in self._committed.items():
                _check_committed(path, self._file[name], int(rows))
        except TraceError:
            self._file.close()
            raise
        except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
            self._file.close()
            raise _damaged(path, str(error)) from error

    def __enter__(self) -> Trace:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; rows already read stay usable."""
        self._file.close()

    @cached_property
    def transactions(self) -> Rows:
        """The committed rows of ``/transactions``; empty at level ``phase``."""
        return self._rows("transactions")

    @cached_property
    def activity(self) -> Rows:
        """The committed rows of ``/activity``."""
        return self._rows("activity")

    @cached_property
    def config_text(self) -> str:
        """The resolved configuration of the run, YAML."""
        return bytes(self._file["config"][:]).decode()

    def unit_ids(self, kind: str) -> NDArray[np.int64]:
        """Ids of the units of one kind (one of ``schema.UNIT_KINDS``), ascending."""
        return np.flatnonzero([unit.kind == kind for unit in self.units])

    def _rows(self, name: str) -> Rows:
        try:
            rows: Rows = self._file[name][: int(self._committed[name])]
        except (OSError, RuntimeError) as error:
            raise _damaged(self.path, str(error)) from error
        return rows


def _open_file(path: Path) -> h5py.File:
    """Open for reading; a file whose writer lives or was killed opens in SWMR mode only."""
    if not h5py.is_hdf5(path):
        raise TraceError(f"{path}: not an HDF5 file, or cut short at its beginning")
    try:
        return h5py.File(path, "r")
    except OSError:
        pass
    try:
        file = h5py.File(path, "r", swmr=True)
    except (OSError, RuntimeError) as error:
        raise _damaged(path, str(error)) from error
    expected, found = file.id.get_filesize(), path.stat().st_size
    if found < expected:  # in SWMR mode HDF5 would wait for the missing bytes, for ever
        file.close()
        raise _damaged(path, f"cut short, {found} bytes of {expected}")
    return file


def _check_version(path: Path, file: h5py.File) -> None:
    found = _plain(file.attrs.get("schema", "none"))
    if found != schema.SCHEMA:
        raise TraceError(f"{path}: expected an HDF5 file of schema {schema.SCHEMA!r}, got {found}")
    version = int(file.attrs["schema_version"])
    if version > schema.SCHEMA_VERSION:
        raise TraceError(
            f"{path}: trace schema version {version} is newer than the {schema.SCHEMA_VERSION} "
            "this tlm reads; update tlm"
        )


def _check_layout(path: Path, file: h5py.File) -> None:
    """Refuse what a trace never holds, before any data is read: links, foreign storage, dtypes."""
    expected: dict[str, np.dtype[Any]] = {
        **schema.TABLES,
        "units": schema.UNIT_DTYPE,
        "config": np.dtype("u1"),
        "committed": np.dtype("<i8"),
        "complete": np.dtype("u1"),
    }
    for name, dtype in expected.items():
        if not isinstance(file.get(name, getlink=True), h5py.HardLink):
            raise _damaged(path, f"/{name} is missing or a link")
        dataset = file[name]
        if not isinstance(dataset, h5py.Dataset) or dataset.external or dataset.is_virtual:
            raise _damaged(path, f"/{name} is not a plain dataset")
        if dataset.dtype != dtype:
            raise _damaged(path, f"/{name} has columns {dataset.dtype}, expected {dtype}")
        if name in _CAPS and (dataset.ndim != 1 or dataset.size > _CAPS[name]):
            raise _damaged(path, f"/{name} has shape {dataset.shape}, over {_CAPS[name]} elements")
        if name in schema.TABLES and dataset.chunks != (schema.CHUNK_ROWS,):
            raise _damaged(path, f"/{name} has chunks {dataset.chunks}, not {schema.CHUNK_ROWS}")


def _check_committed(path: Path, dataset: h5py.Dataset, committed: int) -> None:
    """Every committed row must lie in a chunk that is really stored; absent ones read as zeros."""
    chunks = -(-committed // schema.CHUNK_ROWS)
    if not 0 <= committed <= dataset.shape[0] or dataset.id.get_num_chunks() < chunks:
        raise _damaged(path, f"{dataset.name} lacks part of its {committed} committed rows")


def _damaged(path: Path, reason: str) -> TraceError:
    return TraceError(f"{path}: damaged trace: {' '.join(reason.split())}; run the job again")


def _plain(value: str | bytes) -> str:
    """A text attribute, whichever way HDF5 stores it."""
    return value.decode() if isinstance(value, bytes) else str(value)

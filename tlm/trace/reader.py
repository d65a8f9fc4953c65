"""Reader: ``tlm.trace.open`` gives the committed rows of a trace, finished or not."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from types import TracebackType

import h5py
import numpy as np
from numpy.typing import NDArray

from tlm.errors import TraceError
from tlm.trace import schema
from tlm.trace.check import (
    CheckedRows,
    check_committed,
    check_digest,
    check_layout,
    check_rows,
    check_version,
    damaged,
    read_committed,
    read_text,
    read_units,
    read_window,
)
from tlm.trace.run_folder import check_folder
from tlm.trace.unclosed import Unclosed

_ATTEMPTS = 5  # at a file that may be in the middle of a write
_PAUSE_S = 0.02


def open(source: str | Path) -> Trace:
    """Open the trace of a run for reading.

    Args:
        source: a run folder (holding ``trace.h5``) or the file itself.

    Raises:
        TraceError: no such file, not HDF5, damaged, another schema or a another version.
    """
    path = Path(source)
    if path.is_dir():
        check_folder(path)
        path = path / schema.FILE_NAME
    if not path.is_file():
        raise TraceError(
            f"{path}: no such trace; give a run folder or a {schema.FILE_NAME} "
            "(a run with --trace off leaves none)"
        )
    for _ in range(_ATTEMPTS - 1):
        try:
            return Trace(path)
        except TraceError:
            if not _is_unclosed(path):
                raise
            time.sleep(_PAUSE_S)  # a living writer may have been in the middle of a write
    return Trace(path)


class Trace:
    """The committed rows of one trace; a context manager.

    ``attrs`` holds the text attributes of the run (``schema.RUN_ATTRIBUTES``, ``config_sha256``
    and ``level``), ``units`` the streams in order of their ids. ``transactions`` and ``activity``
    are structured arrays with the columns of ``schema`` (times in ps), read on first use and
    clipped to the committed rows. ``complete`` is False if the run was killed, interrupted or ran
    out of disk or budget: what is there is right, but is not the whole run. ``window_ps`` is the
    (begin, end) of a trace that holds a window of the run alone, and None otherwise.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file, self._close = _open_file(path)
        try:
            check_version(path, self._file)
            check_layout(path, self._file)
            names = (*schema.RUN_ATTRIBUTES, "config_sha256", "level")
            self.attrs = {name: read_text(path, self._file, name) for name in names}
            self.window_ps = read_window(path, self._file)
            for name, digest in schema.DIGESTS.items():
                check_digest(path, self._file, name, digest)
            self.units = read_units(path, self._file)
            *counts, complete = read_committed(path, self._file)
            self.complete = bool(complete)
            self._committed = dict(zip(schema.TABLES, counts, strict=True))
            for name, rows in self._committed.items():
                check_committed(path, self._file[name], int(rows))
        except TraceError:
            self._close()
            raise
        except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
            self._close()
            raise damaged(path, str(error)) from error

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
        self._close()

    @cached_property
    def transactions(self) -> CheckedRows:
        """The committed rows of ``/transactions``; empty at level ``phase``."""
        return self._rows("transactions")

    @cached_property
    def activity(self) -> CheckedRows:
        """The committed rows of ``/activity``."""
        return self._rows("activity")

    @cached_property
    def config_text(self) -> str:
        """The resolved configuration of the run, YAML."""
        return bytes(self._file["config"][:]).decode()

    def unit_ids(self, kind: str) -> NDArray[np.int64]:
        """Ids of the units of one kind (one of ``schema.UNIT_KINDS``), ascending."""
        return np.flatnonzero([unit.kind == kind for unit in self.units])

    def _rows(self, name: str) -> CheckedRows:
        attempts = _ATTEMPTS if not self.complete else 1
        for attempt in range(attempts):
            try:
                rows: CheckedRows = self._file[name][: self._committed[name]]
                break
            except (OSError, RuntimeError) as error:
                if attempt == attempts - 1:
                    raise damaged(self.path, str(error)) from error
                time.sleep(_PAUSE_S)
        check_rows(self.path, name, rows, len(self.units))
        return rows


def _open_file(path: Path) -> tuple[h5py.File, Callable[[], None]]:
    """Open for reading; a file whose writer lives or was killed is shown to HDF5 as closed.

    Returns the file, and what closes it with all that lies under it.
    """
    if not h5py.is_hdf5(path):
        raise TraceError(
            f"{path}: not an HDF5 file, or cut short at its beginning; run the job again"
        )
    try:
        file = h5py.File(path, "r")
        return file, file.close
    except OSError:
        pass
    with contextlib.ExitStack() as stack:
        try:
            view = stack.enter_context(Unclosed(path))
            file = stack.enter_context(h5py.File(view, "r"))
        except (OSError, RuntimeError, ValueError) as error:
            raise damaged(path, str(error)) from error
        return file, stack.pop_all().close


def _is_unclosed(path: Path) -> bool:
    with path.open("rb") as file:
        return any(file.read(12)[11:])

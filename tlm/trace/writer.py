"""TraceWriter: what a run leaves in ``trace.h5``, readable at any moment, even after SIGKILL.

The file is in HDF5's single-writer/multiple-reader mode: every dataset and attribute exists before
the first row, only whole chunks are appended, and ``/committed`` says how many rows of each table
are safely in the file. Rows above it do not exist for a reader.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np

from tlm.errors import DISK_FULL, DiskFullError, TraceError, reason_of
from tlm.files import sync
from tlm.trace import schema
from tlm.trace.disk_space import METADATA_BYTES, Room
from tlm.trace.limits import NO_LIMITS, TraceLimits
from tlm.trace.rows import RowList
from tlm.trace.table import Table


class TraceWriter:
    """Collects rows of two tables and moves them to the file a chunk at a time.

    ``transactions`` and ``activity`` are what the model adds its rows to. Level ``phase`` records
    activity only, ``off`` writes no file; rows of a table that is not recorded are dropped.

    Neither a full disk nor a spent budget stops the run: ``truncated`` becomes ``"disk-full"`` or
    ``"budget"``, the rows committed so far stay readable, and later rows are dropped. A disk that
    is full from the start gets no file at all.

    Args:
        path: the file to create.
        level: one of ``schema.LEVELS``.
        attrs: text of each of ``schema.RUN_ATTRIBUTES``.
        config_text: the resolved configuration, YAML.
        units: (path, kind) of the streams; a row names a unit by its index here.
        limits: the largest size of the file, and the window of time to record.

    Raises:
        TraceError: unknown level, missing attribute, a unit that does not fit, an existing or
            unwritable file.
    """

    new_rows: ClassVar[type[Any]] = RowList  # what the rows of a table are kept in until written

    def __init__(
        self,
        path: Path,
        level: str,
        attrs: Mapping[str, str],
        config_text: str,
        units: Sequence[tuple[str, str]],
        limits: TraceLimits = NO_LIMITS,
    ) -> None:
        _check_arguments(level, attrs, units)
        self.path = Path(path)
        self.level = level
        self.limits = limits
        self.truncated: str | None = None
        self.transactions = self.new_rows("transactions", schema.TABLES["transactions"])
        self.activity = self.new_rows("activity", schema.TABLES["activity"])
        self._room = Room(self.path)
        self._file: h5py.File | None = None
        if level != "off":
            self._create(attrs, config_text, units)

    def flush_if_due(self) -> None:
        """Move whole chunks to the file if there are any; call it now and then, not per row.

        Raises:
            TraceError: a value does not fit its column.
        """
        if max(len(self.transactions), len(self.activity)) >= schema.CHUNK_ROWS:
            self._append(partial=False)

    def close(self, complete: bool) -> None:
        """Write the remaining rows and close; ``complete`` says that the run reached its end.

        A trace of a window is never complete.

        Raises:
            TraceError: a value does not fit its column.
        """
        self._append(partial=True)
        if self._file is None:
            return
        try:
            self._commit(complete and self.limits.window_ps is None)
            self._file.close()
            self._file = None
            sync(self.path)
        except (OSError, RuntimeError):
            self._abandon()

    def _create(
        self, attrs: Mapping[str, str], config_text: str, units: Sequence[tuple[str, str]]
    ) -> None:
        try:
            self.path.open("xb").close()
            if not self._has_room():
                return
            # The oldest format that can be read while it is written: older HDF5 reads no newer one.
            self._file = file = h5py.File(self.path, "w", libver=("v110", "v110"))
            _write_attributes(file, self.level, attrs)
            _write_fixed(file, config_text, units)
            if self.limits.window_ps is not None:
                file.attrs[schema.WINDOW] = np.array(self.limits.window_ps, dtype="<i8")
            none = schema.committed_values([0] * len(schema.TABLES), complete=False)
            self._committed = file.create_dataset("committed", data=none)
            rows = {"transactions": self.transactions, "activity": self.activity}
            self._tables = [
                Table(
                    file,
                    name,
                    rows[name],
                    recorded=self._records(name),
                    window_ps=self.limits.window_ps,
                )
                for name in schema.TABLES
            ]
            file.swmr_mode = True
        except OSError as error:
            if not isinstance(error, FileExistsError):  # else it is the file of somebody else
                self._discard()
            kind = DiskFullError if error.errno in DISK_FULL else TraceError
            raise kind(
                f"{self.path}: cannot create the trace ({reason_of(error)}); give a new, writable "
                "run folder or switch the trace off"
            ) from error
        except BaseException:
            self._discard()
            raise

    def _discard(self) -> None:
        """Leave no trace rather than half of one."""
        if self._file is not None:
            h5py.h5i.inc_ref(self._file.id)  # not closed, for the reason that _abandon gives
            self._file = None
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _has_room(self) -> bool:
        """Whether a first block fits on the disk; if not, there will be no trace."""
        try:
            self._room.require(METADATA_BYTES)
        except OSError:
            self.path.unlink()
            self._truncate("disk-full")
            return False
        return True

    def _records(self, table: str) -> bool:
        return table == "activity" or self.level == "transaction"

    def _append(self, *, partial: bool) -> None:
        if self._file is None:
            self._drop_rows()
            return
        for table in self._tables:
            table.drop_unwanted()
        pending = sum(table.pending_bytes for table in self._tables)
        if not self._within_budget(pending):
            self._file.close()
            self._truncate("budget")
            return
        try:
            self._room.require(pending)
        except OSError:
            self._file.close()
            self._truncate("disk-full")
            return
        try:
            for table in self._tables:
                table.append(partial=partial)
            self._file.flush()
            self._commit(complete=False)
            self._file.flush()
        except (OSError, RuntimeError):
            self._abandon()

    def _commit(self, complete: bool) -> None:
        """Say how many rows are in the file: one write of a few numbers, sealed by their sum."""
        rows = [table.committed for table in self._tables]
        values = schema.committed_values(rows, complete)
        self._committed.id.write(h5py.h5s.ALL, h5py.h5s.ALL, values)  # a tenth of the time of [...]

    def _within_budget(self, pending: int) -> bool:
        """Whether the file stays below its budget even if the pending rows do not compress."""
        budget = self.limits.budget_bytes
        if budget is None or not pending:
            return True
        return self.path.stat().st_size + pending + METADATA_BYTES <= budget

    def _abandon(self) -> None:
        """Leave the file as it is after a failed write.

        Closing it now, or letting the interpreter do so at exit, crashes the process inside HDF5
        2.0 (SIGSEGV); one reference more keeps the handles open until the process ends. The file
        gets, as a hole that needs no space, the length HDF5 meant it to have, or it would not
        open.
        """
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.truncate(self.path, self._file.id.get_filesize())
            datasets = [table.dataset for table in self._tables]
            for handle in (self._file, self._committed, *datasets):
                h5py.h5i.inc_ref(handle.id)
        self._truncate("disk-full")

    def _truncate(self, reason: str) -> None:
        """Stop tracing: the file keeps what is committed, the run goes on without it."""
        self.truncated = reason
        self._file = None
        self._drop_rows()

    def _drop_rows(self) -> None:
        self.transactions.clear()
        self.activity.clear()


def _check_arguments(
    level: str, attrs: Mapping[str, str], units: Sequence[tuple[str, str]]
) -> None:
    if level not in schema.LEVELS:
        raise TraceError(f"trace level: expected one of {', '.join(schema.LEVELS)}, got {level!r}")
    for name in schema.RUN_ATTRIBUTES:
        if name not in attrs:
            raise TraceError(f"trace attributes: {name!r} is missing")
    for path, kind in units:
        _check_fits("path", path)
        _check_fits("kind", kind)


def _check_fits(column: str, text: str) -> None:
    width = schema.UNIT_DTYPE[column].itemsize
    if not text.isascii() or not 0 < len(text) <= width:
        raise TraceError(f"trace unit {column} {text!r}: expected 1 to {width} ASCII characters")


def _write_attributes(file: h5py.File, level: str, attrs: Mapping[str, str]) -> None:
    file.attrs["schema"] = np.bytes_(schema.SCHEMA)
    file.attrs["schema_version"] = np.int64(schema.SCHEMA_VERSION)
    file.attrs["time_unit"] = np.bytes_(schema.TIME_UNIT)
    file.attrs["level"] = np.bytes_(level)
    for name in schema.RUN_ATTRIBUTES:
        file.attrs[name] = np.bytes_(attrs[name].encode())


def _write_fixed(file: h5py.File, config_text: str, units: Sequence[tuple[str, str]]) -> None:
    rows = [(ident, path.encode(), kind.encode()) for ident, (path, kind) in enumerate(units)]
    fixed = {
        "units": np.array(rows, dtype=schema.UNIT_DTYPE),
        "config": np.frombuffer(config_text.encode(), dtype=np.uint8),
    }
    for name, data in fixed.items():
        file.create_dataset(name, data=data)
        file.attrs[schema.DIGESTS[name]] = np.bytes_(hashlib.sha256(data.tobytes()).hexdigest())

"""The run folder: one run's own, every file whole or absent, and room kept for the results."""

from __future__ import annotations

import contextlib
import csv
import errno
import fcntl
import hashlib
import io
import json
import os
import platform
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tlm.errors import DISK_FULL, DiskFullError, TraceError
from tlm.files import printable, read_regular, whole_file

LOCK_NAME = ".lock"
RESERVE_NAME = ".reserve"
RESERVE_BYTES = 2 << 20  # for the results of a run whose disk fills up meanwhile
_ROOT = Path("runs")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a formula begins with


def sha256(text: str) -> str:
    """Digest of a text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def write_atomic(path: Path, text: str) -> None:
    """Write a whole file or nothing.

    Raises:
        DiskFullError: there is no room for it.
        TraceError: the file cannot be written for another reason.
    """
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8", newline="")


def write_json(path: Path, value: Any) -> None:
    """Write JSON in a fixed form: keys in their order, no NaN, a line end.

    Raises:
        TraceError: the file cannot be written.
        ValueError: a figure is not a number.
    """
    write_atomic(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def csv_text(header: list[str], rows: Iterable[Iterable[object]]) -> str:
    """Rows as CSV text with Unix line ends.

    A text that a spreadsheet would take for a formula has an apostrophe before it.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(map(_cell, row) for row in rows)
    return out.getvalue()


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def folder_name(text: str) -> str:
    """A name for a folder inside another: letters, digits, ``.``, ``_``, ``-``; never hidden."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text).lstrip(".-")[:100]
    return name or "run"


def create(out: Path | None, name: str) -> Path:
    """Make the run folder and lock it: ``out``, or the first free ``runs/NAME``, ``runs/NAME-2``...

    Raises:
        DiskFullError: there is no room for the results of a run; the folder is not left behind.
        TraceError: ``out`` holds something or belongs to another run, or cannot be made.
    """
    is_new = out is None or not out.exists()
    try:
        folder = _numbered(folder_name(name)) if out is None else _given(out)
    except OSError as error:
        kind = DiskFullError if error.errno in DISK_FULL else TraceError
        raise kind(
            f"{out or _ROOT}: cannot make the run folder ({error.strerror}); give a writable --out"
        ) from error
    try:
        _reserve(folder)
    except OSError as error:
        release(folder)
        if is_new:
            folder.rmdir()
        raise DiskFullError(
            f"{folder}: no room for the results of a run ({error.strerror}); free "
            f"{RESERVE_BYTES >> 20} MiB or give another --out"
        ) from error
    return folder


def _given(out: Path) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    try:
        _lock(out)
    except FileExistsError:
        raise TraceError(
            f"{out}: {_owner(out)}, and runs are never overwritten; give another --out"
        ) from None
    if any(path.name != LOCK_NAME for path in out.iterdir()):
        _unlock(out)
        raise TraceError(
            f"{out}: the folder is not empty, and runs are never overwritten; give another --out"
        )
    return out


def _numbered(name: str) -> Path:
    _ROOT.mkdir(exist_ok=True)
    number = 1
    while True:
        folder = _ROOT / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
        else:
            _lock(folder)
            return folder


_held: dict[Path, int] = {}  # descriptors of the locks of this process, by folder


def _lock(folder: Path) -> None:
    """Make the lock file, or fail if there is one; the system drops the lock with the process."""
    handle = os.open(folder / LOCK_NAME, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    _held[folder.resolve()] = handle
    with contextlib.suppress(OSError):  # no room for the name, or no locks on this file system
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(handle, f"process {os.getpid()} on {platform.node()}\n".encode())


def _unlock(folder: Path) -> None:
    _remove(folder / LOCK_NAME)
    handle = _held.pop(folder.resolve(), None)
    if handle is not None:
        os.close(handle)


def is_locked(folder: Path) -> bool:
    """Whether a living process is writing a run into ``folder``."""
    try:
        handle = os.open(folder / LOCK_NAME, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def _owner(folder: Path) -> str:
    try:
        data = read_regular(folder / LOCK_NAME, 4096)
        name = printable(data.decode()[:200].strip()) or "another run"
    except ValueError:
        name = "another run"
    return f"{name} writes here" if is_locked(folder) else f"{name} was killed while it wrote here"


def _reserve(folder: Path) -> None:
    """Take the room that the results will need; where files may not be that large, go without."""
    try:
        with (folder / RESERVE_NAME).open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise


def release_reserve(folder: Path) -> None:
    """Give the reserved room back, just before it is needed."""
    _remove(folder / RESERVE_NAME)


def _remove(path: Path) -> None:
    """Remove a file that harms nobody where it cannot be removed."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def release(folder: Path) -> None:
    """End the run's hold on its folder: the results are written, or it is given up."""
    release_reserve(folder)
    _unlock(folder)

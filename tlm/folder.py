"""The run folder: manifest first and atomic, every other file whole or absent."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tlm.errors import TraceError
from tlm.version import __version__

PACKAGES = ("simpy", "numpy", "h5py", "pydantic", "ruamel.yaml", "pint")


def sha256(text: str) -> str:
    """Digest of a text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def write_atomic(path: Path, text: str) -> None:
    """Write a whole file or nothing: a temporary file beside it, synced, then renamed.

    Raises:
        TraceError: the file cannot be written.
    """
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(0o644)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise TraceError(f"{path}: cannot be written ({error.strerror})") from error


def write_json(path: Path, value: Any) -> None:
    """Write JSON in a fixed form: sorted keys as given, no NaN, a line end.

    Raises:
        TraceError: the file cannot be written.
        ValueError: a figure is not a number.
    """
    write_atomic(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def csv_text(header: list[str], rows: Iterable[Iterable[object]]) -> str:
    """Rows as CSV text with Unix line ends."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def create(out: Path | None, name: str) -> Path:
    """Make the run folder: ``out``, or the first free ``runs/NAME``, ``runs/NAME-2``, ...

    Raises:
        TraceError: ``out`` already holds something, or a folder cannot be made.
    """
    try:
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            if any(out.iterdir()):
                raise TraceError(
                    f"{out}: the folder is not empty, and runs are never overwritten; "
                    "give another --out"
                )
            return out
        root = Path("runs")
        root.mkdir(exist_ok=True)
        number = 1
        while True:
            folder = root / (name if number == 1 else f"{name}-{number}")
            try:
                folder.mkdir()
                return folder
            except FileExistsError:
                number += 1
    except OSError as error:
        where = out or Path("runs")
        raise TraceError(
            f"{where}: cannot make the run folder ({error.strerror}); give a writable --out"
        ) from error


class Manifest:
    """``manifest.json``: status and all that varies between identical runs.

    Written with status ``running`` before anything else, replaced as a whole at the end.
    """

    def __init__(self, folder: Path, inputs: dict[str, Any]) -> None:
        self._path = folder / "manifest.json"
        self.content: dict[str, Any] = {
            "schema": "tlm-manifest",
            "schema_version": 1,
            "status": "running",
            "tlm_version": __version__,
            "argv": sys.argv,
            "inputs": inputs,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "python": platform.python_version(),
            "platform": platform.platform(),
            "packages": {name: version(name) for name in PACKAGES},
        }
        write_json(self._path, self.content)

    def close(self, status: str, **figures: Any) -> None:
        """Replace the manifest with a final status and the cost of the run."""
        finished = datetime.now(UTC).isoformat(timespec="seconds")
        self.content |= {"status": status, "finished": finished, **figures}
        write_json(self._path, self.content)

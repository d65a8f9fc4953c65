"""Failed calls in the writing of a run: ``python -m tests.reliability.faults`` lets each fail.

Every call by which a run makes, grows, syncs, renames or removes a file of its folder is numbered,
those into HDF5 included. A run for each number and each way to fail (no room, an error of the
device, no memory) goes on with that one call failed. Then its exit code, its one line, the
manifest's status, the committed rows of its trace and its figures must be true or absent.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import io
import itertools
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import h5py

from tests.reliability.disks import RESULTS
from tests.reliability.probe import SMALL, chain
from tests.reliability.rows import committed_faults
from tlm.cli import main
from tlm.running.manifest import FILE_NAME as MANIFEST
from tlm.running.manifest import read_manifest
from tlm.trace import schema
from tlm.workload import write_workload

CHUNK_ROWS = 1024  # of the trace, so that a small run commits often
WAYS: dict[str, Callable[[], BaseException]] = {
    "no room": lambda: OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    "device error": lambda: OSError(errno.EIO, os.strerror(errno.EIO)),
    "no memory": MemoryError,
}
CODES = {"no room": (0, 6), "device error": (0, 2, 6), "no memory": (0, 5)}
STATUSES = {0: ("ok",), 2: ("error", "killed"), 5: ("out-of-memory", "killed", "ok"),
            6: ("disk-full", "killed")}  # fmt: skip
OF_SYSTEM = ("open", "mkdir", "write", "fsync", "replace", "unlink", "posix_fallocate", "truncate",
             "ftruncate")  # fmt: skip
OF_HDF5 = (
    *((h5py.File, name) for name in ("__init__", "flush", "close")),
    (h5py.Group, "create_dataset"),
    *((h5py.Dataset, name) for name in ("resize", "__setitem__")),
)


class Calls:
    """Counts calls that write; the one with number ``fatal`` fails."""

    def __init__(self, fatal: int, error: Callable[[], BaseException]) -> None:
        self.names: list[str] = []
        self.fatal = fatal
        self.error = error

    def before(self, name: str, path: object = None) -> None:
        """A call of this name is about to be made; the system would name its ``path``."""
        self.names.append(name)
        if len(self.names) - 1 == self.fatal:
            error = self.error()
            if isinstance(error, OSError) and isinstance(path, str | Path):
                error.filename = str(path)
            raise error

    def wrap(self, place: Any, name: str, label: str) -> None:
        """Count the calls of ``place.name`` from now on."""
        call = getattr(place, name)

        def counted(*arguments: Any, **named: Any) -> Any:
            if place is not h5py.File or _writes(name, *arguments, **named):
                self.before(label, arguments[0])
            return call(*arguments, **named)

        setattr(place, name, counted)


def _writes(name: str, file: h5py.File, _: object = None, mode: str = "r", **__: object) -> bool:
    """Whether an HDF5 file is about to be opened, or is open, to be written."""
    return bool(mode != "r" if name == "__init__" else file and file.mode != "r")


class File:
    """A file whose writes, flushes and closing are counted; all else is the file's."""

    def __init__(self, file: Any, calls: Calls) -> None:
        self._file, self._calls = file, calls

    def __getattr__(self, name: str) -> Any:
        if name in ("write", "writelines", "flush"):
            self._calls.before(f"file.{name}")
        return getattr(self._file, name)

    def __enter__(self) -> File:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._calls.before("file.close")


def install(calls: Calls) -> None:
    """Count all calls of this process that write, for good."""
    for name in OF_SYSTEM:
        calls.wrap(os, name, f"os.{name}")
    for place, name in OF_HDF5:
        calls.wrap(place, name, f"{place.__name__}.{name}")
    opened: Any = io.open

    def counted(file: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        if not set(mode) & set("wxa+"):
            return opened(file, mode, *arguments, **named)
        calls.before("open to write", file)
        return File(opened(file, mode, *arguments, **named), calls)

    io.open = counted


def child(words: Sequence[str], fatal: int, way: str, errors: Path) -> tuple[int, list[str]]:
    """The command line in a process of its own; its exit code, and the calls that it made."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        send = os.fdopen(writing, "w")
        calls = Calls(fatal, WAYS[way])
        install(calls)
        code = main(words)
        send.write("\n".join(calls.names))
        send.close()
        sys.stderr.flush()
        ctypes.CDLL(None).exit(code)  # HDF5 closes its files here, and may crash
    os.close(writing)
    with os.fdopen(reading) as names:
        lines = names.read().splitlines()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), lines


def faults_after(code: int, way: str, errors: str, out: Path, whole: Path) -> list[str]:
    """What is wrong after a run that ended with ``code``; ``whole`` is an undisturbed run."""
    lines = errors.splitlines()
    found = [f"exit code {code}: {errors[-300:]}"] * (code not in CODES[way])
    if len(lines) != bool(code) or not all(line.startswith("tlm: ") for line in lines):
        found.append(f"exit code {code}, {len(lines)} lines: {errors[-300:]}")
    if not out.exists() or not (out / MANIFEST).exists():
        left = [path.name for path in out.iterdir()] if out.exists() else []
        return found + [f"left {left}"] * bool(set(left) & {*RESULTS, schema.FILE_NAME})
    status = read_manifest(out)["status"]
    if status not in STATUSES.get(code, ()):
        found.append(f"status {status} with exit code {code}: {errors[-300:]}")
    for name in RESULTS:
        if (out / name).exists():
            if (out / name).read_bytes() != (whole / name).read_bytes():
                found.append(f"{name} differs")
        elif code == 0:
            found.append(f"{name} is missing")
    return [*found, *committed_faults(out, whole)]


def cases(counts: dict[str, int], every: int) -> Iterator[tuple[str, str, int]]:
    """Every n-th of (trace level, way to fail, number of the call)."""
    all_cases = (
        (level, way, number)
        for level, count in counts.items()
        for way, number in itertools.product(WAYS, range(count))
    )
    return itertools.islice(all_cases, 0, None, every)


def run(every: int = 1, show: Callable[[str], object] = print) -> Counter[str]:
    """Let every n-th call fail; returns how often each end came, and ``fault``."""
    found = Counter[str]()
    chunks = mock.patch.object(schema, "CHUNK_ROWS", CHUNK_ROWS)
    with chunks, tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        job = chain()
        path = write_workload(replace(job, path=folder / "job.h5"), [job.load(0)]).path
        command = ["run", str(path), *(word for text in SMALL for word in ("--set", text))]
        errors, names = folder / "errors", dict[str, list[str]]()
        for level in ("transaction", "phase"):
            words = [*command, "--trace", level, "--out", str(folder / level)]
            code, names[level] = child(words, -1, "no room", errors)
            assert code == 0, errors.read_text()
        counts = {level: len(calls) for level, calls in names.items()}
        for index, (level, way, number) in enumerate(cases(counts, every)):
            out = folder / f"{index}"
            words = [*command, "--trace", level, "--out", str(out)]
            code, _ = child(words, number, way, errors)
            wrong = faults_after(code, way, errors.read_text(), out, folder / level)
            status = read_manifest(out)["status"] if (out / MANIFEST).exists() else "no run"
            found["fault" if wrong else f"{way}: {status}, exit code {code}"] += 1
            for text in wrong:
                text = re.sub(re.escape(temporary), "", text)
                show(f"{level}, call {number} ({names[level][number]}), {way}: {text}")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="of all calls, every n-th")
    options = parser.parse_args()
    result = run(options.every)
    print(f"{result.total()} calls: " + ", ".join(f"{n} {word}" for word, n in result.items()))
    sys.exit(bool(result["fault"]))

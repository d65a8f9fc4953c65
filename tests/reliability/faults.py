"""Failed calls of a run: ``python -m tests.reliability.faults`` lets each fail.

Every call by which a run makes, grows, syncs, renames or removes a file of its folder is numbered,
those into HDF5 included. A run for each number and each way to fail (no room, an error of the
device, no memory) goes on with that one call failed; more runs find no memory for an array while
they load, plan, simulate, check and write. Then the exit code, its one line, the manifest's status,
the committed rows of the trace and the figures must be true or absent.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import functools
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
import numpy as np

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
NO_ARRAY = "no memory for an array"
ALLOCATIONS = 100  # of the arrays of a run or a report, evenly spread, that find no memory
PROGRESS = 100  # calls between two lines that say how far it is
CODES = {"no room": (0, 6), "device error": (0, 2, 6), "no memory": (0, 5), NO_ARRAY: (0, 5)}
STATUSES = {0: ("ok",), 2: ("error", "killed"), 5: ("out-of-memory", "killed", "ok"),
            6: ("disk-full", "killed")}  # fmt: skip
OF_SYSTEM = ("open", "mkdir", "write", "fsync", "replace", "unlink", "posix_fallocate", "truncate",
             "ftruncate")  # fmt: skip
OF_NUMPY = ("arange", "argsort", "array", "asarray", "concatenate", "cumsum", "empty", "full",
            "meshgrid", "ones", "ones_like", "pad", "repeat", "stack", "where", "zeros",
            "zeros_like")  # fmt: skip
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
                self.before(label, arguments[0] if arguments else None)
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


def count_arrays(calls: Calls) -> None:
    """Count all calls of this process that make an array, for good."""
    for name in OF_NUMPY:
        calls.wrap(np, name, f"np.{name}")


def count_writes(calls: Calls) -> None:
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
        calls = Calls(fatal, WAYS.get(way, MemoryError))
        (count_arrays if way == NO_ARRAY else count_writes)(calls)
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


def report_faults(run: Path, every: int) -> Iterator[list[str]]:
    """What is wrong after each report of a run in which an array finds no memory."""
    errors, page = run.with_name("errors of reports"), run / "report.html"
    code, names = child(["report", str(run)], -1, NO_ARRAY, errors)
    assert code == 0, errors.read_text()
    whole = page.read_bytes()
    for number in range(0, len(names), every * _step(NO_ARRAY, len(names))):
        page.unlink(missing_ok=True)
        code, _ = child(["report", str(run)], number, NO_ARRAY, errors)
        told, left = errors.read_text(), page.read_bytes() if page.exists() else b""
        refused = len(told.splitlines()) == 1 and told.startswith("tlm: ") and not left
        right = refused if code == 5 else code == 0 and not told and left == whole
        yield [] if right else [f"report, {names[number]}: exit code {code}: {told[-300:]}"]


def cases(names: dict[tuple[str, str], list[str]], every: int) -> Iterator[tuple[str, str, int]]:
    """Every n-th of (trace level, way to fail, number of the call)."""
    all_cases = (
        (level, way, number)
        for (level, way), calls in names.items()
        for number in range(0, len(calls), _step(way, len(calls)))
    )
    return itertools.islice(all_cases, 0, None, every)


def _step(way: str, count: int) -> int:
    """Between two numbers that fail: arrays are many."""
    return max(1, count // ALLOCATIONS) if way == NO_ARRAY else 1


def run_faults(folder: Path, every: int) -> Iterator[tuple[str, list[str]]]:
    """How every n-th failed call of a run ends, and what is wrong then; after them, of a report."""
    job = chain()
    path = write_workload(replace(job, path=folder / "job.h5"), [job.load(0)]).path
    command = ["run", str(path), *(word for text in SMALL for word in ("--set", text))]
    errors, names = folder / "errors", dict[tuple[str, str], list[str]]()
    for level, way in itertools.product(("transaction", "phase"), CODES):
        words = [*command, "--trace", level, "--out", str(folder / f"{level}, {way}")]
        code, names[level, way] = child(words, -1, way, errors)
        assert code == 0, errors.read_text()
    for index, (level, way, number) in enumerate(cases(names, every)):
        out = folder / f"{index}"
        code, _ = child([*command, "--trace", level, "--out", str(out)], number, way, errors)
        whole = folder / f"{level}, {way}"
        wrong = faults_after(code, way, errors.read_text(), out, whole)
        status = read_manifest(out)["status"] if (out / MANIFEST).exists() else "no run"
        call = f"{level}, call {number} ({names[level, way][number]}), {way}"
        yield f"{way}: {status}, exit code {code}", [f"{call}: {text}" for text in wrong]
    for wrong in report_faults(folder / f"transaction, {NO_ARRAY}", every):
        yield f"report, {NO_ARRAY}: one line, or whole", wrong


def run(every: int = 1, show: Callable[[str], object] = print) -> Counter[str]:
    """Let every n-th call fail; returns how often each end came, and ``fault``."""
    found = Counter[str]()
    chunks = mock.patch.object(schema, "CHUNK_ROWS", CHUNK_ROWS)
    with chunks, tempfile.TemporaryDirectory() as temporary:
        for end, wrong in run_faults(Path(temporary), every):
            found["fault" if wrong else end] += 1
            for text in wrong:
                show(re.sub(re.escape(temporary), "", text))
            if found.total() % PROGRESS == 0:
                show(f"{found.total()} calls, {found['fault']} of them wrong")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="of all calls, every n-th")
    options = parser.parse_args()
    result = run(options.every, functools.partial(print, flush=True))
    print(f"{result.total()} calls: " + ", ".join(f"{n} {word}" for word, n in result.items()))
    sys.exit(bool(result["fault"]))

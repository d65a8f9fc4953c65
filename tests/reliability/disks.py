"""Runs on full disks: ``python -m tests.reliability.disks --n 50`` fills that many.

Three ways in turn: a file system (tmpfs) too small from the start, one that something else fills
while the run goes on, and a limit to the size of any file (RLIMIT_FSIZE). Mounting needs root;
without, all are of the third way. Whatever happens, the figures must be those of an undisturbed
run or absent, committed rows of the trace right, and the manifest's status must say so.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import tlm
from tests.reliability.rows import committed_faults
from tlm.running.manifest import read_manifest

JOB = ("mnist-fc",)
MIB = 1 << 20
RESULTS = ("summary.json", "energy.csv", "stats.csv")
SMALL, FILLED, LIMITED = "small disk", "filled disk", "file size limit"


@contextmanager
def tmpfs(place: Path, nbytes: int) -> Iterator[Path]:
    """A file system of its own, of ``nbytes``.

    Raises:
        OSError: it may not be mounted.
    """
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={nbytes}", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        raise OSError("mounting needs root")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def can_mount() -> bool:
    """Whether this process may mount a file system."""
    with tempfile.TemporaryDirectory() as temporary, contextlib.suppress(OSError):
        with tmpfs(Path(temporary) / "disk", MIB):
            return True
    return False


def start(out: Path, file_bytes: int = 0) -> subprocess.Popen[str]:
    """Start a run; no file of it may grow over ``file_bytes`` unless that is 0."""
    environment = {**os.environ, "PYTHONPATH": str(Path(tlm.__file__).parents[1])}
    command = [sys.executable, "-m", "tlm", "run", *JOB, "--out", str(out)]

    def limit() -> None:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, hard))

    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=limit if file_bytes else None,
    )


def fill(place: Path) -> None:
    """Take all the room there is."""
    with contextlib.suppress(OSError), (place / "filler").open("wb", buffering=0) as file:
        for size in (MIB, 4096, 1):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)):
                    pass


def faults_after(code: int, errors: str, out: Path, whole: Path) -> list[str]:
    """What is wrong after a run that ended with ``code``; ``whole`` is an undisturbed run."""
    lines = errors.splitlines()
    found = [f"exit code {code}: {errors[-300:]}"] if code not in (0, 6) else []
    if code == 6 and len(lines) != 1:
        found.append(f"{len(lines)} lines: {errors[-300:]}")
    if not out.exists():
        return found if code == 6 else [*found, "no folder"]
    status = read_manifest(out)["status"]
    if (status, code) not in (("ok", 0), ("disk-full", 6)):
        found.append(f"status {status} with exit code {code}: {errors[-300:]}")
    hidden = [path.name for path in out.iterdir() if path.name.startswith(".")]
    found += [f"left {hidden}"] * bool(hidden)
    for name in RESULTS:
        there = (out / name).exists()
        if there and (out / name).read_bytes() != (whole / name).read_bytes():
            found.append(f"{name} differs")
        if not there and code == 0:
            found.append(f"{name} is missing")
    return [*found, *committed_faults(out, whole)]


def _disturb(
    way: str, draw: random.Random, place: Path, whole: Path, longest: float
) -> tuple[str, list[str]]:
    """One run in trouble; what its end is called, and what is wrong with it."""
    out = place / "run"
    nbytes = draw.randint(60_000, 4_000_000) if way == LIMITED else 0
    with start(out, nbytes) as process:
        if way == FILLED:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=draw.uniform(0.3, 1.0) * longest)
            fill(place)
        _, errors = process.communicate(timeout=120)
    found = faults_after(process.returncode, errors, out, whole)
    status = read_manifest(out)["status"] if out.exists() else "refused"
    traced = (out / "trace.h5").exists()
    results = (out / RESULTS[0]).exists()
    return f"{way}: {status}, trace {traced}, figures {results}", found


def run(count: int, seed: int = 0, show: Callable[[str], object] = print) -> Counter[str]:
    """Run ``count`` times on a full disk; returns how often each end came, and ``fault``."""
    draw, found = random.Random(seed), Counter[str]()
    ways = (SMALL, FILLED, LIMITED) if can_mount() else (LIMITED,)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        began = time.perf_counter()
        with start(folder / "whole") as process:
            assert process.wait() == 0
        longest = time.perf_counter() - began
        for index in range(count):
            way, place = ways[index % len(ways)], folder / f"{index}"
            size = draw.randint(1, 22) if way == SMALL else 64
            with contextlib.ExitStack() as stack:
                if way == LIMITED:
                    place.mkdir()
                else:
                    stack.enter_context(tmpfs(place, size * MIB))
                word, wrong = _disturb(way, draw, place, folder / "whole", longest)
            found["fault" if wrong else word] += 1
            for text in wrong:
                show(f"{index}: {word}: {text}")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=50, help="how many disks")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    result = run(options.n, options.seed)
    print(f"{result.total()} runs: " + ", ".join(f"{n} {word}" for word, n in result.items()))
    sys.exit(bool(result["fault"]))

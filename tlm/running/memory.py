"""How much memory a run may take: what the machine has left, or the limit it was given."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tlm.config import units
from tlm.errors import ConfigError, MemoryLimitError, OutOfMemoryError

_MEMINFO = Path("/proc/meminfo")
_STATM = Path("/proc/self/statm")
_STATUS = Path("/proc/self/status")
_CGROUP = Path("/sys/fs/cgroup")
_OPTION = "--mem"
LIBRARY_BYTES = 64 << 20  # interpreter and libraries


def parse_memory(text: str | None) -> int | None:
    """Bytes written with their unit, such as ``2 GB``; None of no text.

    Raises:
        ConfigError: no number of bytes.
    """
    try:
        return None if text is None else int(units.parse(units.BYTES, text.strip()))
    except ValueError as error:
        raise ConfigError(f"{_OPTION}: {error}") from None


def require_memory(needed_bytes: int, limit_bytes: int | None, what: str) -> None:
    """Check that ``needed_bytes`` do not exceed the limit, or what the machine has left.

    Raises:
        MemoryLimitError: they do; the text says how much is needed and what to do.
    """
    allowed = available_bytes() if limit_bytes is None else limit_bytes
    if allowed is not None and needed_bytes > allowed:
        source = "are free" if limit_bytes is None else f"{_OPTION} allows"
        remedy = "free some" if limit_bytes is None else f"raise {_OPTION}"
        raise MemoryLimitError(
            f"{what} needs about {needed_bytes / 1e6:,.0f} MB of memory, {allowed / 1e6:,.0f} MB "
            f"{source}; {remedy}, or choose a smaller batch or fewer steps"
        )


def available_bytes() -> int | None:
    """What this process may still take, its present memory included; None where nobody says."""
    free = [nbytes for nbytes in (_free_bytes(), _cgroup_bytes()) if nbytes is not None]
    return min(free) + resident_bytes() if free else None


def resident_bytes() -> int:
    """Memory this process has in use; 0 where nobody says."""
    return _pages(1)


def peak_bytes() -> int:
    """The most memory this process has had in use.

    Not from the resource usage where it can be avoided: that counts what had been in use in the
    process that started this one.
    """
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@contextmanager
def within_memory(nbytes: int | None, what: str) -> Iterator[None]:
    """A :func:`memory_limit` whose end has words.

    Raises:
        MemoryLimitError: the program itself does not fit.
        OutOfMemoryError: it was reached; ``what`` says of which job, and when.
    """
    require_memory(max(resident_bytes(), LIBRARY_BYTES), nbytes, "the program itself")
    try:
        with memory_limit(nbytes):
            yield
    except MemoryError:
        raise OutOfMemoryError(
            f"{what}; raise {_OPTION}, or choose a smaller batch or fewer steps"
        ) from None


@contextmanager
def memory_limit(nbytes: int | None) -> Iterator[None]:
    """Let allocations fail with MemoryError once this process has grown to ``nbytes``.

    The limit is one of address space, as the system knows no other: room for what is allocated and
    not used yet counts as well. Without ``nbytes`` it is what the machine has left: a run that
    takes more ends in its own words, before the system kills some process. A lower limit of
    the process stays. Where the system has no such limit, nothing is changed.
    """
    nbytes = available_bytes() if nbytes is None else nbytes
    if nbytes is None or not _STATM.exists():
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_AS)
    largest = _pages(0) + max(0, nbytes - resident_bytes())
    if before[0] != resource.RLIM_INFINITY:
        largest = min(largest, before[0])
    resource.setrlimit(resource.RLIMIT_AS, (largest, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def _pages(column: int) -> int:
    """Address space (0) or resident memory (1) of this process in bytes."""
    if not _STATM.exists():
        return 0
    return int(_STATM.read_text().split()[column]) * resource.getpagesize()


def _free_bytes() -> int | None:
    if not _MEMINFO.exists():
        return None
    for line in _MEMINFO.read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _cgroup_bytes() -> int | None:
    """What the container's limit leaves (cgroup version 2); its cache of files can be dropped."""
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        used = int((_CGROUP / "memory.current").read_text())
        parts = (_CGROUP / "memory.stat").read_text().splitlines()
    except OSError:
        return None
    cached = sum(int(part.split()[1]) for part in parts if part.startswith("inactive_file "))
    return None if limit == "max" else max(0, int(limit) - used + cached)

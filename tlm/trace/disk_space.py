"""Disk space, asked for before HDF5 is: a failed write inside HDF5 cannot be recovered from."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

RESERVE_BYTES = 16 << 20  # left free on the disk for the summary of the run
AHEAD_BYTES = 16 << 20  # tried at a time: a trial takes 0.1 ms, and far more on a busy disk
METADATA_BYTES = 1 << 20  # more than HDF5's own bookkeeping of one append


class Room:
    """Disk space for a file that grows.

    Quotas and file size limits show only when space is really allocated, so where the system can,
    that is tried and undone, for more than is needed at once if there is more.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tried_bytes = 0  # a size that the file has had in a trial

    def require(self, nbytes: int) -> None:
        """Check that the file can grow by ``nbytes`` and the disk still has a reserve.

        Raises:
            OSError: it cannot.
        """
        if shutil.disk_usage(self._path.parent).free < RESERVE_BYTES + nbytes:
            raise OSError(f"{self._path.parent}: disk nearly full")
        if not hasattr(os, "posix_fallocate"):
            return
        needed = self._path.stat().st_size + nbytes + METADATA_BYTES
        if needed > self._tried_bytes:
            try:
                self._try(needed + AHEAD_BYTES)
            except OSError:
                self._try(needed)

    def _try(self, nbytes: int) -> None:
        descriptor = os.open(self._path, os.O_RDWR)
        try:
            size = os.fstat(descriptor).st_size
            try:
                os.posix_fallocate(descriptor, size, nbytes - size)
            finally:
                os.ftruncate(descriptor, size)
        finally:
            os.close(descriptor)
        self._tried_bytes = nbytes

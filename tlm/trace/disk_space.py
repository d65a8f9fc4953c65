"""Disk space, asked for before HDF5 is: a failed write inside HDF5 cannot be recovered from."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

RESERVE_BYTES = 16 << 20  # left free on the disk for the summary of the run
METADATA_BYTES = 1 << 20  # more than HDF5's own bookkeeping of one append


def require_space(path: Path, nbytes: int) -> None:
    """Check that ``path`` can grow by ``nbytes`` and the disk still has a reserve.

    Quotas and file size limits show only when space is really allocated, so where the system can,
    that is tried (0.1 ms) and undone.

    Raises:
        OSError: it cannot.
    """
    if shutil.disk_usage(path.parent).free < RESERVE_BYTES + nbytes:
        raise OSError(f"{path.parent}: disk nearly full")
    if not hasattr(os, "posix_fallocate"):
        return
    descriptor = os.open(path, os.O_RDWR)
    try:
        size = os.fstat(descriptor).st_size
        try:
            os.posix_fallocate(descriptor, size, nbytes + METADATA_BYTES)
        finally:
            os.ftruncate(descriptor, size)
    finally:
        os.close(descriptor)

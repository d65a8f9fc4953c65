"""Writes trace rows that can be checked until it is killed or its file may not grow.

Usage: endless_writer.py FILE [LIMIT_BYTES [unchecked]]. ``unchecked`` skips the look at the disk
before a write, so that HDF5 itself meets the limit.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from tlm.trace import TraceWriter, schema, writer

WORD = (1 << 64) - 1


def mixed(i: int) -> int:
    """48 bits that look random (splitmix64), so that compression has work to do."""
    x = (i * 0x9E3779B97F4A7C15) & WORD
    x = ((x ^ (x >> 31)) * 0xBF58476D1CE4E5B9) & WORD
    return x >> 16


def set_limit(nbytes: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (nbytes, hard))


def meet_the_limit_inside_hdf5() -> None:
    """A full disk, unlike a size limit, lets a file grow by a hole: lift the limit for that."""
    abandon = TraceWriter._abandon

    def abandon_without_limit(self: TraceWriter) -> None:
        set_limit(resource.RLIM_INFINITY)
        abandon(self)

    writer.Room.require = lambda room, nbytes: None
    TraceWriter._abandon = abandon_without_limit


def main(path: str) -> None:
    attrs = dict.fromkeys(schema.RUN_ATTRIBUTES, "x")
    out = TraceWriter(Path(path), "transaction", attrs, "name: x\n", [("chip.x", "fp")])
    print("ready", flush=True)
    i = 0
    while out.truncated is None:
        for _ in range(schema.CHUNK_ROWS // 8):
            out.transactions.append((i, i, i, i, i, 0, 0, 0, 0, 0, 0, 0, 64, mixed(i)))
            out.activity.append((0, i, i + 1, 0, 0, 0, 0, 0, 0, 0, mixed(i) & 0x7FFF_FFFF))
            i += 1
        out.flush_if_due()
    out.close(True)
    print(out.truncated, flush=True)


if __name__ == "__main__":
    if "unchecked" in sys.argv:
        meet_the_limit_inside_hdf5()
    if len(sys.argv) > 2:
        set_limit(int(sys.argv[2]))
    main(sys.argv[1])

"""Whole chunks of a table as HDF5 stores them behind its filters, in a fifth of the time.

Shuffled, the bytes of one place in all rows lie together (a plane). Half of the planes never
change. Those that change with nearly every row (low bytes of times and addresses) take deflate two
thirds of its time, for a tenth of the file: they are stored as they are. In the others runs alone
are sought. All lie within one stream; any reader of HDF5 takes it for gzip.

The compiled kernel makes the same bytes in ``tlm/compiled/rows_chunk.pxi``.
"""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

from tlm.trace.runs import deflated_run, deflated_runs

ZLIB_HEADER = b"\x78\x01"  # RFC 1950: deflate with a window of 32 KiB, fastest level
LAST_BLOCK = b"\x03\x00"  # RFC 1951: a block without a byte, the last one
STORED = b"\x00"  # RFC 1951: a block as it is, not the last one; its length follows
ONES = 0xFFFF  # the longest stored block
RESTLESS = 4  # a plane is stored if more than one byte of so many differs from that before it
LINE = 256  # words that are summed together


def chunk_bytes(rows: npt.NDArray[np.void]) -> bytearray:
    """Some rows, 1 to ``ONES``, as a chunk behind shuffle, gzip and fletcher32."""
    count = len(rows)
    planes = np.ascontiguousarray(rows.view(np.uint8).reshape(count, -1).T)
    stored_header = STORED + count.to_bytes(2, "little") + (ONES - count).to_bytes(2, "little")
    parts: list[bytes | memoryview] = [ZLIB_HEADER]
    for plane in planes:
        changes = np.count_nonzero(plane[1:] != plane[:-1])
        if RESTLESS * changes > count:
            parts += stored_header, plane.data
        else:
            parts.append(deflated_runs(plane) if changes else deflated_run(int(plane[0]), count))
    parts += LAST_BLOCK, zlib.adler32(planes.data).to_bytes(4, "big")
    stream = bytearray().join(parts)
    stream += fletcher32(stream).to_bytes(4, "little")
    return stream


def fletcher32(data: bytes | bytearray) -> int:
    """The checksum of HDF5: of 16-bit words, big-endian, by sums in ones' complement.

    A word counts once in the low half, and in the high half as often as there are words from it to
    the end. Sums of words whose bytes are swapped are the same, swapped (RFC 1071).
    """
    length = -(-len(data) // 2)
    words = np.frombuffer(data + bytes(-len(data) % (2 * LINE)), "<u2").reshape(-1, LINE)
    lines = words.sum(axis=1, dtype=np.int64)
    columns = words.sum(axis=0, dtype=np.int64)
    once = int(lines.sum())
    before = LINE * int(np.arange(len(lines)) @ lines) + int(np.arange(LINE) @ columns)
    return _folded(length * once - before) << 16 | _folded(once)


def _folded(total: int) -> int:
    swapped = (total - 1) % ONES + 1 if total else 0
    return (swapped & 0xFF) << 8 | swapped >> 8

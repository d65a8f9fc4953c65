"""Whole chunks of a table as HDF5 stores them behind its filters, in a third of the time.

Shuffled, the bytes of one place in all rows lie together (a plane). Half of the planes never
change: a run of one byte is deflated once and for all. Those that change with nearly every row (low
bytes of times and addresses) take deflate two thirds of its time, for a tenth of the file: they are
stored as they are. In the others deflate looks for runs alone, which takes half of the time and
leaves fewer bytes. All lie within one stream; any reader of HDF5 takes it for gzip.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from tlm.space.trace_rows import ShuffledRows
from tlm.trace.schema import GZIP_LEVEL

ZLIB_HEADER = b"\x78\x01"  # RFC 1950: deflate with a window of 32 KiB, fastest level
LAST_BLOCK = b"\x03\x00"  # RFC 1951: a block without a byte, the last one
STORED = b"\x00"  # RFC 1951: a block as it is, not the last one; its length follows
LENGTHS = 1 << 16  # of a stored block, and one more
ONES = 0xFFFF
RESTLESS = 4  # a plane is stored if more than one byte of so many differs from that before it
LINE = 256  # words that are summed together
RAW = -zlib.MAX_WBITS  # deflate without a header of its own


def shuffled(rows: npt.NDArray[np.void]) -> ShuffledRows:
    """Some rows, at least one, shuffled."""
    planes = np.ascontiguousarray(rows.view(np.uint8).reshape(len(rows), -1).T)
    changes = [int(np.count_nonzero(plane[1:] != plane[:-1])) for plane in planes]
    return ShuffledRows(
        rows[:1].tobytes(), changes, planes[np.array(changes) > 0], zlib.adler32(planes.data)
    )


def chunk_bytes(rows: ShuffledRows, checksum: Callable[[bytearray], int]) -> bytearray:
    """The rows of a chunk, fewer than ``LENGTHS``, behind shuffle, gzip and fletcher32.

    ``checksum`` is ``fletcher32`` or a faster twin of it.
    """
    count = rows.octets.shape[1]
    length = count.to_bytes(2, "little")
    stored_header = STORED + length + (ONES - count).to_bytes(2, "little")
    deflate, parts, octets = _deflate(), [ZLIB_HEADER], iter(rows.octets)
    for value, changes in zip(rows.first, rows.changes, strict=True):
        if not changes:
            parts.append(_run(value, count))
        elif RESTLESS * changes > count:
            parts += stored_header, next(octets).data
        else:
            parts += deflate.compress(next(octets).data), deflate.flush(zlib.Z_FULL_FLUSH)
    parts += LAST_BLOCK, rows.adler32.to_bytes(4, "big")
    stream = bytearray().join(parts)
    stream += checksum(stream).to_bytes(4, "little")
    return stream


@lru_cache(maxsize=1024)
def _run(value: int, count: int) -> bytes:
    """Deflate of ``count`` equal bytes."""
    deflate = _deflate()
    return deflate.compress(bytes([value]) * count) + deflate.flush(zlib.Z_FULL_FLUSH)


def _deflate() -> zlib._Compress:
    """What deflates planes; after a full flush nothing refers to what lies before it."""
    return zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, RAW, zlib.DEF_MEM_LEVEL, zlib.Z_RLE)


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

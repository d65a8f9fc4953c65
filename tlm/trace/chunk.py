"""Whole chunks of a table as HDF5 stores them behind its filters, in a third of the time.

Shuffled, the bytes of one place in all rows lie together (a plane). Half of the planes never
change: a run of one byte is deflated once and for all. Those that change with nearly every row (low
bytes of times and addresses) take deflate two thirds of its time, for a tenth of the file: they are
stored as they are. In the others deflate looks for runs alone, which takes half of the time and
leaves fewer bytes. All lie within one stream; any reader of HDF5 takes it for gzip.
"""

from __future__ import annotations

import zlib
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
RAW = -zlib.MAX_WBITS  # deflate without a header of its own


def shuffled(rows: npt.NDArray[np.void]) -> ShuffledRows:
    """Some rows, at least one, shuffled."""
    planes = np.ascontiguousarray(rows.view(np.uint8).reshape(len(rows), -1).T)
    changes = [int(np.count_nonzero(plane[1:] != plane[:-1])) for plane in planes]
    return ShuffledRows(
        rows[:1].tobytes(), changes, planes[np.array(changes) > 0], zlib.adler32(planes.data)
    )


def chunk_bytes(rows: ShuffledRows) -> bytes:
    """The rows of a chunk, fewer than ``LENGTHS``, behind shuffle, gzip and fletcher32."""
    count = rows.octets.shape[1]
    length = count.to_bytes(2, "little")
    stored_header = STORED + length + (ONES - count).to_bytes(2, "little")
    deflate, parts, octets = _deflate(), [ZLIB_HEADER], iter(rows.octets)
    for value, changes in zip(rows.first, rows.changes, strict=True):
        if not changes:
            parts.append(_run(value, count))
        elif 2 * changes > count:
            parts += stored_header, next(octets).data
        else:
            parts += deflate.compress(next(octets).data), deflate.flush(zlib.Z_FULL_FLUSH)
    parts += LAST_BLOCK, rows.adler32.to_bytes(4, "big")
    stream = b"".join(parts)
    return stream + fletcher32(stream).to_bytes(4, "little")


@lru_cache(maxsize=1024)
def _run(value: int, count: int) -> bytes:
    """Deflate of ``count`` equal bytes."""
    deflate = _deflate()
    return deflate.compress(bytes([value]) * count) + deflate.flush(zlib.Z_FULL_FLUSH)


def _deflate() -> zlib._Compress:
    """What deflates planes; after a full flush nothing refers to what lies before it."""
    return zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, RAW, zlib.DEF_MEM_LEVEL, zlib.Z_RLE)


def fletcher32(data: bytes) -> int:
    """The checksum of HDF5: of 16-bit words, big-endian, by sums in ones' complement."""
    words = np.frombuffer(data + b"\0" * (len(data) % 2), ">u2").astype(np.int64)
    after = np.arange(len(words), 0, -1)  # how often each counts in the sum of sums
    once, often = int(words.sum()), int(words @ after)
    return _folded(often) << 16 | _folded(once)


def _folded(total: int) -> int:
    return (total - 1) % ONES + 1 if total else 0

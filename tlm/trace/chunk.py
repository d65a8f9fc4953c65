"""Whole chunks of a table as HDF5 stores them behind its filters, in half of the time.

Shuffled, the bytes of one place in all rows lie together (a plane). Those that change with every
row (low bytes of times and addresses) take deflate two thirds of its time, for a tenth of the file.
So they are stored as they are, within the same stream; any reader of HDF5 takes it for gzip.
"""

from __future__ import annotations

import zlib
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from tlm.trace.schema import GZIP_LEVEL

STORED = 0  # a level of deflate
ZLIB_HEADER = b"\x78\x01"  # RFC 1950: deflate with a window of 32 KiB, fastest level
LAST_BLOCK = b"\x03\x00"  # RFC 1951: a block without a byte, the last one
ONES = 0xFFFF
RAW = -zlib.MAX_WBITS  # deflate without a header of its own


def chunk_bytes(rows: npt.NDArray[np.void]) -> bytes:
    """The rows of a chunk behind shuffle, gzip and fletcher32."""
    planes = np.ascontiguousarray(rows.view(np.uint8).reshape(len(rows), -1).T)
    changes = np.count_nonzero(planes[:, 1:] != planes[:, :-1], axis=1)
    restless: list[bool] = (2 * changes > len(rows)).tolist()
    parts, first = [ZLIB_HEADER], 0
    for is_restless, alike in groupby(restless):
        end = first + sum(1 for _ in alike)
        parts.append(_blocks(planes[first:end], STORED if is_restless else GZIP_LEVEL))
        first = end
    parts += LAST_BLOCK, zlib.adler32(planes.data).to_bytes(4, "big")
    stream = b"".join(parts)
    return stream + fletcher32(stream).to_bytes(4, "little")


def _blocks(planes: npt.NDArray[Any], level: int) -> bytes:
    """Deflate of some planes, to be continued by blocks that do not refer to these."""
    deflate = zlib.compressobj(level, zlib.DEFLATED, RAW)
    return deflate.compress(planes.data) + deflate.flush(zlib.Z_FULL_FLUSH)


def fletcher32(data: bytes) -> int:
    """The checksum of HDF5: of 16-bit words, big-endian, by sums in ones' complement."""
    words = np.frombuffer(data + b"\0" * (len(data) % 2), ">u2").astype(np.int64)
    after = np.arange(len(words), 0, -1)  # how often each counts in the sum of sums
    once, often = int(words.sum()), int(words @ after)
    return _folded(often) << 16 | _folded(once)


def _folded(total: int) -> int:
    return (total - 1) % ONES + 1 if total else 0

"""Reading a trace whose writer lives or was killed, without HDF5's SWMR mode.

Such a file is marked as being written, and HDF5 opens it in SWMR mode alone. There it takes every
wrong check sum for a write in progress and tries again, longer each time, for ever: a damaged file
would hang its reader. So the file is read through a view that shows it as closed: the mark in the
superblock removed, the end of the file set to where it is. The order in which a SWMR writer writes
keeps what the file refers to in place.

Layout and check sum of a superblock of version 3: HDF5 File Format Specification 3.0, II.A and
Jenkins' lookup3 (H5checksum.c).
"""

from __future__ import annotations

import io
from pathlib import Path
from struct import Struct

_SUPERBLOCK = Struct("<8sBBBBQQQQI")
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_WORD = 0xFFFFFFFF


class Unclosed(io.RawIOBase):
    """A seekable, read-only view of an unclosed file as if it had been closed.

    Raises:
        OSError: the file cannot be read.
        ValueError: it does not begin with a superblock of version 3, whole and unchanged.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = path.open("rb")
        try:
            size = path.stat().st_size
            self._head = _closed(self._file.read(_SUPERBLOCK.size), size)
        except BaseException:
            self._file.close()
            raise

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As every file's."""
        return self._file.seek(offset, whence)

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read the file, with another head."""
        at = self._file.tell()
        count = self._file.readinto(buffer)
        if at < len(self._head):
            shown = self._head[at : at + count]
            memoryview(buffer)[: len(shown)] = shown
        return count

    def close(self) -> None:
        """Close the file itself."""
        self._file.close()
        super().close()


def _closed(head: bytes, size: int) -> bytes:
    """The superblock without the marks of a writer, ending at ``size``."""
    if len(head) < _SUPERBLOCK.size:
        raise ValueError("cut short within the superblock")
    signature, version, offsets, lengths, _, base, extension, end, root, seal = _SUPERBLOCK.unpack(
        head
    )
    if signature != _SIGNATURE or (version, offsets, lengths) != (3, 8, 8):
        raise ValueError("another superblock than a trace begins with")
    if seal != lookup3(head[:-4]):
        raise ValueError("the superblock does not have its check sum")
    if size < end:
        raise ValueError(f"cut short, {size} bytes of {end}")
    closed = _SUPERBLOCK.pack(signature, version, 8, 8, 0, base, extension, size, root, 0)[:-4]
    return closed + lookup3(closed).to_bytes(4, "little")


def lookup3(data: bytes) -> int:
    """Bob Jenkins' lookup3 (2006, public domain) of ``data``, 32 bit, as HDF5 seals with it."""
    a = b = c = 0xDEADBEEF + len(data) & _WORD
    blocks = [data[at : at + 12].ljust(12, b"\0") for at in range(0, len(data), 12)]
    for block in blocks:
        a = a + int.from_bytes(block[:4], "little") & _WORD
        b = b + int.from_bytes(block[4:8], "little") & _WORD
        c = c + int.from_bytes(block[8:], "little") & _WORD
        if block is not blocks[-1]:
            for turn in (4, 6, 8, 16, 19, 4):
                a = (a - c & _WORD) ^ _turned(c, turn)
                c = c + b & _WORD
                a, b, c = b, c, a
    for turn in (14, 11, 25, 16, 4, 14, 24):
        c = (c ^ b) - _turned(b, turn) & _WORD
        a, b, c = b, c, a
    return b


def _turned(word: int, by: int) -> int:
    return (word << by | word >> 32 - by) & _WORD

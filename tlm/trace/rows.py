"""Rows of a table on their way into the file: what the model appends to and the writer takes from.

The compiled kernel has a buffer of its own with the same methods, whose rows lie in memory as they
do in the file.
"""

from __future__ import annotations

import struct
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tlm.errors import TraceError
from tlm.trace.chunk import chunk_bytes

_STRUCT_CODES = {"<i8": "q", "<i4": "i", "<u4": "I", "<i2": "h", "|u1": "B"}


class Rows(Protocol):
    """Rows of one table that the writer has not taken yet."""

    def __len__(self) -> int: ...

    def clear(self) -> None:
        """Drop all rows."""

    def take(self, count: int) -> npt.NDArray[np.void]:
        """Remove the first rows and return them; raises TraceError if a value does not fit."""

    def take_chunk(self, count: int) -> bytearray | npt.NDArray[np.uint8]:
        """As ``take``, as a chunk of the file; it is valid until the next one is taken."""

    def keep_window(self, first: str, last: str, begin_ps: int, end_ps: int) -> None:
        """Drop the new rows whose time, from column ``first`` to ``last``, is out of a window."""


class RowList(list[tuple[int, ...]]):
    """Rows as tuples in the order of the table's columns; appending one costs about 60 ns."""

    def __init__(self, table: str, dtype: np.dtype[np.void]) -> None:
        super().__init__()
        self._table = table
        self._dtype = dtype
        self._looked_at = 0  # rows known to lie in the window
        # struct packs a row in 220 ns and refuses what does not fit; numpy needs 420 ns.
        self._pack = struct.Struct(_struct_format(dtype)).pack

    def clear(self) -> None:
        """Drop all rows."""
        super().clear()
        self._looked_at = 0

    def take(self, count: int) -> npt.NDArray[np.void]:
        """Remove the first rows and return them.

        Raises:
            TraceError: a value does not fit its column.
        """
        rows, pack = self[:count], self._pack
        try:
            packed = b"".join([pack(*row) for row in rows])
        except struct.error:
            for row in rows:
                self._check_row(row)
            raise
        del self[:count]
        self._looked_at -= min(count, self._looked_at)
        return np.frombuffer(packed, dtype=self._dtype)

    def take_chunk(self, count: int) -> bytearray:
        """As ``take``, as a chunk of the file."""
        return chunk_bytes(self.take(count))

    def keep_window(self, first: str, last: str, begin_ps: int, end_ps: int) -> None:
        """Drop the new rows that end before a window or begin after it."""
        names, known = self._dtype.names or (), self._looked_at
        begin, end = names.index(first), names.index(last)
        self[known:] = [r for r in self[known:] if r[begin] < end_ps and r[end] > begin_ps]
        self._looked_at = len(self)

    def _check_row(self, row: tuple[int, ...]) -> None:
        names = self._dtype.names or ()
        if len(row) != len(names):
            raise TraceError(f"trace {self._table}: {len(row)} values in a row of {len(names)}")
        for name, value in zip(names, row, strict=True):
            limits = np.iinfo(self._dtype[name])
            if not limits.min <= value <= limits.max:
                raise TraceError(
                    f"trace {self._table}: {name} = {value} does not fit its column "
                    f"({limits.min} to {limits.max}); switch the trace off for this job"
                )


def _struct_format(dtype: np.dtype[np.void]) -> str:
    """The packed little-endian ``struct`` format of a compound dtype."""
    return "<" + "".join(_STRUCT_CODES[dtype[name].str] for name in dtype.names or ())

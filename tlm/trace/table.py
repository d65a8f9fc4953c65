"""Table: one appendable table of the trace, filled from a plain list of row tuples."""

from __future__ import annotations

import struct

import h5py
import numpy as np

from tlm.errors import TraceError
from tlm.trace import schema
from tlm.trace.limits import Window

_STRUCT_CODES = {"<i8": "q", "<i4": "i", "<u4": "I", "<i2": "h", "|u1": "B"}


class Table:
    """A compound dataset that grows by whole chunks.

    Args:
        file: the file being created.
        name: a key of ``schema.TABLES``.
        rows: the list the model appends to; ``append`` takes rows from its front.
        recorded: False to keep the table empty and drop its rows.
        window_ps: record only rows that overlap it; None records all.
    """

    def __init__(
        self,
        file: h5py.File,
        name: str,
        rows: list[tuple[int, ...]],
        *,
        recorded: bool,
        window_ps: Window | None,
    ) -> None:
        self._name = name
        self._dtype = schema.TABLES[name]
        self._rows = rows
        self._recorded = recorded
        self._window_ps = window_ps
        self._looked_at = 0  # rows of the list known to lie in the window
        # struct packs a row in 220 ns and refuses what does not fit; numpy needs 420 ns.
        self._pack = struct.Struct(_struct_format(self._dtype)).pack
        self.dataset = file.create_dataset(
            name,
            shape=(0,),
            maxshape=(None,),
            dtype=self._dtype,
            chunks=(schema.CHUNK_ROWS,),
            compression="gzip",
            compression_opts=schema.GZIP_LEVEL,
            shuffle=True,
            fletcher32=True,
        )
        for attribute, names in schema.ENUM_ATTRIBUTES[name].items():
            self.dataset.attrs[attribute] = np.array(names, dtype="S")
        self.committed = 0

    @property
    def pending_bytes(self) -> int:
        """Size of the rows not yet in the file, before compression."""
        return len(self._rows) * self._dtype.itemsize

    def drop_unwanted(self) -> None:
        """Drop the rows that are not to be recorded: all of them, or those outside the window."""
        if not self._recorded:
            self._rows.clear()
        elif self._window_ps is not None:
            self._keep_window(*self._window_ps)

    def append(self, *, partial: bool) -> None:
        """Move the whole chunks, or with ``partial`` every row, from the list to the dataset.

        Raises:
            TraceError: a value does not fit its column.
            OSError: the file cannot grow.
        """
        count = len(self._rows)
        if not partial:
            count -= count % schema.CHUNK_ROWS
        if count == 0:
            return
        data = np.frombuffer(self._packed(self._rows[:count]), dtype=self._dtype)
        self.dataset.resize((self.committed + count,))
        self.dataset[self.committed :] = data
        self.committed += count
        del self._rows[:count]
        self._looked_at -= min(count, self._looked_at)

    def _keep_window(self, begin_ps: int, end_ps: int) -> None:
        """Drop the new rows that end before the window or begin after it."""
        columns = self._dtype.names or ()
        first, last = map(columns.index, schema.SPANS[self._name])
        rows, known = self._rows, self._looked_at
        rows[known:] = [r for r in rows[known:] if r[first] < end_ps and r[last] > begin_ps]
        self._looked_at = len(rows)

    def _packed(self, rows: list[tuple[int, ...]]) -> bytes:
        pack = self._pack
        try:
            return b"".join([pack(*row) for row in rows])
        except struct.error:
            for row in rows:
                self._check_row(row)
            raise

    def _check_row(self, row: tuple[int, ...]) -> None:
        names = self._dtype.names or ()
        if len(row) != len(names):
            raise TraceError(f"trace {self._name}: {len(row)} values in a row of {len(names)}")
        for name, value in zip(names, row, strict=True):
            limits = np.iinfo(self._dtype[name])
            if not limits.min <= value <= limits.max:
                raise TraceError(
                    f"trace {self._name}: {name} = {value} does not fit its column "
                    f"({limits.min} to {limits.max}); switch the trace off for this job"
                )


def _struct_format(dtype: np.dtype[np.void]) -> str:
    """The packed little-endian ``struct`` format of a compound dtype."""
    return "<" + "".join(_STRUCT_CODES[dtype[name].str] for name in dtype.names or ())

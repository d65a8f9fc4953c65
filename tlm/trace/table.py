"""Table: one appendable table of the trace, filled from the rows that the model leaves."""

from __future__ import annotations

import h5py
import numpy as np

from tlm.trace import schema
from tlm.trace.limits import TraceWindow
from tlm.trace.rows import Rows


class Table:
    """A compound dataset that grows by whole chunks.

    Args:
        file: the file being created.
        name: a key of ``schema.TABLES``.
        rows: what the model appends to; ``append`` takes rows from its front.
        recorded: False to keep the table empty and drop its rows.
        window_ps: record only rows that overlap it; None records all.
    """

    def __init__(
        self,
        file: h5py.File,
        name: str,
        rows: Rows,
        *,
        recorded: bool,
        window_ps: TraceWindow | None,
    ) -> None:
        self._name = name
        self._dtype = schema.TABLES[name]
        self._rows = rows
        self._recorded = recorded
        self._window_ps = window_ps
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
            self._rows.keep_window(*schema.SPANS[self._name], *self._window_ps)

    def append(self, *, partial: bool) -> None:
        """Move the whole chunks, or with ``partial`` every row, to the dataset.

        Raises:
            TraceError: a value does not fit its column.
            OSError: the file cannot grow.
        """
        for _ in range(len(self._rows) // schema.CHUNK_ROWS):
            chunk = self._rows.take_chunk(schema.CHUNK_ROWS)
            self.dataset.id.set_extent((self.committed + schema.CHUNK_ROWS,))
            self.dataset.id.write_direct_chunk((self.committed,), chunk)
            self.committed += schema.CHUNK_ROWS
        if partial and len(self._rows):
            rest = self._rows.take(len(self._rows))
            self.dataset.resize((self.committed + len(rest),))
            self.dataset[self.committed :] = rest
            self.committed += len(rest)

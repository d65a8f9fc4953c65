"""Row pointers: where the entries of each row lie in a table that holds row after row."""

from __future__ import annotations

import numpy as np

from tlm.space.array_types import Ints
from tlm.synapses.packing import packed
from tlm.synapses.tables import PackedTable, SynapseTable


def pointer_table(name: str, rows: int, entries: int) -> SynapseTable:
    """A pointer for each row: where it ends. It begins where the row before it ends.

    A pointer may be as large as the number of ``entries`` itself.
    """
    return SynapseTable(name, rows, entries.bit_length())


def packed_pointers(name: str, lengths: Ints) -> PackedTable:
    """The pointers of rows of ``lengths`` entries."""
    return packed(name, np.cumsum(lengths), int(lengths.sum()).bit_length())


def row_lengths(ends: Ints) -> Ints:
    """Entries of each row, from its pointers."""
    return np.diff(ends, prepend=0)

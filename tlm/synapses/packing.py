"""Numbers of any width as packed bits, and back; how wide a number must be."""

from __future__ import annotations

import numpy as np

from tlm.space.array_types import Ints
from tlm.synapses.tables import PackedTable, SynapseTable


def index_bits(count: int) -> int:
    """Bits of an index into ``count`` places: the least that tell 0 to count - 1 apart."""
    return max(0, count - 1).bit_length()


def packed(name: str, values: Ints, width: int) -> PackedTable:
    """A table of ``values``, and their lowest ``width`` bits one behind the other."""
    values = values.ravel()
    bits = np.empty((values.size, width), np.uint8)
    for place in range(width):
        bits[:, width - 1 - place] = (values >> place) & 1
    return PackedTable(SynapseTable(name, values.size, width), np.packbits(bits))


def unpacked(packed: PackedTable) -> Ints:
    """The entries of a table as numbers that are not negative."""
    table = packed.table
    bits = np.unpackbits(packed.data, count=table.bits).reshape(table.words, table.width)
    values = np.zeros(table.words, np.int64)
    for place in range(table.width):
        values = (values << 1) | bits[:, place]
    return values


def signed(values: Ints, width: int) -> Ints:
    """Entries of ``width`` bits read as two's complement, as weights are stored."""
    return np.where(values >> (width - 1), values - (1 << width), values)

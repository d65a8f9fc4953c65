"""The tables of a synapse memory: how large each is, and what bits it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tlm.space.array_types import Octets


@dataclass(frozen=True)
class SynapseTable:
    """One physical table: ``words`` entries of ``width`` bits each.

    A table whose entries need no bits at all (the pointers into an empty table) has width 0.
    """

    name: str
    words: int
    width: int

    @property
    def bits(self) -> int:
        """Bits that its entries take, without any rounding to the words of a memory."""
        return self.words * self.width


@dataclass(frozen=True, eq=False)
class Encoded:
    """The contents of a synapse memory: for each of ``tables`` its entries, packed, in ``data``.

    ``shape`` is that of the weights, ``width`` the bits of a weight: what the core's registers
    know beside the memory. Entries follow each other without a gap, the highest bit first; the last
    byte of a table is filled with zeros.
    """

    shape: tuple[int, ...]
    width: int
    tables: tuple[SynapseTable, ...]
    data: tuple[Octets, ...]

    @property
    def bits(self) -> int:
        """Bits of all tables."""
        return total_bits(self.tables)


def total_bits(tables: Sequence[SynapseTable]) -> int:
    """Bits of several tables."""
    return sum(table.bits for table in tables)

"""The tables of a synapse memory: how large each is, and what bits it holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tlm.space.array_types import Octets


@dataclass(frozen=True)
class SynapseTable:
    """One physical table: ``words`` entries of ``width`` bits each.

    A table whose entries need no bits at all (indices into a single place) has width 0.
    """

    name: str
    words: int
    width: int

    @property
    def bits(self) -> int:
        """Bits that its entries take, without any rounding to the words of a memory."""
        return self.words * self.width


@dataclass(frozen=True, eq=False)
class PackedTable:
    """A table and its entries without a gap, highest bit first; zeros fill the last byte."""

    table: SynapseTable
    data: Octets


@dataclass(frozen=True, eq=False)
class Encoded:
    """The contents of a synapse memory, table by table.

    ``shape`` is that of the weights, ``width`` the bits of a weight: what the core's registers know
    beside the memory.
    """

    shape: tuple[int, ...]
    width: int
    contents: tuple[PackedTable, ...]

    @property
    def tables(self) -> tuple[SynapseTable, ...]:
        """The tables without their contents."""
        return tuple(packed.table for packed in self.contents)


def total_bits(tables: Iterable[SynapseTable]) -> int:
    """Bits of several tables."""
    return sum(table.bits for table in tables)

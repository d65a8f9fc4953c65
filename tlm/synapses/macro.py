"""What an access to a memory costs, by the macro that holds it: steps, and no smooth law.

A memory of few words is a register file. Any other is an array of a shape from the table: rows are
a power of two, columns are as many as the bits then need. Where a shape is full the next one has
other rows, and so other columns to charge: the step. Only the capacity counts, as in the published
figures, where a weight of 8 bits at density 0.25 costs that of 2 bits at density 1 within 2 %.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt

from tlm.config.tables.synapse_memory import (
    ArrayPrice,
    RegisterPrice,
    Sram,
    SynapseMemoryTable,
)
from tlm.space.rounding import ceil_div
from tlm.synapses.tables import SynapseTable

_KIB = 1024


@dataclass(frozen=True)
class Macro:
    """The memory that holds a table: its shape, and energy and time of an access.

    A register file has one row; its access ends within the controller's cycle.
    """

    rows: int
    columns: float
    read_pj: float
    write_pj: float
    read_ps: float
    write_ps: float


def macro(memory: SynapseTable, table: SynapseMemoryTable) -> Macro:
    """The macro for ``memory``; one without bits costs nothing."""
    if not memory.bits:
        return Macro(0, 0, 0, 0, 0, 0)
    kib = memory.bits / _KIB
    registers = table.register_file
    if memory.words <= registers.most_words:
        read, write = (_register_pj(kib, price) for price in (registers.read, registers.write))
        return Macro(1, memory.bits, read, write, 0, 0)
    return _array(memory, table.sram)


def _array(memory: SynapseTable, sram: Sram) -> Macro:
    """One array, or as many as a wide word takes side by side."""
    arrays = ceil_div(memory.width, sram.most_width)
    bits = memory.bits / arrays
    kib, rows = bits / _KIB, array_rows(bits, sram)
    columns = bits / rows
    read, write = (arrays * _array_pj(kib, columns, price) for price in (sram.read, sram.write))
    read_ps = sram.access.fixed + sram.access.root_kib * sqrt(kib)
    return Macro(rows, arrays * columns, read, write, read_ps, read_ps * sram.access.write_factor)


def array_rows(bits: float, sram: Sram) -> int:
    """Rows of the first shape that is wide enough for ``bits``."""
    return next(rows for rows, columns in _shapes(sram) if bits <= rows * columns)


def _shapes(sram: Sram) -> Iterator[tuple[int, int]]:
    """Rows and most columns of every shape, then of the last one with ever doubled rows."""
    yield from ((shape.rows, shape.columns) for shape in sram.shapes)
    last = sram.shapes[-1]
    rows = last.rows
    while True:
        rows *= 2
        yield rows, last.columns


def _register_pj(kib: float, price: RegisterPrice) -> float:
    return price.fixed + price.kib * kib


def _array_pj(kib: float, columns: float, price: ArrayPrice) -> float:
    return price.fixed + price.root_kib * sqrt(kib) + price.column * columns

"""DRAM bytes by class of tensor beside their bounds, in rows for a screen or a page."""

from __future__ import annotations

from typing import NamedTuple

from tlm.quantity_text import nbytes_text
from tlm.trace.summary import DramPart

FIRST_WAY = "V1"  # the bound that stands beside every class of tensor
SMALL = 0.005  # share of the traffic below which a class is one of the others

CLASS_HEADS = ("tensor", "read", "written", FIRST_WAY, f"moved / {FIRST_WAY}")
BOUND_HEADS = ("bound", "bytes", "moved / bound")


class _Amounts(NamedTuple):
    read: int
    written: int
    bound: int


def class_rows(dram: DramPart) -> list[tuple[str, ...]]:
    """Bytes read and written of each class, most first, and by V1; then those of all."""
    bound = dram.bounds.get(FIRST_WAY, {})
    read, written = dram.read_by_tensor, dram.written_by_tensor
    classes = {
        name: _Amounts(read.get(name, 0), written.get(name, 0), bound.get(name, 0))
        for name in sorted(read | written | bound)
    }
    large = {name: amounts for name, amounts in classes.items() if _is_large(amounts, dram.nbytes)}
    rows = sorted(large.items(), key=lambda item: -item[1].read - item[1].written)
    small = [amounts for name, amounts in classes.items() if name not in large]
    if small:
        rows.append(("others", _sum(small)))
    if classes:
        rows.append(("all", _sum(list(classes.values()))))
    return [_row(name, amounts) for name, amounts in rows]


def bound_rows(dram: DramPart) -> list[tuple[str, ...]]:
    """All bytes by each bound, and what was moved as a multiple of it."""
    totals = {way: sum(by_class.values()) for way, by_class in dram.bounds.items()}
    totals["least"] = dram.least
    return [
        (name, nbytes_text(nbytes), _ratio(dram.nbytes, nbytes)) for name, nbytes in totals.items()
    ]


def _is_large(amounts: _Amounts, nbytes: int) -> bool:
    return max(amounts.read + amounts.written, amounts.bound) >= SMALL * nbytes


def _sum(amounts: list[_Amounts]) -> _Amounts:
    return _Amounts(*(sum(column) for column in zip(*amounts, strict=True)))


def _row(name: str, amounts: _Amounts) -> tuple[str, ...]:
    ratio = _ratio(amounts.read + amounts.written, amounts.bound)
    return (name, *(nbytes_text(nbytes) for nbytes in amounts), ratio)


def _ratio(moved: int, bound: int) -> str:
    return f"{moved / bound:.2f}" if bound else "-"

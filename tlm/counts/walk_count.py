"""What a walk adds up to: slots, cycles, operations and words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from tlm.space.array_types import Ints

WeightTile = tuple[int, int, int]  # first output channel, first input channel, tap
Number = TypeVar("Number", int, Ints)


@dataclass(slots=True)
class WalkCount(Generic[Number]):
    """What one group of weight tiles costs at the positions of a block, or arrays of many such.

    ``slots`` before skipping, ``scanned`` those not in skipped slices, ``executed`` those left;
    multiply-accumulates of all slots (``dense``), of executed ones (``macs``), and of those with
    no zero operand and a needed result (``useful``); ``lane_slots`` executed by single lanes in
    mode ``element``. Words move between array and buffers: ``row_words`` of the operand along the
    rows, ``other_words`` of the other one (FP, BP: weights, WG: dY), and sums in and out;
    ``fresh`` sums are the first of their output, to which nothing is added, ``weightless`` those of
    them whose column stores no weight in the tile where they begin; ``merged`` sums of different
    lanes are added up in the end.
    """

    cycles: Number
    slots: Number
    scanned: Number
    executed: Number
    dense: Number
    macs: Number
    useful: Number
    lane_slots: Number
    row_words: Number
    other_words: Number
    sum_reads: Number
    sum_writes: Number
    fresh: Number
    weightless: Number
    merged: Number

    def merge(self, sums: Number, outputs: Number) -> None:
        """Read ``sums`` of all lanes, add them up, write ``outputs``."""
        self.sum_reads += sums
        self.sum_writes += outputs
        self.merged += sums - outputs


class Entry(NamedTuple):
    """Weight tiles that are walked together, and what they cost at the positions of a block."""

    tiles: list[WeightTile]
    cost: WalkCount[int]


FIELDS = tuple(field.name for field in fields(WalkCount))


def empty_entry() -> Entry:
    """An entry without positions."""
    return Entry([], WalkCount(**dict.fromkeys(FIELDS, 0)))


def table_of(blocks: Sequence[Sequence[Entry]]) -> WalkCount[Ints]:
    """Entries of several blocks as arrays [block, entry]."""
    table = np.array([[astuple(entry.cost) for entry in block] for block in blocks], np.int64)
    return WalkCount(**dict(zip(FIELDS, np.moveaxis(table, -1, 0), strict=True)))


def chained(counts: Sequence[WalkCount[Ints]]) -> WalkCount[Ints]:
    """Arrays of entries one after the other along their last axis."""
    if len(counts) == 1:
        return counts[0]
    return _by_field(lambda *parts: np.concatenate(parts, axis=-1), *counts)


def summed(count: WalkCount[Ints], starts: Ints) -> WalkCount[Ints]:
    """Sums over entries, from each of ``starts`` to before the next."""
    if len(starts) == count.cycles.shape[-1]:
        return count
    return _by_field(lambda field: np.add.reduceat(field, starts, axis=-1), count)


def some_blocks(count: WalkCount[Ints], blocks: Sequence[int]) -> WalkCount[Ints]:
    """The arrays [block, entry] of some blocks, in the order of their numbers."""
    if len(blocks) == len(count.cycles):
        return count
    return _by_field(lambda field: field[blocks], count)


def flat(count: WalkCount[Ints]) -> WalkCount[Ints]:
    """Arrays [block, group, entry] as [block, entry]."""
    return _by_field(lambda field: field.reshape(len(field), -1), count)


def of_one_shape(count: WalkCount[Ints]) -> WalkCount[Ints]:
    """Arrays of the fields' common shape, each of which can be changed without the others."""
    values = np.broadcast_arrays(*(getattr(count, name) for name in FIELDS))
    return WalkCount(
        **{name: np.array(value, np.int64) for name, value in zip(FIELDS, values, strict=True)}
    )


def _by_field(function: Callable[..., Ints], *counts: WalkCount[Ints]) -> WalkCount[Ints]:
    return WalkCount(
        **{name: function(*(getattr(count, name) for count in counts)) for name in FIELDS}
    )

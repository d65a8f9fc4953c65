"""One engine's array, what it walks over, and what a walk adds up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Generic, TypeVar

import numpy as np

from tlm.counts.engine_array import EngineArray
from tlm.counts.operands import Operands
from tlm.space.array_types import Bools, Ints

WeightTile = tuple[int, int, int]  # first output channel, first input channel, tap
Number = TypeVar("Number", int, Ints)


@dataclass(slots=True)
class WalkCount(Generic[Number]):
    """What one group of weight tiles costs at the positions of a block, or arrays of many such.

    ``slots`` before skipping, ``scanned`` those not in skipped slices, ``executed`` those left;
    multiply-accumulates of all slots (``dense``), of executed ones (``macs``), and of those with
    no zero operand and a needed result (``useful``); ``lane_slots`` executed by single lanes in
    mode ``element``. Words move between array and buffers: the operands, and the sums in and out;
    ``fresh`` sums are the first of their output, to which nothing is added; ``merged`` sums of
    different lanes are added up in the end.
    """

    cycles: Number
    slots: Number
    scanned: Number
    executed: Number
    dense: Number
    macs: Number
    useful: Number
    lane_slots: Number
    first_words: Number
    other_words: Number
    sum_reads: Number
    sum_writes: Number
    fresh: Number
    merged: Number

    def merge(self, sums: Number, outputs: Number) -> None:
        """Read ``sums`` of all lanes, add them up, write ``outputs``."""
        self.sum_reads += sums
        self.sum_writes += outputs
        self.merged += sums - outputs


Entry = tuple[list[WeightTile], WalkCount[int]]  # weight tiles walked together, what they cost


def nothing() -> Entry:
    """An entry without positions."""
    return [], WalkCount(*[0] * 14)


def table_of(blocks: Sequence[Sequence[Entry]]) -> WalkCount[Ints]:
    """Entries of several blocks as arrays [block, entry]."""
    table = np.array([[astuple(walked) for _, walked in block] for block in blocks], np.int64)
    return WalkCount(*np.moveaxis(table, -1, 0))


def chained(walked: Sequence[WalkCount[Ints]]) -> WalkCount[Ints]:
    """Arrays of entries one after the other along their last axis."""
    if len(walked) == 1:
        return walked[0]
    fields = zip(*map(_fields, walked), strict=True)
    return WalkCount(*(np.concatenate(field, axis=-1) for field in fields))


def summed(walked: WalkCount[Ints], starts: Ints) -> WalkCount[Ints]:
    """Sums over entries, from each of ``starts`` to before the next."""
    if len(starts) == walked.cycles.shape[-1]:
        return walked
    return WalkCount(*(np.add.reduceat(field, starts, axis=-1) for field in _fields(walked)))


def some_blocks(walked: WalkCount[Ints], blocks: slice) -> WalkCount[Ints]:
    """The arrays [block, entry] of some blocks."""
    return WalkCount(*(field[blocks] for field in _fields(walked)))


def flat(walked: WalkCount[Ints]) -> WalkCount[Ints]:
    """Arrays [block, group, entry] as [block, entry]."""
    return WalkCount(*(field.reshape(len(field), -1) for field in _fields(walked)))


def _fields(walked: WalkCount[Ints]) -> list[Ints]:
    return [getattr(walked, name) for name in walked.__slots__]


@dataclass(frozen=True, slots=True)
class Shape:
    """What an engine walks, whatever the block: taps, and channels by groups.

    ``origins`` are the first channels of first and second, ``backward`` says that first are output
    channels; ``depths`` and ``widths`` are the channels of each group of ``first`` and ``second``.
    """

    array: EngineArray
    taps: tuple[int, ...]
    origins: tuple[int, int]
    backward: bool
    depths: Ints
    widths: Ints

    @property
    def under(self) -> list[tuple[int, int]]:
        """(First group, tap index) in the order of the nests."""
        return [(f, t) for f in range(len(self.depths)) for t in range(len(self.taps))]

    def tiles(self, group: int, under: Sequence[tuple[int, int]]) -> list[WeightTile]:
        """The weight tiles of a group of second with some (first group, tap index)."""
        taps, rows, (first, second) = self.taps, self.array.rows, self.origins
        own = second + group * self.array.cols
        if self.backward:
            return [(first + f * rows, own, taps[t]) for f, t in under]
        return [(own, first + f * rows, taps[t]) for f, t in under]


@dataclass(frozen=True, slots=True)
class Walk:
    """The work of one engine at the positions of one block.

    ``useful`` [second group, first group, tap] counts pairs of recorded non-zeros.
    """

    shape: Shape
    operands: Operands
    useful: Ints

    def start(self, places: Sequence[tuple[int, int, int]], slots_each: int) -> Entry:
        """What does not depend on the dataflow, with ``slots_each`` group of held positions.

        ``places`` are the (group of second, group of first, tap index) walked.
        """
        each, operands, shape = self.shape.array.held_positions, self.operands, self.shape
        g, f, t = np.array(places).T
        volume = int((shape.depths[f] * shape.widths[g]).sum())
        walked = WalkCount(
            cycles=0,
            slots=slots_each * -(-operands.positions // each),
            scanned=slots_each * -(-operands.live // each),
            executed=0,
            dense=volume * operands.positions,
            macs=0,
            useful=int(self.useful[g, f, t].sum()),
            lane_slots=0,
            first_words=0,
            other_words=0,
            sum_reads=0,
            sum_writes=0,
            fresh=0,
            merged=0,
        )
        return [tile for g, f, t in places for tile in shape.tiles(g, [(f, t)])], walked

    def first(self, f: int, t: int) -> Bools:
        """Channels of one group of ``first`` under one tap, [channel, position]."""
        start = f * self.shape.array.rows
        return np.asarray(self.operands.first[t, start : start + int(self.shape.depths[f])])

    def second(self, groups: range) -> Bools:
        """Channels of neighbouring groups of ``second``, [channel, position] or [channel, 1]."""
        count = int(self.shape.widths[groups].sum())
        if self.operands.second is None:
            return np.ones((count, 1), np.bool_)
        start = groups[0] * self.shape.array.cols
        return np.asarray(self.operands.second[start : start + count])

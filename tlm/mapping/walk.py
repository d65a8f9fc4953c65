"""One engine's array, what it walks over, and what a walk adds up to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tlm.config.core import Dataflow, Mode
from tlm.mapping.counts import Bools, Ints
from tlm.mapping.operands import Operands

WeightTile = tuple[int, int, int]  # first output channel, first input channel, tap


@dataclass(frozen=True, slots=True)
class Nest:
    """One engine's array: sizes, dataflow, mode, and whether its sums are weights (WG).

    ``slot_cycles`` is above 1 only if the banks cannot feed a slot a cycle; ``scan`` slots are
    looked at in a cycle, ``queue`` groups of them wait in front of a lane.
    """

    dataflow: Dataflow
    mode: Mode
    rows: int
    cols: int
    slot_cycles: int
    scan: int
    queue: int
    weights_are_sums: bool

    @property
    def held_positions(self) -> int:
        """Positions the array holds at a time; 1 where it holds weights."""
        return {"weight": 1, "output": self.rows, "input": self.cols}[self.dataflow]

    @property
    def lanes(self) -> int:
        """Lanes of mode ``element``."""
        return self.cols if self.dataflow == "input" else self.rows


@dataclass(slots=True)
class Walked:
    """What one group of weight tiles costs at the positions of a block.

    ``slots`` before skipping, ``scanned`` those not in skipped slices, ``executed`` those left;
    multiply-accumulates of all slots (``dense``), of executed ones (``macs``), and of those with
    no zero operand and a needed result (``useful``); ``lane_slots`` executed by single lanes in
    mode ``element``. Words move between array and buffers: the operands, and the sums in and out;
    ``fresh`` sums are the first of their output, to which nothing is added; ``merged`` sums of
    different lanes are added up in the end.
    """

    tiles: list[WeightTile]
    cycles: int = 0
    slots: int = 0
    scanned: int = 0
    executed: int = 0
    dense: int = 0
    macs: int = 0
    useful: int = 0
    lane_slots: int = 0
    first_words: int = 0
    other_words: int = 0
    sum_reads: int = 0
    sum_writes: int = 0
    fresh: int = 0
    merged: int = 0

    def merge(self, sums: int, outputs: int) -> None:
        """Read ``sums`` of all lanes, add them up, write ``outputs``."""
        self.sum_reads += sums
        self.sum_writes += outputs
        self.merged += sums - outputs


@dataclass(frozen=True, slots=True)
class Walk:
    """The work of one engine at the positions of a block.

    ``origins`` are the first channels of first and second, ``backward`` says that first are output
    channels; ``depths`` and ``widths`` are the channels of each group of ``first`` and ``second``;
    ``useful`` [second group, first group, tap] counts pairs of recorded non-zeros.
    """

    nest: Nest
    operands: Operands
    origins: tuple[int, int]
    backward: bool
    depths: Ints
    widths: Ints
    useful: Ints

    @property
    def under(self) -> list[tuple[int, int]]:
        """(First group, tap index) in the order of the nests."""
        return [(f, t) for f in range(len(self.depths)) for t in range(len(self.operands.taps))]

    def tiles(self, group: int, under: list[tuple[int, int]]) -> list[WeightTile]:
        """The weight tiles of a group of second with some (first group, tap index)."""
        taps, rows, (first, second) = self.operands.taps, self.nest.rows, self.origins
        own = second + group * self.nest.cols
        if self.backward:
            return [(first + f * rows, own, taps[t]) for f, t in under]
        return [(own, first + f * rows, taps[t]) for f, t in under]

    def start(self, places: list[tuple[int, int, int]], slots_each: int) -> Walked:
        """What does not depend on the dataflow, with ``slots_each`` group of held positions.

        ``places`` are the (group of second, group of first, tap index) walked.
        """
        each, operands = self.nest.held_positions, self.operands
        g, f, t = np.array(places).T
        volume = int((self.depths[f] * self.widths[g]).sum())
        return Walked(
            [self.tiles(group, [(at, tap)])[0] for group, at, tap in places],
            slots=slots_each * -(-operands.positions // each),
            scanned=slots_each * -(-operands.live // each),
            dense=volume * operands.positions,
            useful=int(self.useful[g, f, t].sum()),
        )

    def first(self, f: int, t: int) -> Bools:
        """Channels of one group of ``first`` under one tap, [channel, position]."""
        start = f * self.nest.rows
        return np.asarray(self.operands.first[t, start : start + int(self.depths[f])])

    def second(self, groups: range) -> Bools:
        """Channels of neighbouring groups of ``second``, [channel, position] or [channel, 1]."""
        count = int(self.widths[groups].sum())
        if self.operands.second is None:
            return np.ones((count, 1), np.bool_)
        start = groups[0] * self.nest.cols
        return np.asarray(self.operands.second[start : start + count])


def spare_first_reads(walked: list[Walked], fresh: int) -> None:
    """Take back the reads of the first sum of each of ``fresh`` outputs, in order."""
    for one in walked:
        one.fresh = min(fresh, one.sum_reads)
        one.sum_reads -= one.fresh
        fresh -= one.fresh

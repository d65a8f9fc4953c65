"""A walk: what one engine does at the positions of one block, whatever its dataflow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tlm.counts.engine_array import EngineArray
from tlm.counts.operands import Operands
from tlm.counts.walk_count import Entry, WalkCount, WeightTile
from tlm.space.array_types import Bools, Ints
from tlm.space.rounding import ceil_div


@dataclass(frozen=True, slots=True)
class WalkShape:
    """What an engine walks, whatever the block: taps, and channels by groups.

    ``origins`` are the first channels along rows and columns; ``depths`` and ``widths`` are the
    channels of each group along the rows and along the columns.
    """

    array: EngineArray
    taps: tuple[int, ...]
    origins: tuple[int, int]
    depths: Ints
    widths: Ints

    @property
    def row_group_taps(self) -> list[tuple[int, int]]:
        """(Group along the rows, tap index) in the order in which nests walk them."""
        return [(f, t) for f in range(len(self.depths)) for t in range(len(self.taps))]

    def tiles(self, group: int, row_group_taps: Sequence[tuple[int, int]]) -> list[WeightTile]:
        """The weight tiles of one group along the columns with some (row group, tap index)."""
        taps, rows, (row_origin, column_origin) = self.taps, self.array.rows, self.origins
        column = column_origin + group * self.array.cols
        if self.array.engine == "bp":  # output channels along the rows
            return [(row_origin + f * rows, column, taps[t]) for f, t in row_group_taps]
        return [(column, row_origin + f * rows, taps[t]) for f, t in row_group_taps]


@dataclass(frozen=True, slots=True)
class Walk:
    """The work of one engine at the positions of one block.

    ``useful`` [column group, row group, tap] counts pairs of recorded non-zeros.
    """

    shape: WalkShape
    operands: Operands
    useful: Ints

    def start(self, places: Sequence[tuple[int, int, int]], slots_each: int) -> Entry:
        """What does not depend on the dataflow, with ``slots_each`` group of held positions.

        ``places`` are the (column group, row group, tap index) walked.
        """
        held, operands, shape = self.shape.array.held_positions, self.operands, self.shape
        g, f, t = np.array(places).T
        volume = int((shape.depths[f] * shape.widths[g]).sum())
        count = WalkCount(
            cycles=0,
            slots=slots_each * ceil_div(operands.positions, held),
            scanned=slots_each * ceil_div(operands.live, held),
            executed=0,
            dense=volume * operands.positions,
            macs=0,
            useful=int(self.useful[g, f, t].sum()),
            lane_slots=0,
            row_words=0,
            other_words=0,
            sum_reads=0,
            sum_writes=0,
            fresh=0,
            weightless=0,
            merged=0,
        )
        return Entry([tile for g, f, t in places for tile in shape.tiles(g, [(f, t)])], count)

    def row_operand(self, f: int, t: int) -> Bools:
        """The row operand of one group of channels under one tap, [channel, position]."""
        start = f * self.shape.array.rows
        return np.asarray(self.operands.row_operand[t, start : start + int(self.shape.depths[f])])

    def column_operand(self, groups: range) -> Bools:
        """The column operand of neighbouring groups, [channel, position] or [channel, 1]."""
        channels = int(self.shape.widths[groups].sum())
        if self.operands.column_operand is None:
            return np.ones((channels, 1), np.bool_)
        start = groups[0] * self.shape.array.cols
        return np.asarray(self.operands.column_operand[start : start + channels])

"""How an array walks its work: what it holds, which slots it skips, and what that moves.

Every engine multiplies two operands into sums: FP the layer's input and weights, BP dY and
weights, WG the layer's input and dY. The row operand runs along the rows of the array, the column
operand along its columns (see ``tlm.counts.operands``). A dataflow holds one of the three in the
array and streams the others, one slot per cycle:

    weight  rows x cols of the weights (WG: of dW); a slot is a position
    output  cols outputs (FP: of Y, BP: of dX, WG: of dY) at rows positions; a slot is a channel
            along the rows under a tap
    input   rows channels (FP, WG: the layer's input, BP: dY) under a tap at cols positions; a slot
            is a channel along the columns

A pass is the stream between two changes of what is held. In mode ``vector`` a slot is executed
where some element of the array multiplies non-zero operands into a sum that is needed. In mode
``element`` every lane (a row of held weights, or a held position) executes its own such slots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress

import numpy as np

from tlm.counts.held_positions import walk_held_inputs, walk_held_outputs
from tlm.counts.held_weights import WeightCounts, lane_streams, skipped_streams
from tlm.counts.operands import grouped
from tlm.counts.packed_walk import PackedCounts, packed_counts
from tlm.counts.packed_weights import TileView
from tlm.counts.planes import Planes
from tlm.counts.rows import count_rows
from tlm.counts.walk import Walk, WalkShape
from tlm.counts.walk_count import Entry
from tlm.space.array_types import Cells, Ints
from tlm.space.region import Block


@dataclass(frozen=True)
class Walker:
    """Walks the ``blocks`` of a box; ``tested`` is what a zero test sees of the ``recorded``.

    ``tiles`` are the stored weights, None if every one is.
    """

    shape: WalkShape
    tested: Planes
    recorded: Planes
    blocks: Sequence[Block]
    tiles: TileView | None = None

    def at(self, block: Block) -> Walk:
        """The walk of one block."""
        array, recorded = self.shape.array, self.recorded.at(block)
        operands = recorded if self.recorded is self.tested else self.tested.at(block)
        rows = grouped(recorded.row_operand, array.rows // array.channels_together, 1)
        columns = recorded.column_operand
        if columns is not None:
            columns = grouped(columns, array.cols, 0)
        return Walk(self.shape, operands, pairs_of(rows, columns, self.shape.widths))

    @cached_property
    def packed_counts(self) -> PackedCounts:
        """The streams of all blocks past the tiles of stored weights."""
        assert self.tiles is not None
        operands = ((self.tested.at(block), self.recorded.at(block)) for block in self.blocks)
        return packed_counts(self.shape, self.tiles, operands)

    @cached_property
    def held_weight_counts(self) -> WeightCounts:
        """The streams of all blocks past held weights."""
        array = self.shape.array
        positions = np.array([self.tested.positions(block) for block in self.blocks]).T
        if array.mode == "element":
            scanned = positions[1] > 0
            walks = [self.at(block) for block in compress(self.blocks, scanned)]
            streams = lane_streams(array, [walk.operands for walk in walks])
            useful = np.stack([walk.useful for walk in walks])
            # Nobody asks for the blocks that are not scanned: they may have any other's counts.
            which = scanned.cumsum() - 1
            return WeightCounts(streams.of(which), useful[which], positions)
        rows = count_rows(self.tested, self.recorded, self.blocks, array.cols, self.shape.widths)
        streams = skipped_streams(array, rows, positions[1])
        return WeightCounts(streams, rows.useful, positions)


def walk_panel(walk: Walk, groups: range, size: int) -> list[Entry]:
    """Walk a block against groups along the columns (one, unless inputs are held).

    ``size`` weight tiles are walked together. Where no position is scanned, a single entry counts
    the slots that are skipped.
    """
    if not walk.operands.live:
        places = [(g, f, t) for g in groups for f, t in walk.shape.row_group_taps]
        return [walk.start(places, _slots_each(walk.shape, groups))]
    if walk.shape.array.dataflow == "output":
        return walk_held_outputs(walk, groups[0], size)
    return walk_held_inputs(walk, groups, size)


def _slots_each(shape: WalkShape, groups: range) -> int:
    """Slots of a panel for every group of held positions."""
    if shape.array.dataflow == "output":
        return int(shape.depths.sum()) * len(shape.taps)
    if shape.array.dataflow == "input":
        return int(shape.widths[groups].sum()) * len(shape.row_group_taps)
    return len(shape.row_group_taps)


def pairs_of(rows: Cells, columns: Cells | None, widths: Ints) -> Ints:
    """Pairs of non-zeros, [column group, row group, tap], from counts by group of channels.

    ``rows`` is [tap, group, position], ``columns`` [group, position]; without ``columns`` every
    one of a group's ``widths`` channels is a partner.
    """
    taps, groups, live = rows.shape
    if columns is None:
        return np.asarray(widths[:, None, None] * rows.sum(axis=2, dtype=np.int64).T)
    pairs = rows.astype(np.float64).reshape(taps * groups, live) @ columns.astype(np.float64).T
    return pairs.reshape(taps, groups, len(columns)).transpose(2, 1, 0).astype(np.int64)

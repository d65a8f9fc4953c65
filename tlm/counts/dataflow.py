"""How an array walks its work: what it holds, which slots it skips, and what that moves.

Every engine multiplies two operands into sums: FP the layer's input and weights, BP dU and
weights, WG the layer's input and dU. ``first`` runs along the rows of the array, ``second`` along
its columns (see ``tlm.counts.operands``). A dataflow holds one of the three in the array and
streams the others, one slot a cycle:

    weight  rows x cols of the weights (WG: of dW); a slot is a position
    output  cols outputs (FP: of X, BP: of dS, WG: of dU) at rows positions; a slot is a channel
            of ``first`` under a tap
    input   rows channels (FP, WG: the layer's input, BP: dU) under a tap at cols positions; a slot
            is a channel of ``second``

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

from tlm.counts.engine_array import EngineArray
from tlm.counts.held_positions import walk_held_inputs, walk_held_outputs
from tlm.counts.held_weights import WeightCounts, lane_streams, skipped_streams
from tlm.counts.operands import Planes, grouped
from tlm.counts.rows import count_rows
from tlm.counts.walk import Entry, Shape, Walk
from tlm.space.array_types import Cells, Ints
from tlm.space.region import Block


@dataclass(frozen=True)
class Walker:
    """Walks the ``blocks`` of a box; ``seen`` is what a zero test sees, ``real`` the recording."""

    shape: Shape
    seen: Planes
    real: Planes
    blocks: Sequence[Block]

    def at(self, block: Block) -> Walk:
        """The walk of one block."""
        array, real = self.shape.array, self.real.at(block)
        operands = real if self.real is self.seen else self.seen.at(block)
        counts = grouped(real.first, array.rows // counted_together(array), 1)
        partners = None if real.second is None else grouped(real.second, array.cols, 0)
        return Walk(self.shape, operands, useful_pairs_of(counts, partners, self.shape.widths))

    @cached_property
    def counted(self) -> WeightCounts:
        """The streams past held weights."""
        shape = self.shape
        positions = np.array([self.seen.positions(block) for block in self.blocks]).T
        if shape.array.mode == "element":
            scanned = positions[1] > 0
            walks = [self.at(block) for block in compress(self.blocks, scanned)]
            streams = lane_streams(shape.array, [walk.operands for walk in walks])
            useful = np.stack([walk.useful for walk in walks])
            # Nobody asks for the blocks that are not scanned: they may have any other's counts.
            which = scanned.cumsum() - 1
            return WeightCounts(streams.of(which), useful[which], positions)
        rows = count_rows(self.seen, self.real, self.blocks, shape.array.cols, shape.widths)
        streams = skipped_streams(shape.array, rows, positions[1])
        return WeightCounts(streams, rows.useful, positions)


def walk_panel(walk: Walk, groups: range, size: int) -> list[Entry]:
    """Walk a block against groups of ``second`` (one, unless inputs are held).

    ``size`` weight tiles are walked together. Where no position is scanned, a single entry counts
    the slots that are skipped.
    """
    if not walk.operands.live:
        places = [(g, f, t) for g in groups for f, t in walk.shape.under]
        return [walk.start(places, _slots_each(walk.shape, groups))]
    if walk.shape.array.dataflow == "output":
        return walk_held_outputs(walk, groups[0], size)
    return walk_held_inputs(walk, groups, size)


def _slots_each(shape: Shape, groups: range) -> int:
    """Slots of a panel for every group of held positions."""
    if shape.array.dataflow == "output":
        return int(shape.depths.sum()) * len(shape.taps)
    if shape.array.dataflow == "input":
        return int(shape.widths[groups].sum()) * len(shape.under)
    return len(shape.under)


def counted_together(array: EngineArray) -> int:
    """Channels of ``first`` that may be counted together: single lanes need them apart."""
    return 1 if array.mode == "element" or array.dataflow != "weight" else array.rows


def useful_pairs_of(first: Cells, second: Cells | None, widths: Ints) -> Ints:
    """Pairs of non-zeros, [second group, first group, tap], from counts of groups.

    ``first`` [tap, group, P]; without ``second`` every one of ``widths`` channels is a partner.
    """
    taps, chunks, live = first.shape
    if second is None:
        return np.asarray(widths[:, None, None] * first.sum(axis=2, dtype=np.int64).T)
    met = first.astype(np.float64).reshape(taps * chunks, live) @ second.astype(np.float64).T
    return met.reshape(taps, chunks, len(second)).transpose(2, 1, 0).astype(np.int64)


def channel_groups(channels: int, size: int) -> Ints:
    """Channels of every group of ``size``; the last may be short."""
    return np.minimum(size, channels - np.arange(0, channels, size))

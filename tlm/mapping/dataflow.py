"""How an array walks its work: what it holds, which slots it skips, and what that moves.

Every engine multiplies two operands into sums: FP the layer's input and weights, BP dU and
weights, WG the layer's input and dU. ``first`` runs along the rows of the array, ``second`` along
its columns (see ``tlm.mapping.operands``). A dataflow holds one of the three in the array and
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

from dataclasses import replace

import numpy as np

from tlm.mapping.counts import Cells, Ints
from tlm.mapping.held_positions import walk_held_inputs, walk_held_outputs
from tlm.mapping.held_weights import WeightStream, walk_held_weights, weight_stream
from tlm.mapping.walk import Walk, Walked


class Walker:
    """Walks one block, panel by panel of ``second``."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self._stream: WeightStream | None = None

    def panel(self, groups: range, size: int) -> list[Walked]:
        """Walk some groups of ``second`` (one, unless inputs are held), ``size`` tiles at a time.

        Where no position is scanned, a single entry counts the slots that are skipped.
        """
        walk = self.walk
        if not walk.operands.live:
            tiles = [(g, f, t) for g in groups for f, t in walk.under]
            return [walk.start(tiles, self._slots_each(groups))]
        if walk.nest.dataflow == "output":
            return walk_held_outputs(walk, groups[0], size)
        if walk.nest.dataflow == "input":
            return walk_held_inputs(walk, groups, size)
        return walk_held_weights(walk, self.count(), groups[0], size)

    def count(self) -> WeightStream:
        """Count the streams past held weights, and forget the masks."""
        if self._stream is None:
            self._stream = weight_stream(self.walk.nest, self.walk.operands)
            self.walk = replace(self.walk, operands=self.walk.operands.without_masks())
        return self._stream

    def _slots_each(self, groups: range) -> int:
        """Slots of a panel for every group of held positions."""
        walk = self.walk
        if walk.nest.dataflow == "output":
            return int(walk.depths.sum()) * len(walk.operands.taps)
        if walk.nest.dataflow == "input":
            return int(walk.widths[groups].sum()) * len(walk.under)
        return len(walk.under)


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

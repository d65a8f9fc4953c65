"""What an engine multiplies: operand masks of a layer, and of the positions of a block.

The ``row_operand`` is what the rows of the array take: the layer's input under each kernel tap
(FP, WG) or the dY that each tap brings to a position of dX (BP). The ``column_operand`` says which
sums of the columns count: any output (FP, where it is None), the dX that are needed (BP), the
non-zero dY (WG). A slot can change the result where an element of one meets one of the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tlm.counts.engine_array import EngineArray
from tlm.counts.packed_weights import PackedWeights
from tlm.space.array_types import Bools, Cells, Ints
from tlm.space.region import Span
from tlm.space.rounding import ceil_div


@dataclass(frozen=True, slots=True)
class OperandMasks:
    """The operands of one engine over a whole layer, as recorded or as a zero test sees them.

    ``row_operand`` [T, B, channel, row, column] is on the input grid in FP and WG and on the
    product's in BP, ``column_operand`` on the grid that is walked; ``live`` [T, B] is false where
    a slice is skipped whole. ``weights`` are those that are stored, None if every one is.
    """

    row_operand: Bools
    column_operand: Bools | None
    live: Bools
    weights: PackedWeights | None = None

    def of(self, row_channels: Span, column_channels: Span) -> OperandMasks:
        """Those of some channels along rows and columns."""
        columns = self.column_operand
        if columns is not None:
            columns = columns[:, :, slice(*column_channels)]
        rows = self.row_operand[:, :, slice(*row_channels)]
        return OperandMasks(rows, columns, self.live, self.weights)

    def as_tested(self, array: EngineArray) -> OperandMasks:
        """What the zero test of an array sees: where it does not look, nothing is zero."""
        if array.skip_row_zeros and (array.skip_column_zeros or self.column_operand is None):
            return self
        rows, columns = self.row_operand, self.column_operand
        if not array.skip_row_zeros:
            rows = everywhere(rows.shape)
        if columns is not None and not array.skip_column_zeros:
            columns = everywhere(columns.shape)
        return OperandMasks(rows, columns, self.live, self.weights)


@dataclass(frozen=True, slots=True)
class Operands:
    """The operands at the positions of a block, in the order sample, step, row, column.

    ``row_operand`` [tap, channel, position], or counts of channel groups; ``column_operand``
    [channel, position] or None. Positions of skipped slices are left out of both; ``positions``
    counts them too.
    """

    row_operand: Cells
    column_operand: Cells | None
    positions: int

    @property
    def live(self) -> int:
        """Positions that are scanned."""
        return int(self.row_operand.shape[2])


def everywhere(shape: tuple[int, ...]) -> Bools:
    """A mask without zeros."""
    return np.broadcast_to(np.True_, shape)


def grouped(masks: Cells, size: int, axis: int) -> Cells:
    """How many of each ``size`` elements of ``axis`` are set; the last group may be short."""
    if size == 1:
        return masks
    groups = ceil_div(masks.shape[axis], size)
    missing = groups * size - masks.shape[axis]
    if missing:
        edges = [(0, missing if at == axis else 0) for at in range(masks.ndim)]
        masks = np.pad(masks, edges)
    split = masks.reshape(*masks.shape[:axis], groups, size, *masks.shape[axis + 1 :])
    return np.asarray(split.view(np.uint8).sum(axis=axis + 1, dtype=np.uint8))


def in_groups(values: Cells, size: int) -> Cells:
    """[..., P] -> [..., groups, size], the last group filled up with zeros."""
    missing = -values.shape[-1] % size
    padded = np.pad(values, (*((0, 0),) * (values.ndim - 1), (0, missing)))
    return padded.reshape(*values.shape[:-1], -1, size)


def group_sizes(count: int, size: int) -> Ints:
    """Elements of every group of ``size`` of ``count`` elements; the last may be short."""
    return np.minimum(size, count - np.arange(0, count, size))

"""Planes: the operands of a box of positions by kernel tap, as views of a layer's masks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import gcd, prod

import numpy as np

from tlm.counts.engine_array import EngineArray
from tlm.counts.operands import OperandMasks, Operands, grouped
from tlm.space.array_types import Bools, Cells
from tlm.space.region import Block, Span, length
from tlm.workload.model import Layer


@dataclass(frozen=True, slots=True)
class Planes:
    """The operands of a whole walk, to be cut into blocks; views, where they can be.

    ``row_operand`` [T, B, channel, Y, X, R, S], ``column_operand`` [T, B, channel, Y, X] or None,
    ``live`` [T, B], for the samples, steps and rows of ``box``. ``taps`` are the numbers of the
    kernel taps. Rows Y are those of the box from ``row`` on, ``pitch`` apart. On a dilated grid,
    zeros follow every row and column.
    """

    box: Block
    taps: tuple[int, ...]
    row_operand: Cells
    column_operand: Cells | None
    live: Bools
    row: int = 0
    pitch: int = 1
    dilate: tuple[int, int] = (1, 1)
    _alive: dict[tuple[Span, Span], int] = field(default_factory=dict)

    def rows(self, rows: Span) -> Span:
        """Which Y belong to a span of the box's grid."""
        first = self.box.rows[0] + self.row
        return (-((first - rows[0]) // self.pitch), -((first - rows[1]) // self.pitch))

    def positions(self, block: Block) -> tuple[int, int]:
        """Positions of a block, and how many of them are scanned."""
        each = length(self.rows(block.rows)) * self.row_operand.shape[4] * prod(self.dilate)
        return each * length(block.samples) * length(block.steps), each * self.alive(block)

    def alive(self, block: Block) -> int:
        """The (sample, step) pairs of a block that are scanned."""
        key = (block.samples, block.steps)
        if key not in self._alive:
            self._alive[key] = int(np.count_nonzero(self.live[self._pairs(block)]))
        return self._alive[key]

    def at(self, block: Block) -> Operands:
        """The operands at the positions of a block."""
        pairs, rows = self._pairs(block), slice(*self.rows(block.rows))
        alive, column_operand = self.live[pairs].T.ravel(), None
        if self.column_operand is not None:
            one_tap = self.column_operand[pairs][:, :, :, rows, :, None, None]
            column_operand = _flat(one_tap, alive, self.dilate)[0]
        row_operand = _flat(self.row_operand[pairs][:, :, :, rows], alive, self.dilate)
        return Operands(row_operand, column_operand, self.positions(block)[0])

    def _pairs(self, block: Block) -> tuple[slice, slice]:
        """Steps and samples of a block within the box."""
        step, sample = self.box.steps[0], self.box.samples[0]
        return (
            slice(block.steps[0] - step, block.steps[1] - step),
            slice(block.samples[0] - sample, block.samples[1] - sample),
        )


def input_planes(
    layer: Layer, array: EngineArray, box: Block, masks: OperandMasks
) -> Iterator[Planes]:
    """FP and WG: the input under every tap at the products of ``box``; one class of positions.

    The row operand is counted by as many channels (up to 255) as the array lets be counted
    together. On the inserted grid every product is followed by the zeros that the stride inserts
    into dY, along rows and columns.
    """
    (sy, sx), (py, px), (reach_y, reach_x) = layer.stride, layer.padding, layer.extent
    (y0, y1), width, dY = box.rows, layer.product_shape[2], masks.column_operand
    inputs = _cut(masks.row_operand, box, (y0 * sy - py, (y1 - 1) * sy - py + reach_y),
                  (-px, (width - 1) * sx - px + reach_x))  # fmt: skip
    windows = _windows(grouped(inputs, array.channels_together, 2), layer)
    yield Planes(
        box=box,
        taps=tuple(range(prod(layer.kernel))),
        row_operand=windows[..., ::sy, ::sx, :, :],
        column_operand=None if dY is None else _cut(dY, box, box.rows, (0, width)),
        live=_live(masks, box),
        dilate=(sy, sx) if array.grid == "inserted" else (1, 1),
    )


def gradient_planes(
    layer: Layer, array: EngineArray, box: Block, masks: OperandMasks
) -> Iterator[Planes]:
    """BP: the dY that every tap brings to the inputs of ``box``, by classes of positions.

    On the inserted grid every tap visits every position; on the compacted one, positions that
    share their remainder by the stride visit only the taps that have an output there.
    """
    (sy, sx), (py, px), (reach_y, reach_x) = layer.stride, layer.padding, layer.extent
    (y0, y1), width, need = box.rows, layer.in_shape[2], masks.column_operand
    assert need is not None
    rows, columns = (y0 + py - reach_y + 1, y1 + py), (px - reach_x + 1, width + px)
    dY = _spread(masks.row_operand, box, rows, columns, layer.stride)
    windows = _windows(grouped(dY, array.channels_together, 2), layer, backward=True)
    need, live = _cut(need, box, box.rows, (0, width)), _live(masks, box)
    if array.grid == "inserted":
        yield Planes(box, tuple(range(prod(layer.kernel))), windows, need, live)
        return
    for i, j in np.ndindex(min(sy, length(box.rows)), min(sx, width)):
        taps_y = _taps(layer, 0, y0 + i + py)
        taps_x = _taps(layer, 1, j + px)
        if not taps_y or not taps_x:
            continue
        at = (..., slice(i, None, sy), slice(j, None, sx))
        kernel = (slice(taps_y.start, None, taps_y.step), slice(taps_x.start, None, taps_x.step))
        taps = tuple(y * layer.kernel[1] + x for y in taps_y for x in taps_x)
        yield Planes(box, taps, windows[(*at, *kernel)], need[at], live, row=i, pitch=sy)


def _live(masks: OperandMasks, box: Block) -> Bools:
    return masks.live[slice(*box.steps), slice(*box.samples)]


def _taps(layer: Layer, axis: int, place: int) -> range:
    """The taps along an axis that bring a padded ``place`` something of the product's grid.

    None does if stride and dilation have a common divisor that leaves the place out.
    """
    size, stride, dilation = layer.kernel[axis], layer.stride[axis], layer.dilation[axis]
    apart = stride // gcd(stride, dilation)
    first = (tap for tap in range(min(apart, size)) if (place - tap * dilation) % stride == 0)
    return range(next(first, size), size, apart)


def _windows(values: Cells, layer: Layer, backward: bool = False) -> Cells:
    """Values under every tap of the kernel at every place, the taps in reverse if ``backward``."""
    windows = np.lib.stride_tricks.sliding_window_view(values, layer.extent, axis=(3, 4))
    turn, (dy, dx) = -1 if backward else 1, layer.dilation
    return windows[..., :: turn * dy, :: turn * dx]


def _cut(values: Bools, box: Block, rows: Span, columns: Span) -> Bools:
    """The box of ``values`` [T, B, C, Y, X] with zeros where rows and columns leave the image."""
    image = values[slice(*box.steps), slice(*box.samples)]
    if min(rows[0], columns[0]) >= 0 and rows[1] <= image.shape[3] and columns[1] <= image.shape[4]:
        return image[..., slice(*rows), slice(*columns)]
    padded = np.zeros((*image.shape[:3], length(rows), length(columns)), np.bool_)
    top, left = max(0, -rows[0]), max(0, -columns[0])
    inside = image[..., max(0, rows[0]) : max(0, rows[1]), max(0, columns[0]) : max(0, columns[1])]
    padded[..., top : top + inside.shape[3], left : left + inside.shape[4]] = inside
    return padded


def _spread(values: Bools, box: Block, rows: Span, columns: Span, stride: tuple[int, int]) -> Bools:
    """As ``_cut``, rows and columns counted on the grid with the stride's zeros inserted."""
    image = values[slice(*box.steps), slice(*box.samples)]
    spread = np.zeros((*image.shape[:3], length(rows), length(columns)), np.bool_)
    axes = []
    for span, step, size in zip((rows, columns), stride, image.shape[3:], strict=True):
        first = max(0, -(-span[0] // step))
        last = max(first, min(size, -(-span[1] // step)))
        into = slice(first * step - span[0], last * step - span[0], step)
        axes.append((slice(first, last), into))
    (from_y, to_y), (from_x, to_x) = axes
    if from_y.start < from_y.stop and from_x.start < from_x.stop:
        spread[..., to_y, to_x] = image[..., from_y, from_x]
    return spread


def _flat(windows: Cells, alive: Bools, dilate: tuple[int, int] = (1, 1)) -> Cells:
    """[T, B, C, Y, X, R, S] -> [tap, channel, position], dilated by zeros, live pairs only."""
    t, b, c, y, x, r, s = windows.shape
    ordered = windows.transpose(5, 6, 2, 1, 0, 3, 4).reshape(r * s, c, b * t, y, x)[:, :, alive]
    if dilate != (1, 1):
        dilated = np.zeros((*ordered.shape[:3], y * dilate[0], x * dilate[1]), ordered.dtype)
        dilated[..., :: dilate[0], :: dilate[1]] = ordered
        ordered = dilated
    return ordered.reshape(r * s, c, -1)

"""What an engine multiplies at the positions of a block: operand masks by tap and channel.

``first`` is what the rows of the array take: the layer's input under each kernel tap (FP, WG) or
the dU that each tap brings to a position of dS (BP). ``second`` is what the columns stand for: any
output (FP, where it is None), the dS that are needed (BP), dU (WG). A slot can change the result
where an element of ``first`` meets one of ``second``. Positions run by sample, step, row, column.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from tlm.config.core import BackwardGrid
from tlm.space.array_types import Bools, Cells
from tlm.space.region import Block, Span, length
from tlm.workload.model import Layer


@dataclass(frozen=True, slots=True)
class Operands:
    """Cells ``first`` [tap, channel, position] and ``second`` [channel, position] or None.

    ``first`` may hold counts of channel groups instead; positions of skipped slices are left out
    of the masks, ``positions`` counts them too.
    """

    first: Cells
    second: Cells | None
    positions: int

    @property
    def live(self) -> int:
        """Positions that are scanned."""
        return int(self.first.shape[2])


@dataclass(frozen=True, slots=True)
class Planes:
    """The operands of a whole walk, to be cut into blocks; views, where they can be.

    ``first`` [T, B, channel, Y, X, R, S], ``second`` [T, B, channel, Y, X] or None, ``live``
    [T, B], for the samples, steps and rows of ``box``. ``taps`` are the numbers of the kernel taps.
    Rows Y are those of the box from ``row`` on, ``pitch`` apart. On a dilated grid, zeros follow
    every row and column.
    """

    box: Block
    taps: tuple[int, ...]
    first: Cells
    second: Cells | None
    live: Bools
    row: int = 0
    pitch: int = 1
    dilate: tuple[int, int] = (1, 1)

    def rows(self, rows: Span) -> Span:
        """Which Y belong to a span of the box's grid."""
        first = self.box.rows[0] + self.row
        return (-((first - rows[0]) // self.pitch), -((first - rows[1]) // self.pitch))

    def positions(self, block: Block) -> tuple[int, int]:
        """Positions of a block, and how many of them are scanned."""
        each = length(self.rows(block.rows)) * self.first.shape[4] * prod(self.dilate)
        return each * length(block.samples) * length(block.steps), each * self.alive(block)

    def alive(self, block: Block) -> int:
        """The (sample, step) pairs of a block that are scanned."""
        return int(np.count_nonzero(self.live[self._pairs(block)]))

    def at(self, block: Block) -> Operands:
        """The operands at the positions of a block."""
        pairs, rows = self._pairs(block), slice(*self.rows(block.rows))
        alive, columns = self.live[pairs].T.ravel(), None
        if self.second is not None:
            wide = self.second[pairs][:, :, :, rows, :, None, None]
            columns = _flat(wide, alive, self.dilate)[0]
        first = _flat(self.first[pairs][:, :, :, rows], alive, self.dilate)
        return Operands(first, columns, self.positions(block)[0])

    def _pairs(self, block: Block) -> tuple[slice, slice]:
        """Steps and samples of a block within the box."""
        step, sample = self.box.steps[0], self.box.samples[0]
        return (
            slice(block.steps[0] - step, block.steps[1] - step),
            slice(block.samples[0] - sample, block.samples[1] - sample),
        )


def grouped(masks: Cells, size: int, axis: int) -> Cells:
    """How many of each ``size`` elements of ``axis`` are set; the last group may be short."""
    if size == 1:
        return masks
    groups = -(-masks.shape[axis] // size)
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


def input_planes(
    layer: Layer,
    inputs: Bools,
    second: Bools | None,
    live: Bools,
    box: Block,
    grid: BackwardGrid,
    size: int = 1,
) -> Planes:
    """FP and WG: ``inputs`` [T, B, C, H, W], ``second`` (dU) [T, B, K, E, F], ``live`` [T, B].

    ``size`` above 1 counts ``first`` by groups of as many channels (up to 255) at once.
    ``box`` is on the output grid. On the inserted grid every output is followed by the zeros that
    the stride inserts into dU, along rows and columns.
    """
    (sy, sx), (py, px), (r, s) = layer.stride, layer.padding, layer.kernel
    (y0, y1), width = box.rows, layer.product_shape[2]
    seen = _cut(inputs, box, (y0 * sy - py, (y1 - 1) * sy - py + r),
                (-px, (width - 1) * sx - px + s))  # fmt: skip
    windows = _windows(grouped(seen, size, 2), layer.kernel)[..., ::sy, ::sx, :, :]
    columns = None if second is None else _cut(second, box, box.rows, (0, width))
    return Planes(box, tuple(range(r * s)), windows, columns, _live(live, box),
                  dilate=(sy, sx) if grid == "inserted" else (1, 1))  # fmt: skip


def gradient_planes(
    layer: Layer,
    gradients: Bools,
    need: Bools,
    live: Bools,
    box: Block,
    grid: BackwardGrid,
    size: int = 1,
) -> Iterator[Planes]:
    """BP: ``gradients`` [T, B, K, E, F], ``need`` [T, B, C, H, W]; ``box`` is on the input grid.

    On the inserted grid every tap visits every position; on the compacted one, positions that
    share their remainder by the stride visit only the taps that have an output there.
    """
    (sy, sx), (py, px), (r, s) = layer.stride, layer.padding, layer.kernel
    (y0, y1), width = box.rows, layer.in_shape[2]
    spread = _spread(gradients, box, (y0 + py - r + 1, y1 + py), (px - s + 1, width + px),
                     layer.stride)  # fmt: skip
    windows = _windows(grouped(spread, size, 2), layer.kernel)[..., ::-1, ::-1]
    wanted, alive = _cut(need, box, box.rows, (0, width)), _live(live, box)
    if grid == "inserted":
        yield Planes(box, tuple(range(r * s)), windows, wanted, alive)
        return
    for i, j in np.ndindex(min(sy, length(box.rows)), min(sx, width)):
        taps_y = range((y0 + i + py) % sy, r, sy)
        taps_x = range((j + px) % sx, s, sx)
        if not taps_y or not taps_x:
            continue
        at = (..., slice(i, None, sy), slice(j, None, sx))
        kernel = (slice(taps_y.start, None, sy), slice(taps_x.start, None, sx))
        taps = tuple(y * s + x for y in taps_y for x in taps_x)
        yield Planes(box, taps, windows[(*at, *kernel)], wanted[at], alive, row=i, pitch=sy)


def _live(live: Bools, box: Block) -> Bools:
    return live[slice(*box.steps), slice(*box.samples)]


def _windows(values: Cells, kernel: tuple[int, int]) -> Cells:
    return np.lib.stride_tricks.sliding_window_view(values, kernel, axis=(3, 4))


def _cut(values: Bools, box: Block, rows: Span, columns: Span) -> Bools:
    """The box of ``values`` [T, B, C, Y, X] with zeros where rows and columns leave the image."""
    image = values[slice(*box.steps), slice(*box.samples)]
    found = np.zeros((*image.shape[:3], length(rows), length(columns)), np.bool_)
    top, left = max(0, -rows[0]), max(0, -columns[0])
    inside = image[..., max(0, rows[0]) : max(0, rows[1]), max(0, columns[0]) : max(0, columns[1])]
    found[..., top : top + inside.shape[3], left : left + inside.shape[4]] = inside
    return found


def _spread(values: Bools, box: Block, rows: Span, columns: Span, stride: tuple[int, int]) -> Bools:
    """As ``_cut``, rows and columns counted on the grid with the stride's zeros inserted."""
    image = values[slice(*box.steps), slice(*box.samples)]
    found = np.zeros((*image.shape[:3], length(rows), length(columns)), np.bool_)
    axes = []
    for span, step, size in zip((rows, columns), stride, image.shape[3:], strict=True):
        first = max(0, -(-span[0] // step))
        last = max(first, min(size, -(-span[1] // step)))
        into = slice(first * step - span[0], last * step - span[0], step)
        axes.append((slice(first, last), into))
    (from_y, to_y), (from_x, to_x) = axes
    if from_y.start < from_y.stop and from_x.start < from_x.stop:
        found[..., to_y, to_x] = image[..., from_y, from_x]
    return found


def _flat(windows: Cells, alive: Bools, dilate: tuple[int, int] = (1, 1)) -> Cells:
    """[T, B, C, Y, X, R, S] -> [tap, channel, position], dilated by zeros, live pairs only."""
    t, b, c, y, x, r, s = windows.shape
    ordered = windows.transpose(5, 6, 2, 1, 0, 3, 4).reshape(r * s, c, b * t, y, x)[:, :, alive]
    if dilate != (1, 1):
        wide = np.zeros((*ordered.shape[:3], y * dilate[0], x * dilate[1]), ordered.dtype)
        wide[..., :: dilate[0], :: dilate[1]] = ordered
        ordered = wide
    return ordered.reshape(r * s, c, -1)

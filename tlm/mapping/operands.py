"""What an engine multiplies at the positions of a block: operand masks by tap and channel.

``first`` is what the rows of the array take: the layer's input under each kernel tap (FP, WG) or
the dU that each tap brings to a position of dS (BP). ``second`` is what the columns stand for: any
output (FP, where it is None), the dS that are needed (BP), dU (WG). A slot can change the result
where an element of ``first`` meets one of ``second``. Positions run by sample, step, row, column.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tlm.config.core import Grid
from tlm.mapping.counts import Bools, Cells
from tlm.mapping.region import Span, length
from tlm.workload.model import Layer


@dataclass(frozen=True, slots=True)
class Box:
    """Samples, steps, rows and columns whose positions an engine works on."""

    samples: Span
    steps: Span
    rows: Span
    columns: Span

    @property
    def plane(self) -> int:
        """Positions of one (sample, step)."""
        return length(self.rows) * length(self.columns)

    @property
    def pairs(self) -> int:
        """(Sample, step) pairs."""
        return length(self.samples) * length(self.steps)


@dataclass(frozen=True, slots=True)
class Operands:
    """Cells ``first`` [tap, channel, position] and ``second`` [channel, position] or None.

    ``first`` may hold counts of channel groups instead. ``taps`` are the numbers of the kernel
    taps; positions of skipped slices are left out of the masks, ``positions`` counts them too.
    """

    taps: tuple[int, ...]
    first: Cells
    second: Cells | None
    positions: int

    @property
    def live(self) -> int:
        """Positions that are scanned."""
        return int(self.first.shape[2])

    def without_masks(self) -> Operands:
        """Taps and numbers of positions alone."""
        return Operands(self.taps, np.empty((0, 0, self.live), np.bool_), None, self.positions)


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


def input_operands(
    layer: Layer,
    inputs: Bools,
    second: Bools | None,
    live: Bools,
    box: Box,
    grid: Grid,
    size: int = 1,
) -> Operands:
    """FP and WG: ``inputs`` [T, B, C, H, W], ``second`` (dU) [T, B, K, E, F], ``live`` [T, B].

    ``size`` above 1 counts ``first`` by groups of as many channels (up to 255) at once.
    ``box`` is on the output grid. On the inserted grid every output is followed by the zeros that
    the stride inserts into dU, along rows and columns.
    """
    (sy, sx), (py, px), (r, s) = layer.stride, layer.padding, layer.kernel
    (y0, y1), (x0, x1) = box.rows, box.columns
    seen = _cut(inputs, box, (y0 * sy - py, (y1 - 1) * sy - py + r),
                (x0 * sx - px, (x1 - 1) * sx - px + s))  # fmt: skip
    windows = _windows(grouped(seen, size, 2), layer.kernel)[..., ::sy, ::sx, :, :]
    dilate = (sy, sx) if grid == "inserted" else (1, 1)
    alive = _alive(live, box)
    columns = None
    if second is not None:
        columns = _flat(_cut(second, box, box.rows, box.columns)[..., None, None], alive, dilate)[0]
    first = _flat(windows, alive, dilate)
    positions = box.pairs * box.plane * dilate[0] * dilate[1]
    return Operands(tuple(range(r * s)), first, columns, positions)


def gradient_operands(
    layer: Layer,
    gradients: Bools,
    need: Bools,
    live: Bools,
    box: Box,
    grid: Grid,
    size: int = 1,
) -> Iterator[Operands]:
    """BP: ``gradients`` [T, B, K, E, F], ``need`` [T, B, C, H, W]; ``box`` is on the input grid.

    On the inserted grid every tap visits every position; on the compacted one, positions that
    share their remainder by the stride visit only the taps that have an output there.
    """
    (sy, sx), (py, px), (r, s) = layer.stride, layer.padding, layer.kernel
    (y0, y1), (x0, x1) = box.rows, box.columns
    spread = _spread(gradients, box, (y0 + py - r + 1, y1 + py), (x0 + px - s + 1, x1 + px),
                     layer.stride)  # fmt: skip
    windows = _windows(grouped(spread, size, 2), layer.kernel)[..., ::-1, ::-1]
    wanted = _cut(need, box, box.rows, box.columns)[..., None, None]
    alive = _alive(live, box)
    if grid == "inserted":
        yield Operands(tuple(range(r * s)), _flat(windows, alive), _flat(wanted, alive)[0],
                       box.pairs * box.plane)  # fmt: skip
        return
    for i, j in np.ndindex(min(sy, length(box.rows)), min(sx, length(box.columns))):
        taps_y = range((y0 + i + py) % sy, r, sy)
        taps_x = range((x0 + j + px) % sx, s, sx)
        if not taps_y or not taps_x:
            continue
        at = (..., slice(i, None, sy), slice(j, None, sx))
        kernel = (slice(taps_y.start, None, sy), slice(taps_x.start, None, sx))
        first = _flat(windows[(*at, *kernel)], alive)
        plane = wanted[(*at, slice(None), slice(None))]
        taps = tuple(y * s + x for y in taps_y for x in taps_x)
        yield Operands(taps, first, _flat(plane, alive)[0],
                       box.pairs * plane.shape[3] * plane.shape[4])  # fmt: skip


def _alive(live: Bools, box: Box) -> Bools:
    """The scanned pairs of a box in the order of positions: sample, then step."""
    return live[slice(*box.steps), slice(*box.samples)].T.ravel()


def _windows(values: Cells, kernel: tuple[int, int]) -> Cells:
    return np.lib.stride_tricks.sliding_window_view(values, kernel, axis=(3, 4))


def _cut(values: Bools, box: Box, rows: Span, columns: Span) -> Bools:
    """The box of ``values`` [T, B, C, Y, X] with zeros where rows and columns leave the image."""
    image = values[slice(*box.steps), slice(*box.samples)]
    found = np.zeros((*image.shape[:3], length(rows), length(columns)), np.bool_)
    top, left = max(0, -rows[0]), max(0, -columns[0])
    inside = image[..., max(0, rows[0]) : max(0, rows[1]), max(0, columns[0]) : max(0, columns[1])]
    found[..., top : top + inside.shape[3], left : left + inside.shape[4]] = inside
    return found


def _spread(values: Bools, box: Box, rows: Span, columns: Span, stride: tuple[int, int]) -> Bools:
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

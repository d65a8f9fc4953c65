"""Exact slot and operation counts from recorded masks, by chunk, tile, tap, sample, step and row.

A slot is one vector of input operands at one position of one kernel tap against one tile of
outputs. In mode ``vector`` it is skipped when it cannot change the result (design of each engine):
FP, all its input spikes are zero; BP, all its dU are zero or none of its dS is needed; WG, either
vector is all zero. Padding is a zero operand. All sums are over columns only, so that blocks of
any rows, steps and samples can be added up from them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tlm.workload.model import Layer

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


def by_group(values: Bools, group: int) -> npt.NDArray[np.float32]:
    """How many of each ``group`` channels are set: [T, B, C, H, W] -> [T, B, C/group, H, W]."""
    missing = -values.shape[2] % group
    padded = np.pad(values, ((0, 0), (0, 0), (0, missing), (0, 0), (0, 0)))
    t, b, c, h, w = padded.shape
    return np.asarray(padded.reshape(t, b, c // group, group, h, w).sum(axis=3, dtype=np.float32))


@dataclass(frozen=True, slots=True)
class FpCounts:
    """FP of one layer: ``executed`` and ``events`` [T, B, chunk, tap, E], ``touched`` [T, B, E].

    ``executed`` slots for each output tile; ``events`` non-zero operands, each worth one useful
    operation for every output channel; ``touched`` positions with at least one executed slot.
    """

    executed: Ints
    events: Ints
    touched: Ints


@dataclass(frozen=True, slots=True)
class PairCounts:
    """BP or WG of one layer: both [T, B, k tile, c chunk, tap, rows].

    ``executed`` slots; ``useful`` pairs of a non-zero operand and a non-zero (needed) partner.
    """

    executed: Ints
    useful: Ints


def _taps(layer: Layer) -> list[tuple[int, int]]:
    return [(r, s) for r in range(layer.kernel[0]) for s in range(layer.kernel[1])]


def _pad(layer: Layer, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    (py, px) = layer.padding
    return np.pad(values, ((0, 0),) * 3 + ((py, py), (px, px)))


def _window(
    layer: Layer, padded: npt.NDArray[np.float32], tap: tuple[int, int]
) -> npt.NDArray[np.float32]:
    """The operand of one tap at every output position: [T, B, chunk, E, F]."""
    (_, e, f), (sy, sx) = layer.product_shape, layer.stride
    (r, s) = tap
    return padded[..., r : r + (e - 1) * sy + 1 : sy, s : s + (f - 1) * sx + 1 : sx]


def fp_counts(layer: Layer, inputs: Bools, chunk: int) -> FpCounts:
    """Slots FP executes in mode ``vector``; ``inputs`` is [T, B, C, H, W]."""
    padded = _pad(layer, by_group(inputs, chunk))
    views = [_window(layer, padded, tap) for tap in _taps(layer)]
    executed = np.stack([np.count_nonzero(view, axis=-1) for view in views], axis=3)
    events = np.stack([view.sum(axis=-1, dtype=np.float64) for view in views], axis=3)
    touched = np.count_nonzero(sum(view.sum(axis=2) for view in views), axis=-1)
    return FpCounts(executed.astype(np.int64), events.astype(np.int64), touched.astype(np.int64))


def wg_counts(layer: Layer, inputs: Bools, gradients: Bools, chunk: int, tile: int) -> PairCounts:
    """Slots WG executes in mode ``vector``; rows are output rows."""
    padded = _pad(layer, by_group(inputs, chunk))
    du = by_group(gradients, tile)
    views = [_window(layer, padded, tap) for tap in _taps(layer)]
    return _pairs([(du, view) for view in views])


def bp_counts(layer: Layer, gradients: Bools, need: Bools, chunk: int, tile: int) -> PairCounts:
    """Slots BP executes in mode ``vector``; rows are input rows, the stride's zeros inserted.

    ``need`` is [T, B, C, H, W], all true where outputs are not skipped.
    """
    wanted = by_group(need, chunk)
    return _pairs([(view, wanted) for view in _bp_views(layer, by_group(gradients, tile))])


def bp_touched(layer: Layer, gradients: Bools, need: Bools, chunk: int) -> Ints:
    """Positions of dS with at least one executed slot, [T, B, c chunk, input rows].

    ``gradients`` holds only the output channels of the slice asked about.
    """
    reached = sum(_bp_views(layer, by_group(gradients, gradients.shape[2])))
    touched = (np.asarray(reached) > 0) & (by_group(need, chunk) > 0)
    return np.asarray(np.count_nonzero(touched, axis=-1), np.int64)


def _bp_views(layer: Layer, du: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
    """The dU of each tap at every input position [T, B, tile, H, W]; a stride inserts zeros."""
    (_, h, w), (r, s) = layer.in_shape, layer.kernel
    (sy, sx), (py, px) = layer.stride, layer.padding
    grid = np.zeros((*du.shape[:3], h + r - 1, w + s - 1), np.float32)
    top, left = r - 1 - py, s - 1 - px
    grid[..., top::sy, left::sx][..., : du.shape[3], : du.shape[4]] = du
    return [
        grid[..., r - 1 - i : r - 1 - i + h, s - 1 - j : s - 1 - j + w] for i, j in _taps(layer)
    ]


def _pairs(
    operands: list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]],
) -> PairCounts:
    """Multiply tiles x columns by columns x chunks for every tap; float64 keeps counts exact."""
    executed, useful = [], []
    for left, right in operands:
        a = left.transpose(0, 1, 3, 2, 4)  # [T, B, rows, tile, x]
        b = right.transpose(0, 1, 3, 4, 2)  # [T, B, rows, x, chunk]
        executed.append(np.matmul((a > 0).astype(np.float64), (b > 0).astype(np.float64)))
        useful.append(np.matmul(a.astype(np.float64), b.astype(np.float64)))
    # each [T, B, rows, tile, chunk] -> [T, B, tile, chunk, tap, rows]
    order = (1, 2, 4, 5, 0, 3)
    return PairCounts(
        np.stack(executed).transpose(order).astype(np.int64),
        np.stack(useful).transpose(order).astype(np.int64),
    )

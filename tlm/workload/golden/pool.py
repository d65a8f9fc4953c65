"""Pooling of [..., E, F] in NumPy, forward and backward."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tlm.workload.model import Pool
from tlm.workload.values import Numbers


def pooled(pool: Pool | None, values: Numbers) -> Numbers:
    """``values`` [..., E, F] pooled; unchanged without a pool."""
    if pool is None:
        return values
    windows = _windows(pool, values)
    if pool.kind == "sum":
        return np.asarray(windows.sum(-1))
    return np.asarray(windows.max(-1) if pool.kind == "max" else windows.mean(-1))


def pool_gradient(pool: Pool | None, values: Numbers, gradient: Numbers) -> Numbers:
    """Gradient at ``values`` from that at their pooled form.

    Max-pooling sends it to the first of equals in scan order, as torch does.
    """
    if pool is None:
        return gradient
    if pool.kind == "max":
        winner = _windows(pool, values).argmax(-1)
        shares = [np.where(winner == place, gradient, 0) for place in range(pool.places)]
    else:
        shares = [gradient if pool.kind == "sum" else gradient / pool.places] * pool.places
    return _scattered(pool, values.shape, shares)


def _edges(pool: Pool) -> list[tuple[int, int]]:
    """Rows, and columns, that stand before the first and behind the last."""
    return [(pad, pad + over) for pad, over in zip(pool.padding, pool.overhang, strict=True)]


def _padded(pool: Pool, values: Numbers) -> Numbers:
    edges = _edges(pool)
    if not any(map(any, edges)):
        return values
    around = [(0, 0)] * (values.ndim - 2) + edges
    filler = -np.inf if pool.kind == "max" else 0.0
    return np.pad(values, around, constant_values=filler)


def _windows(pool: Pool, values: Numbers) -> Numbers:
    """[..., E, F] -> [..., E', F', places], windows in scan order."""
    down, across = pool.stride
    view = sliding_window_view(_padded(pool, values), pool.size, axis=(-2, -1))
    view = view[..., ::down, ::across, :, :]
    return view.reshape(*view.shape[:-2], pool.places)


def _scattered(pool: Pool, shape: tuple[int, ...], shares: list[Numbers]) -> Numbers:
    """Add up each window's shares, in scan order, at the elements they belong to."""
    (top, bottom), (left, right) = _edges(pool)
    height, width = shape[-2:]
    full = np.zeros((*shape[:-2], top + height + bottom, left + width + right), shares[0].dtype)
    (rows, columns), (down, across) = shares[0].shape[-2:], pool.stride
    for share, (y, x) in zip(shares, np.ndindex(pool.size), strict=True):
        ends = (y + (rows - 1) * down + 1, x + (columns - 1) * across + 1)
        full[..., y : ends[0] : down, x : ends[1] : across] += share
    return full[..., top : top + height, left : left + width]

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
    area = pool.size * pool.size
    if pool.kind == "max":
        winner = _windows(pool, values).argmax(-1)
        shares = [np.where(winner == place, gradient, 0) for place in range(area)]
    else:
        shares = [gradient if pool.kind == "sum" else gradient / area] * area
    return _scattered(pool, values.shape, shares)


def _padded(pool: Pool, values: Numbers) -> Numbers:
    if not pool.padding:
        return values
    around = ((0, 0),) * (values.ndim - 2) + ((pool.padding, pool.padding),) * 2
    filler = -np.inf if pool.kind == "max" else 0.0
    return np.pad(values, around, constant_values=filler)


def _windows(pool: Pool, values: Numbers) -> Numbers:
    """[..., E, F] -> [..., E', F', size * size], windows in scan order."""
    view = sliding_window_view(_padded(pool, values), (pool.size, pool.size), axis=(-2, -1))
    view = view[..., :: pool.stride, :: pool.stride, :, :]
    return view.reshape(*view.shape[:-2], pool.size * pool.size)


def _scattered(pool: Pool, shape: tuple[int, ...], shares: list[Numbers]) -> Numbers:
    """Add up each window's shares, in scan order, at the elements they belong to."""
    around = 2 * pool.padding
    full = np.zeros((*shape[:-2], shape[-2] + around, shape[-1] + around), shares[0].dtype)
    rows, columns = shares[0].shape[-2:]
    for place, share in enumerate(shares):
        y, x = divmod(place, pool.size)
        ends = (y + (rows - 1) * pool.stride + 1, x + (columns - 1) * pool.stride + 1)
        full[..., y : ends[0] : pool.stride, x : ends[1] : pool.stride] += share
    edge = pool.padding
    return full[..., edge : edge + shape[-2], edge : edge + shape[-1]]

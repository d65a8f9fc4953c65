"""Pooling of [..., E, F] in NumPy, forward and backward: place by place of the windows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import reduce
from typing import Any

import numpy as np

from tlm.workload.model import Pool
from tlm.workload.values import Numbers


def pooled(pool: Pool | None, values: Numbers) -> Numbers:
    """``values`` [..., E, F] pooled; unchanged without a pool."""
    if pool is None:
        return values
    parts = _parts(pool, values)
    if pool.kind == "max":
        return reduce(np.maximum, parts)
    total = reduce(np.add, parts)
    return total if pool.kind == "sum" else np.asarray(total / pool.places)


def pool_gradient(pool: Pool | None, values: Numbers, gradient: Numbers) -> Numbers:
    """Gradient at ``values`` from that at their pooled form.

    Max-pooling sends it to the first of equals in scan order, as torch does.
    """
    if pool is None:
        return gradient
    if pool.kind == "max":
        return _scattered(pool, values.shape, gradient, _winners(pool, values))
    share = gradient if pool.kind == "sum" else gradient / pool.places
    return _scattered(pool, values.shape, share, [True] * pool.places)


def _winners(pool: Pool, values: Numbers) -> Iterator[Numbers]:
    """By place of a window: where it holds the first of its largest values."""
    largest = pooled(pool, values)
    free = np.ones(largest.shape, np.bool_)
    for part in _parts(pool, values):
        here = free & (part == largest)
        free ^= here
        yield here


def _edges(pool: Pool) -> list[tuple[int, int]]:
    """Rows, and columns, that stand before the first and behind the last."""
    return [(pad, pad + over) for pad, over in zip(pool.padding, pool.overhang, strict=True)]


def _parts(pool: Pool, values: Numbers) -> list[Numbers]:
    """What stands at each place of all windows, [..., E', F'], in scan order."""
    edges = _edges(pool)
    if any(map(any, edges)):
        around = [(0, 0)] * (values.ndim - 2) + edges
        values = np.pad(values, around, constant_values=-np.inf if pool.kind == "max" else 0.0)
    return [values[place] for place in _places(pool, values.shape)]


def _places(pool: Pool, shape: tuple[int, ...]) -> Iterator[tuple[Any, ...]]:
    """The places of windows in padded values of ``shape``, as indices."""
    rows, columns = (
        range(0, whole - size + 1, step)
        for whole, size, step in zip(shape[-2:], pool.size, pool.stride, strict=True)
    )
    for y, x in np.ndindex(pool.size):
        down, across = (
            slice(first, first + places[-1] + 1, places.step)
            for first, places in ((y, rows), (x, columns))
        )
        yield ..., down, across


def _scattered(
    pool: Pool, shape: tuple[int, ...], share: Numbers, where: Iterable[Numbers | bool]
) -> Numbers:
    """Add up each window's ``share``, in scan order, at the elements that receive it."""
    (top, bottom), (left, right) = _edges(pool)
    height, width = shape[-2:]
    padded = (*shape[:-2], top + height + bottom, left + width + right)
    full = np.zeros(padded, share.dtype)
    for place, here in zip(_places(pool, padded), where, strict=True):
        full[place] += share * here
    return full[..., top : top + height, left : left + width]

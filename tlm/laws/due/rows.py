"""Rows by the laws' own rules: which rows of one grid follow from which rows of another.

Sets of row numbers, walked tap by tap; the engines use the spans of :mod:`tlm.space.geometry`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

import numpy as np

from tlm.laws.due.facts import LayerFacts
from tlm.laws.due.operands import returned_inputs
from tlm.space.array_types import Bools
from tlm.space.region import Slice
from tlm.workload.model import Layer, Pool

RowSet = set[int]


def read_rows(facts: LayerFacts, part: Slice, height: int) -> RowSet:
    """Rows of the sources, ``height`` in all, that FP of a slice needs."""
    layer = facts.layer
    if layer.kind == "linear" or layer.turned:
        return set(range(height))
    return windows_rows(layer.input_pool, kernel_rows(layer, facts.product_rows(part)), height)


def returned_rows(facts: LayerFacts, part: Slice, height: int) -> RowSet:
    """Rows of the sources, ``height`` in all, that BP of a slice computes dX of."""
    pool, rows = facts.layer.input_pool, set(range(*part.input_rows))
    if facts.layer.kind == "linear" and rows:
        return set(range(height))
    return windows_rows(pool, rows, height)


def sent_rows(facts: LayerFacts, part: Slice, height: int) -> RowSet:
    """Rows of the sources from the first to the last that FP of a slice reaches.

    Those between come along, also where all windows step over them or end in the padding.
    """
    layer, rows = facts.layer, facts.product_rows(part)
    if layer.kind == "linear":
        return set(range(height))
    between = _between(_under_kernel(layer, rows), layer.in_shape[1])
    pool = layer.input_pool
    return between if pool is None else _between(_under_windows(pool, between), height)


def _between(touched: RowSet, height: int) -> RowSet:
    return set(range(min(touched, default=0), max(touched, default=-1) + 1)) & set(range(height))


def kernel_rows(layer: Layer, rows: Iterable[int]) -> RowSet:
    """Input rows under the kernel at some rows of the product."""
    return _under_kernel(layer, rows) & set(range(layer.in_shape[1]))


def rows_over(layer: Layer, rows: RowSet) -> RowSet:
    """Rows of the product whose kernel, from its first tap to its last, lies over some input rows.

    A dilated one may step over them all.
    """
    (taps, _), stride, pad = tap_places(layer), layer.stride[0], layer.padding[0]
    reach = range(-pad, taps[-1] + 1 - pad)
    return {
        y for y in range(layer.product_shape[1]) if rows & {y * stride + place for place in reach}
    }


def _under_kernel(layer: Layer, rows: Iterable[int]) -> RowSet:
    """The same, those outside of the image as well."""
    stride, pad, (taps, _) = layer.stride[0], layer.padding[0], tap_places(layer)
    return {y * stride - pad + tap for y in rows for tap in taps}


def tap_places(layer: Layer) -> tuple[range, range]:
    """Rows and columns of the kernel's taps, from the first on."""
    (r, s), (dy, dx) = layer.kernel, layer.dilation
    return range(0, r * dy, dy), range(0, s * dx, dx)


def windows_rows(pool: Pool | None, rows: RowSet, height: int) -> RowSet:
    """Rows, of ``height`` in all, in the windows of some pooled rows."""
    if pool is None:
        return rows
    return _under_windows(pool, rows) & set(range(height))


def pooled_lines(pool: Pool | None, size: int, axis: int) -> RowSet:
    """Rows (``axis`` 0) or columns (1), of ``size`` in all, that a pool does not step over."""
    if pool is None:
        return set(range(size))
    reach, stride, before = pool.size[axis], pool.stride[axis], pool.padding[axis]
    end = size + before + pool.overhang[axis] - reach + 1
    return {first + at for first in range(-before, end, stride) for at in range(reach)}


def _under_windows(pool: Pool, rows: Iterable[int]) -> RowSet:
    return {y * pool.stride[0] - pool.padding[0] + at for y in rows for at in range(pool.size[0])}


def pooled_rows(layer: Layer, part: Slice) -> RowSet:
    """Pooled rows of a slice: those whose last row of neurons is its own."""
    pool, height = layer.pool, layer.out_shape[1]
    if pool is None:
        return set(range(*part.neurons.rows))
    first, end = part.neurons.rows
    behind = pool.size[0] - pool.padding[0] - 1
    last_of = (y * pool.stride[0] + behind for y in range(layer.pooled_shape[1]))
    return {y for y, last in enumerate(last_of) if first <= min(last, height - 1) < end}


def returned_to(layer: Layer, layers: Sequence[Layer], source: Layer, owner: Slice) -> Bools:
    """The elements of a layer's input, [*in_shape], whose dX goes to a slice of a source."""
    return returned_inputs(layer, layers, source.index, owned(source, owner))


def owned(layer: Layer, owner: Slice) -> Bools:
    """The outputs of a layer, [*pooled_shape], that are a slice's."""
    own = np.zeros(layer.pooled_shape, np.bool_)
    own[slice(*owner.neurons.channels), sorted(pooled_rows(layer, owner))] = True
    return own


def taps_met(layer: Layer, part: Slice) -> list[int]:
    """Kernel taps that bring any output to any of a slice's input positions."""
    (sy, sx), (py, px) = layer.stride, layer.padding
    rows = {(y + py) % sy for y in range(*part.input_rows)}
    columns = {(x + px) % sx for x in range(layer.in_shape[2])}
    return [
        number
        for number, (y, x) in enumerate(product(*tap_places(layer)))
        if y % sy in rows and x % sx in columns
    ]

"""Rows through kernels and pools: which rows of one grid belong to which rows of another.

Grids of a layer, in the order data pass them in FP: source (the sources' pooled outputs), input
(after ``input_pool``), product (the convolution's output), neurons (after ``current_pool``),
pooled (after ``pool``). All spans are half-open and clipped to the image.
"""

from __future__ import annotations

from tlm.space.region import Span
from tlm.workload.model import Layer, Pool


def input_rows(layer: Layer, rows: Span) -> Span:
    """Input rows that a span of product rows reads."""
    return _rows_under(rows, layer.stride[0], layer.padding[0], layer.extent[0], layer.in_shape[1])


def output_rows(layer: Layer, rows: Span) -> Span:
    """Product rows whose dY a span of input rows needs in BP."""
    stride, pad, extent = layer.stride[0], layer.padding[0], layer.extent[0]
    low = max(0, -(-(rows[0] + pad - extent + 1) // stride))
    return (low, max(low, min(layer.product_shape[1], (rows[1] - 1 + pad) // stride + 1)))


def source_rows(layer: Layer, rows: Span, height: int) -> Span:
    """Rows of a source of ``height`` rows that a span of input rows reads through the pool."""
    if layer.kind == "linear" or layer.turned:
        return (0, height)
    return pooled_rows(layer.input_pool, rows, height)


def pooled_rows(pool: Pool | None, rows: Span, height: int) -> Span:
    """Rows, of ``height`` in all, that a span of pooled rows is made of."""
    if pool is None:
        return rows
    return pool_rows(pool, rows, height)


def pool_rows(pool: Pool, rows: Span, height: int) -> Span:
    """Rows, of ``height`` in all, that the windows of a span of pooled rows read."""
    return _rows_under(rows, pool.stride[0], pool.padding[0], pool.size[0], height)


def fed_rows(pool: Pool | None, rows: Span, pooled: int) -> Span:
    """Pooled rows whose window holds any of ``rows``, of ``pooled`` rows in all."""
    if pool is None:
        return rows
    stride, pad, size = pool.stride[0], pool.padding[0], pool.size[0]
    low = max(0, -(-(rows[0] + pad - size + 1) // stride))
    return (low, max(low, min(pooled, (rows[1] - 1 + pad) // stride + 1)))


def finished_rows(pool: Pool | None, rows: Span, height: int, pooled: int) -> Span:
    """Pooled rows whose last row lies in ``rows``, of ``height`` rows pooled to ``pooled``."""
    if pool is None:
        return rows
    return (_complete(pool, rows[0], height, pooled), _complete(pool, rows[1], height, pooled))


def pool_adds(pool: Pool, rows: Span, shape: tuple[int, int]) -> int:
    """Additions, or comparisons, that a span of pooled rows of one channel costs.

    A window over n elements of what is pooled, whose rows and columns are ``shape``, costs n - 1.
    """
    height, width = shape
    columns = pool.pooled((1, *shape))[2]
    across = sum(_window(pool, 1, x, width) for x in range(columns))
    return sum(_window(pool, 0, y, height) * across - columns for y in range(*rows))


def product_rows(layer: Layer, rows: Span) -> Span:
    """Product rows that a span of neuron rows needs; all, if currents are pooled."""
    return rows if layer.current_pool is None else (0, layer.product_shape[1])


def product_span(layer: Layer, rows: Span) -> Span:
    """Product rows of a span of neuron rows; those of adjoining spans adjoin and do not overlap."""
    pool = layer.current_pool
    if pool is None:
        return rows
    end = layer.product_shape[1]
    high = end if rows[1] == layer.out_shape[1] else min(end, rows[1] * pool.stride[0])
    return (min(high, rows[0] * pool.stride[0]), high)


def row_quantum(layer: Layer) -> int | None:
    """Neuron rows that must stay on one core; None if all must, because windows overlap.

    A window across a cut would need the neighbour's spikes before it can be pooled.
    """
    if layer.current_pool is not None:
        return None
    pool = layer.pool
    if pool is None:
        return 1
    apart = pool.size[0] <= pool.stride[0] and not pool.padding[0]
    return pool.stride[0] if apart else None


def _rows_under(rows: Span, stride: int, padding: int, size: int, height: int) -> Span:
    """Rows, of ``height`` in all, under windows of ``size`` at a span of output rows."""
    low = max(0, rows[0] * stride - padding)
    return (low, max(low, min(height, (rows[1] - 1) * stride + size - padding)))


def _window(pool: Pool, axis: int, at: int, side: int) -> int:
    """Rows (``axis`` 0) or columns of what is pooled, of ``side``, in the window at ``at``."""
    first = at * pool.stride[axis] - pool.padding[axis]
    return min(side, first + pool.size[axis]) - max(0, first)


def _complete(pool: Pool, end: int, height: int, pooled: int) -> int:
    """How many pooled rows are complete once the first ``end`` rows are there."""
    if end >= height:
        return pooled
    return min(pooled, max(0, (end + pool.padding[0] - pool.size[0]) // pool.stride[0] + 1))

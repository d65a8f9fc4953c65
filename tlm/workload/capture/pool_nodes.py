"""A node of the autograd graph -> the pool that it applied."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

from tlm.errors import WorkloadError
from tlm.workload.model import Pair, Pool, Shape3

GLOBAL: Pair = (0, 0)
"""Size of an average pool over all positions; known once shapes are."""

_POOLS: dict[str, Literal["max", "average"]] = {
    "MaxPool2D": "max",
    "MaxPool2DWithIndices": "max",
    "AvgPool2D": "average",
    "AdaptiveMaxPool2D": "max",
    "AdaptiveAvgPool2D": "average",
    "MaxPool3DWithIndices": "max",
    "AvgPool3D": "average",
    "AdaptiveMaxPool3D": "max",
    "AdaptiveAvgPool3D": "average",
}


def pool_of(where: str, operation: str, node: Any) -> Pool | None:
    """The pool that ``node`` applied, or None if it is no pool.

    A pool that averages windows which hang over the edge, leaves its padding out or adapts its
    windows is recorded where that comes to the same as windows of one size.

    Raises:
        WorkloadError: a pool that the format cannot say; ``where`` is the layer behind it.
    """
    if operation in ("Mean", "Sum"):
        return _global("average" if operation == "Mean" else "sum", node)
    if operation not in _POOLS:
        return None
    kind = _POOLS[operation]
    if rank_of(node) == 3 and omitted_axis(node) is None:
        raise WorkloadError(
            f"{where}: the {kind} pool before it reaches over three dimensions, which is not "
            "modelled; let it leave one of them, time, as it is"
        )
    if operation.startswith("Adaptive"):
        pool, faults = _adaptive(kind, node)
    else:
        size, stride = node._saved_kernel_size, node._saved_stride or node._saved_kernel_size
        pool = Pool(kind, *(_pair(node, each) for each in (size, stride, node._saved_padding)))
        pool = replace(pool, overhang=_overhang(pool, node))
        faults = list(_faults(pool, node))
    if faults:
        raise WorkloadError(f"{where}: the {kind} pool before it {faults[0]}")
    return pool


def _global(kind: Literal["average", "sum"], node: Any) -> Pool | None:
    """The mean or sum over rows and columns; None if it is taken over others."""
    axes = {axis - (1 << 64) if axis >= 1 << 63 else axis for axis in node._saved_dim}
    rank = len(node._saved_self_sym_sizes)
    is_global = {axis % rank for axis in axes} == {rank - 1, rank - 2} and rank > 3
    return Pool(kind, GLOBAL, GLOBAL) if is_global else None


def _adaptive(kind: Literal["max", "average"], node: Any) -> tuple[Pool, list[str]]:
    """The windows that give an output of the size that was asked for."""
    (height, width), (rows, columns) = _sides(node)
    size = (height // rows, width // columns)
    if (height, width) == (size[0] * rows, size[1] * columns):
        return Pool(kind, size, size), []
    return Pool(kind, size, size), [
        f"adapts its windows to come from {height} x {width} to {rows} x {columns}, and they are "
        "not of one size; pool to a size that divides, or with windows of one size"
    ]


def _faults(pool: Pool, node: Any) -> Iterator[str]:
    """What the format cannot say of a pool with windows, and what to do."""
    if set(getattr(node, "_saved_dilation", (1,))) != {1}:
        yield "is dilated, which is not modelled; use dilation=1"
    if any(pool.padding) and not getattr(node, "_saved_count_include_pad", True):
        yield (
            "leaves its padding out of the mean (count_include_pad=False), which is not modelled; "
            "use count_include_pad=True, or padding=0"
        )
    divisor = getattr(node, "_saved_divisor_override", None)
    if divisor not in (None, pool.places):
        yield f"divides by {divisor} instead of {pool.places}; leave divisor_override out"
    if pool.kind != "max" and any(pool.overhang):
        (height, width), out = _sides(node)
        yield (
            f"rounds up (ceil_mode=True) from {height} x {width} to {out[0]} x {out[1]}: means of "
            "windows that hang over the edge, by fewer elements, are not modelled; use "
            "ceil_mode=False"
        )


def _overhang(pool: Pool, node: Any) -> Pair:
    """How far the last windows of a pool that rounds up hang over the padding."""
    sides, out = _sides(node)
    rows, columns = (
        max(0, (count - 1) * step + size - side - 2 * pad)
        for count, step, size, side, pad in zip(
            out, pool.stride, pool.size, sides, pool.padding, strict=True
        )
    )
    return rows, columns


def rank_of(node: Any) -> int:
    """Dimensions of a pool's windows: 2 or 3."""
    return 3 if "3D" in type(node).__name__ else 2


def omitted_axis(node: Any) -> int | None:
    """The axis, -3 to -1, that a pool of three dimensions leaves as it is, if there is one.

    It may be time, or of one element.
    """
    if rank_of(node) != 3:
        return None
    before, behind = node._saved_self.shape[-3:], node._input_metadata[0].shape[-3:]
    for at in range(3):
        # One number stands for all; an adaptive pool has none.
        size, stride, padding = (
            (*getattr(node, f"_saved_{name}", ()), *(usual,) * 3)[at]
            for name, usual in (("kernel_size", 1), ("stride", 1), ("padding", 0))
        )
        if (size, stride, padding) == (1, 1, 0) and before[at] == behind[at]:
            return at - 3
    return None


def _pair(node: Any, value: Any) -> Pair:
    """Rows and columns of what is said of each dimension."""
    values = [int(each) for each in value] * (rank_of(node) if len(value) == 1 else 1)
    if rank_of(node) == 3:
        omitted = omitted_axis(node)
        assert omitted is not None
        del values[omitted]
    return values[0], values[1]


def _sides(node: Any) -> tuple[Pair, Pair]:
    """Rows and columns of what a pool read, and of what came of it."""
    rank = rank_of(node)
    shapes = node._saved_self.shape, node._input_metadata[0].shape  # its inputs are gradients
    before, behind = (_pair(node, shape[-rank:]) for shape in shapes)
    return before, behind


def sized(pool: Pool, shape: Shape3) -> Pool:
    """``pool`` of ``shape``; a global pool gets its size, which the shape decides."""
    return Pool(pool.kind, shape[1:], shape[1:]) if pool.size == GLOBAL else pool

"""A node of the autograd graph -> the pool that it applied."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from tlm.errors import WorkloadError
from tlm.workload.model import Pool, Shape3

GLOBAL = 0
"""Size of an average pool over all positions; known once shapes are."""

_POOLS: dict[str, Literal["max", "average"]] = {
    "MaxPool2D": "max",
    "MaxPool2DWithIndices": "max",
    "AvgPool2D": "average",
    "AdaptiveMaxPool2D": "max",
    "AdaptiveAvgPool2D": "average",
}


def pool_of(where: str, operation: str, node: Any) -> Pool | None:
    """The pool that ``node`` applied, or None if it is no pool.

    A pool that rounds up, leaves its padding out or adapts its windows is recorded where that
    comes to the same as square windows.

    Raises:
        WorkloadError: a pool that the format cannot say; ``where`` is the layer behind it.
    """
    if operation == "Mean":
        return _global(node)
    if operation not in _POOLS:
        return None
    kind = _POOLS[operation]
    if operation.startswith("Adaptive"):
        pool, faults = _adaptive(kind, node)
    else:
        size, stride = node._saved_kernel_size, node._saved_stride or node._saved_kernel_size
        pool = Pool(kind, size[0], stride[0], node._saved_padding[0])
        faults = list(_faults(pool, node))
    if faults:
        raise WorkloadError(f"{where}: the {kind} pool before it {faults[0]}")
    return pool


def _global(node: Any) -> Pool | None:
    """The mean over rows and columns; None if it is taken over others."""
    axes = {axis - (1 << 64) if axis >= 1 << 63 else axis for axis in node._saved_dim}
    rank = len(node._saved_self_sym_sizes)
    is_global = {axis % rank for axis in axes} == {rank - 1, rank - 2} and rank > 3
    return Pool("average", GLOBAL, GLOBAL) if is_global else None


def _adaptive(kind: Literal["max", "average"], node: Any) -> tuple[Pool, list[str]]:
    """The windows that give an output of the size that was asked for."""
    (height, width), (rows, columns) = _sides(node)
    pool = Pool(kind, height // rows, height // rows)
    if height == pool.size * rows and width == pool.size * columns:
        return pool, []
    return pool, [
        f"adapts its windows to come from {height} x {width} to {rows} x {columns}, and they are "
        "not squares of one size; pool with such squares"
    ]


def _faults(pool: Pool, node: Any) -> Iterator[str]:
    """What the format cannot say of a pool with windows, and what to do."""
    for what in ("kernel_size", "stride", "padding"):
        if len(set(pair := getattr(node, f"_saved_{what}"))) > 1:
            yield f"has {what}={tuple(pair)}: only square windows are modelled; use equal numbers"
    if set(getattr(node, "_saved_dilation", (1,))) != {1}:
        yield "is dilated, which is not modelled; use dilation=1"
    if pool.padding and not getattr(node, "_saved_count_include_pad", True):
        yield (
            "leaves its padding out of the mean (count_include_pad=False), which is not modelled; "
            "use count_include_pad=True, or padding=0"
        )
    divisor = getattr(node, "_saved_divisor_override", None)
    if divisor not in (None, pool.size**2):
        yield f"divides by {divisor} instead of {pool.size**2}; leave divisor_override out"
    (height, width), out = _sides(node)
    if pool.pooled((1, height, width))[1:] != out:
        yield (
            f"rounds up (ceil_mode=True) from {height} x {width} to {out[0]} x {out[1]}: windows "
            "that hang over the edge are not modelled; use ceil_mode=False"
        )


def _sides(node: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows and columns of what a pool read, and of what came of it."""
    height, width = node._saved_self.shape[-2:]
    rows, columns = node._input_metadata[0].shape[-2:]  # a node's inputs are gradients
    return (int(height), int(width)), (int(rows), int(columns))


def sized(where: str, pool: Pool, shape: Shape3) -> Pool:
    """``pool`` of ``shape``; a global pool gets its size, which the shape decides.

    Raises WorkloadError if a global pool's window is not square; ``where`` is the layer at it.
    """
    if pool.size != GLOBAL:
        return pool
    if shape[1] != shape[2]:
        raise WorkloadError(
            f"{where}: a global pool at it covers {shape[1]} x {shape[2]}: only square windows are "
            "modelled; pool square images"
        )
    return Pool(pool.kind, shape[1], shape[1])

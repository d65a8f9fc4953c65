"""Where a tensor comes from: the autograd graph walked back to the boundaries that made it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tlm.errors import WorkloadError
from tlm.workload.model import Pool

if TYPE_CHECKING:
    from torch import Tensor

INPUT = ""
"""Name of the source that is no boundary: the network's input."""

GLOBAL = 0
"""Size of an average pool over all positions; known once shapes are."""

# Operations that only arrange elements.
_ARRANGING = (
    "View", "UnsafeView", "ReshapeAlias", "Unsqueeze", "Squeeze", "Permute", "Transpose", "T",
    "Expand", "Repeat", "Clone", "Alias", "Select", "Slice", "Unbind", "Split", "Stack", "Cat",
    "ToCopy", "Index", "IndexSelect", "UnsafeSplit", "SplitWithSizes", "Contiguous", "Mt",
)  # fmt: skip
_JOINING = ("Stack", "Cat")


@dataclass(frozen=True)
class Edge:
    """One way back to a boundary: its name, and the pools passed, the nearest first.

    Each pool comes with the identity of its node: edges that share a pool can be recognised.
    """

    source: str
    pools: tuple[tuple[int, Pool], ...]


def edges_of(where: str, tensor: Tensor, known: Mapping[Any, str]) -> tuple[Edge, ...]:
    """The boundaries whose sum ``tensor`` is; ``known`` maps autograd nodes to boundary names.

    Raises WorkloadError naming the operation, if another than adding and pooling lies between.
    """
    if tensor.grad_fn is None:
        return (Edge(INPUT, ()),)
    edges: list[Edge] = []
    pending: list[tuple[Any, tuple[tuple[int, Pool], ...]]] = [(tensor.grad_fn, ())]
    while pending:
        node, pools = pending.pop()
        if node in known:
            edges.append(Edge(known[node], pools))
            continue
        operation = type(node).__name__.split("Backward")[0]
        operands = [operand for operand, _ in node.next_functions]
        if operation == "AccumulateGrad" or not operands:
            edges.append(Edge(INPUT, pools))
            continue
        if pool := _pool(where, operation, node):
            pools = (*pools, (id(node), pool))
        elif operation not in (*_ARRANGING, "Add"):
            raise _refusal(where, operation)
        if operation in _JOINING:
            operands = operands[-1:]
        if operation != "Add":
            operands = operands[:1]
        # None stands for a constant or the network's input: there is nothing further back.
        edges += [Edge(INPUT, pools) for operand in operands if operand is None]
        pending += [(operand, pools) for operand in operands if operand is not None]
    return tuple(edges)


def _pool(where: str, operation: str, node: Any) -> Pool | None:
    """The pool that ``node`` applied, or None if it is no pool."""
    if operation.startswith("MaxPool2D"):
        return _window(where, "max", node)
    if operation == "AvgPool2D":
        return _window(where, "average", node)
    if operation == "Mean":
        axes = {axis - (1 << 64) if axis >= 1 << 63 else axis for axis in node._saved_dim}
        rank = len(node._saved_self_sym_sizes)
        if {axis % rank for axis in axes} == {rank - 1, rank - 2} and rank > 3:
            return Pool("average", GLOBAL, GLOBAL)
    return None


def _window(where: str, kind: Any, node: Any) -> Pool:
    size, stride = node._saved_kernel_size, node._saved_stride or node._saved_kernel_size
    padding = node._saved_padding
    dilation = getattr(node, "_saved_dilation", (1,))
    plain = not node._saved_ceil_mode and getattr(node, "_saved_count_include_pad", True)
    square = all(len(set(pair)) == 1 for pair in (size, stride, padding))
    if not square or set(dilation) != {1} or not plain:
        raise WorkloadError(
            f"{where}: expected square pooling windows without dilation, ceil_mode or "
            f"count_include_pad=False before it, got size {size}, stride {stride}; change the pool"
        )
    return Pool(kind, size[0], stride[0], padding[0])


def _refusal(where: str, operation: str) -> WorkloadError:
    hints = {
        "Mul": "dropout, attention or another product: record without it",
        "NativeDropout": "record with dropout at p = 0",
        "Mean": "average over time after the read-out, not before it",
        "Checkpoint": "switch activation checkpointing off while recording",
    }
    hint = hints.get(operation, "only pooling, reshaping and adding spikes are known there")
    return WorkloadError(f"{where}: its input passes through the operation {operation}; {hint}")

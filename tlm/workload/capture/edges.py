"""Where a tensor comes from: the autograd graph walked back to the boundaries that made it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tlm.errors import WorkloadError
from tlm.workload.capture.pool_nodes import pool_of
from tlm.workload.capture.provenance import Call, refusal
from tlm.workload.model import Pool

if TYPE_CHECKING:
    from torch import Tensor

INPUT = ""
"""Name of the source that is no boundary: the network's input."""

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


def edges_of(where: str, tensor: Tensor, known: Mapping[Any, Call]) -> tuple[Edge, ...]:
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
            edges.append(Edge(known[node].name, pools))
            continue
        operation = type(node).__name__.split("Backward")[0]
        operands = [operand for operand, _ in node.next_functions]
        if operation == "AccumulateGrad" or not operands:
            edges.append(Edge(INPUT, pools))
            continue
        if pool := pool_of(where, operation, node):
            pools = (*pools, (id(node), pool))
        elif operation not in (*_ARRANGING, "Add"):
            raise refusal(where, operation)
        if operation in _JOINING:
            operands = operands[-1:]
        if operation != "Add":
            operands = operands[:1]
        # None stands for a constant or the network's input: there is nothing further back.
        edges += [Edge(INPUT, pools) for operand in operands if operand is None]
        pending += [(operand, pools) for operand in operands if operand is not None]
    return tuple(edges)

"""Where each element of a tensor comes from: the autograd graph walked back to boundaries.

An element is a sum of terms, and a term a product of factors. For each factor there is a map, which
gives the number of an element of an origin: the output of a boundary, or what a pool made of other
elements. Views, permutations, slices, concatenations and what else only arranges elements is done
again on the maps, so that it does not matter how a network writes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

from tlm.errors import WorkloadError
from tlm.workload.capture.arranging import rearrange_of, shape_of, signed
from tlm.workload.capture.dropouts import check_not_pooled, multiplier_of
from tlm.workload.capture.edges import INPUT
from tlm.workload.capture.factors import (
    UNKNOWN,
    FactorMap,
    ProductMap,
    Terms,
    arranged,
    as_it_is,
    inverted,
    joined,
    products,
)
from tlm.workload.capture.pool_nodes import GLOBAL, omitted_axis, pool_of
from tlm.workload.capture.tensor_axes import TensorAxes, axes_of, single_row
from tlm.workload.model import Pool

if TYPE_CHECKING:
    from torch import Tensor

MOST_TERMS = 64


@dataclass(frozen=True)
class Call:
    """The output of call number ``call`` of the boundary ``name``."""

    name: str
    call: int

    def elements(self, provenance: TensorProvenance, shape: tuple[int, ...]) -> Tensor:
        """The map of what the node of this output, of ``shape``, leaves."""
        return provenance.elements(self, shape)


@dataclass(frozen=True, eq=False)
class Pooled:
    """What ``pool`` made of the sum of ``terms`` [N, C, H, W]."""

    pool: Pool
    terms: Terms


@dataclass(frozen=True, eq=False)
class ElementOrigin:
    """Where elements ``first``, ``first`` + 1, ... of ``shape`` come from; ``map`` has them all.

    They are those there times ``scale``, a constant. ``call`` is that of a boundary, or one of
    those that a pool reads.
    """

    of: Call | Pooled
    call: Call
    shape: tuple[int, ...]
    first: int
    map: Tensor
    scale: float = 1.0


@dataclass(eq=False)
class TensorProvenance:
    """The terms of one tensor: maps of its shape, with numbers of elements of ``origins``."""

    origins: list[ElementOrigin] = field(default_factory=list)
    terms: Terms = field(default_factory=list)
    size: int = 0

    def elements(self, of: Call | Pooled, shape: tuple[int, ...], scale: float = 1.0) -> Tensor:
        """The map of a new origin, which is all its elements in order."""
        import torch

        first = self.size
        self.size += prod(shape)
        every = torch.arange(first, self.size).view(shape)
        call = of if isinstance(of, Call) else self._call_before(of)
        self.origins.append(ElementOrigin(of, call, shape, first, every, scale))
        return every

    def _call_before(self, pooled: Pooled) -> Call:
        """The call of one of the elements that a pool reads; one of the input if none is known."""
        highest = max(int(factor.places.max()) for term in pooled.terms for factor in term)
        behind = [origin for origin in self.origins if origin.first <= highest]
        return behind[-1].call if behind else Call(INPUT, -1 - len(self.origins))

    def arrange(self, arrange: Callable[[Tensor], Tensor]) -> None:
        """Put the elements of all maps elsewhere."""
        self.terms = [arranged(term, arrange) for term in self.terms]

    def scaled(self, places: Tensor, factor: float) -> Tensor:
        """A map with the elements of another, multiplied with a constant: of origins of its own."""
        scaled = places
        for origin in list(self.origins):
            shift, end = self.size - origin.first, origin.first + prod(origin.shape)
            inside = (places >= origin.first) & (places < end)
            if bool(inside.any()):
                self.elements(origin.of, origin.shape, origin.scale * factor)
                scaled = scaled.where(~inside, places + shift)
        return scaled


def provenance_of(where: str, tensor: Tensor, known: Mapping[Any, Call]) -> TensorProvenance:
    """Where the elements of ``tensor`` come from; ``known`` are the nodes of boundaries' outputs.

    Raises WorkloadError naming the operation if one lies between that does more than to arrange,
    to add, to multiply or to pool.
    """
    provenance = TensorProvenance()
    root = (tensor.grad_fn, tensor.output_nr)
    if tensor.grad_fn is None:
        provenance.terms = _nothing_known(tuple(tensor.shape))
        return provenance
    done: dict[tuple[Any, int], Terms] = {}
    pending: list[tuple[Any, int]] = [root]
    while pending:
        node, output = pending[-1]
        if (node, output) in done:
            pending.pop()
        elif node in known:
            done[node, output] = [as_it_is(known[node].elements(provenance, shape_of(node)))]
        elif waiting := _waiting(where, node, done):
            pending += waiting
        else:
            done[node, output] = _terms(where, node, output, done, provenance)
    provenance.terms = done[root]
    return provenance


def _waiting(where: str, node: Any, done: Mapping[Any, Terms]) -> list[tuple[Any, int]]:
    """Operands of ``node`` that must be known before it; refuses what cannot be followed."""
    operation = operation_of(node)
    if operation == "AccumulateGrad":
        return []
    operands = [pair for pair in node.next_functions if pair[0] is not None]
    followed = operation in _FOLLOWED or rearrange_of(operation) is not None
    if not (followed or pool_of(where, operation, node) or constant_of(operation, node)):
        raise _own_function(where, operation) if _is_own(node) else refusal(where, operation)
    if operation in ("Add", "Sub", "Rsub") and node._saved_alpha != 1:
        raise WorkloadError(
            f"{where}: to its input a tensor is added times {node._saved_alpha}, which is not "
            "modelled; add it as it is (alpha=1)"
        )
    return [pair for pair in operands if pair not in done]


def _terms(
    where: str, node: Any, output: int, done: Mapping[Any, Terms], provenance: TensorProvenance
) -> Terms:
    operation = operation_of(node)
    if operation == "AccumulateGrad":
        return _leaf(where, node.variable)
    shape = shape_of(node, output)
    operands = [done.get(pair) for pair in node.next_functions]
    if operation == "Add":
        added = [term for each in operands for term in each or _nothing_known(shape)]
        return _few(where, [arranged(term, lambda map_: map_.expand(shape)) for term in added])
    if operation in ("Cat", "Stack"):
        return _joined(where, node, operands, shape)
    if factor := constant_of(operation, node):
        terms = operands[0] or operands[1] or []
        return [_scaled(where, term, factor, provenance) for term in terms]
    if operation == "NativeDropout":
        return _dropped(where, node, operands[0], shape)
    if operation == "Mul":
        return _few(where, _multiplied(where, node, operands, shape))
    if operation in ("Rsub", "Sub"):
        return _subtracted(where, operands)
    first = operands[0]
    assert first is not None  # a node with one operand that needs no gradient is not made
    if rearrange := rearrange_of(operation):
        return [arranged(term, partial(rearrange, node, output)) for term in first]
    check_not_pooled(where, first)
    if operation in ("Mean", "Sum"):
        return _added_up(where, node, first, provenance)
    pool = pool_of(where, operation, node)
    assert pool is not None
    return [as_it_is(_pooled(pool, omitted_axis(node), first, provenance, shape))]


def _pooled(
    pool: Pool,
    omitted: int | None,
    terms: Terms,
    provenance: TensorProvenance,
    shape: tuple[int, ...],
) -> Tensor:
    """The map of what a pool of ``terms`` leaves, of ``shape``; they are seen as planes.

    Of three dimensions the ``omitted`` one goes to the rows; torch pools a single dimension as
    planes of one row, where planes are noted with one column.
    """
    if omitted is not None:
        moved = [arranged(term, lambda map_: map_.movedim(omitted, -4)) for term in terms]
        rest = [size for axis, size in enumerate(shape) if axis != len(shape) + omitted]
        behind = (*rest[:-3], shape[omitted], *rest[-3:])
        return provenance.elements(Pooled(pool, moved), behind).movedim(-4, omitted)
    if len(shape) > 3 and single_row(first_map(terms), provenance.origins):
        down = [arranged(term, lambda map_: map_.mT) for term in terms]
        behind = (*shape[:-2], shape[-1], shape[-2])
        return provenance.elements(Pooled(pool.turned, down), behind).mT
    return provenance.elements(Pooled(pool, terms), shape)


def constant_of(operation: str, node: Any) -> float | None:
    """The one number that ``node`` multiplies with, or divides by; None if it does not."""
    if operation not in ("Mul", "Div"):
        return None
    left, right = (pair[0] for pair in node.next_functions)
    other = node._saved_self if left is None else node._saved_other if right is None else None
    if other is None or other.numel() != 1 or not other:
        return None
    return float(other) if operation == "Mul" else 1 / float(other) if right is None else None


def first_map(terms: Terms) -> Tensor:
    """A map of some of the elements that are known."""
    maps = [factor.places for term in terms for factor in term]
    return next((places for places in maps if bool((places[..., -1] >= 0).any())), maps[0])


def _leaf(where: str, variable: Tensor) -> Terms:
    """A tensor that was not computed: the network's input, if it is not a learnt one."""
    from torch import nn

    if isinstance(variable, nn.Parameter):
        raise WorkloadError(
            f"{where}: a parameter of shape {list(variable.shape)} goes into its input, and only "
            "weights, biases and batch normalisation are counted; record without it"
        )
    return _nothing_known(tuple(variable.shape))


def _scaled(
    where: str, term: ProductMap, factor: float, provenance: TensorProvenance
) -> ProductMap:
    """A term multiplied with a constant."""
    first, *others = term
    if first.inverted:
        raise refusal(where, "Sub")
    return (replace(first, places=provenance.scaled(first.places, factor)), *others)


def _multiplied(
    where: str, node: Any, operands: list[Terms | None], shape: tuple[int, ...]
) -> Terms:
    """Two sums multiplied, term by term."""
    left, right = operands
    if left is None or right is None:
        return _dropped(where, node, left or right, shape)
    left, right = _settled(where, left, node._saved_self), _settled(where, right, node._saved_other)
    return products(left, right, shape)


def _dropped(where: str, node: Any, terms: Terms | None, shape: tuple[int, ...]) -> Terms:
    """A sum behind a dropout."""
    multiplier = multiplier_of(node)
    if multiplier is None or terms is None:
        raise refusal(where, "Mul")
    spread = [arranged(term, lambda map_: map_.expand(shape)) for term in terms]
    # Factors that are inverted are the last: the first is none.
    return [(first.multiplied(multiplier), *others) for first, *others in spread]


def _settled(where: str, terms: Terms, values: Tensor) -> Terms:
    """Terms to be multiplied, whose ``values`` tell what of them is without gradient, but zero."""
    if len(terms) > 1:
        if is_unknown(terms):
            raise refusal(where, "Mul")
        return terms
    gated = any(factor.inverted for factor in terms[0])
    if gated and not bool(((values == 0) | (values == 1)).all()):
        raise refusal(where, "Sub")
    values = values.cpu()
    settled = [tuple(factor.settled(values) for factor in terms[0])]
    if is_unknown(settled):
        raise refusal(where, "Mul")
    return settled


def _subtracted(where: str, operands: list[Terms | None]) -> Terms:
    """1 minus a factor; that it is from 1 shows in the product."""
    minuend, subtrahend = operands if len(operands) == 2 else (None, operands[0])
    gate = inverted(subtrahend) if subtrahend is not None and minuend is None else None
    if gate is None:
        raise refusal(where, "Sub")
    return gate


def is_unknown(terms: Terms) -> bool:
    """Whether some element has no gradient."""
    return any(bool((factor.places == UNKNOWN).any()) for term in terms for factor in term)


def _joined(where: str, node: Any, operands: list[Terms | None], shape: tuple[int, ...]) -> Terms:
    """Operands side by side along an axis; one that needs no gradient is as long as is left."""
    import torch

    axis = signed(node._saved_dim) % len(shape)
    without = sum(terms is None for terms in operands)
    if operation_of(node) == "Stack":
        join, missing = torch.stack, (*shape[:axis], *shape[axis + 1 :])
    else:
        join = torch.cat
        rest = shape[axis] - sum(
            each[0][0].places.shape[axis] for each in operands if each is not None
        )
        missing = (*shape[:axis], rest, *shape[axis + 1 :])
        if without > 1:
            raise WorkloadError(
                f"{where}: {without} tensors without gradient are concatenated in its input, and "
                "their sizes are not known; concatenate them first, into one"
            )
    filled = [_nothing_known(missing) if each is None else each for each in operands]
    return joined(lambda maps: join(list(maps), axis), filled)


def _added_up(where: str, node: Any, terms: Terms, provenance: TensorProvenance) -> Terms:
    """A sum or mean over all positions of planes; or a sum along an axis of stacked tensors."""
    operation, shape = operation_of(node), shape_of(node)
    before = first_map(terms).shape
    over = [signed(axis) % len(before) for axis in node._saved_dim]
    axes = _planes(terms, over, provenance)
    if axes is not None:
        pool = Pool("sum" if operation == "Sum" else "average", GLOBAL, GLOBAL)
        planes = [arranged(term, axes.planar) for term in terms]
        behind = (*planes[0][0].places.shape[:-2], 1, 1)
        kept = [1 if axis in over else size for axis, size in enumerate(before)]
        pooled = axes.restored(provenance.elements(Pooled(pool, planes), behind), kept)
        return [as_it_is(pooled.reshape(shape))]
    pool_of_planes = pool_of(where, operation, node)
    if pool_of_planes is not None:
        return [as_it_is(_pooled(pool_of_planes, None, terms, provenance, shape))]
    if operation == "Mean" or len(over) != 1 or before[over[0]] > MOST_TERMS:
        raise refusal(where, operation)
    return _few(where, [part for term in terms for part in _slices(term, over[0], shape)])


def _planes(terms: Terms, over: list[int], provenance: TensorProvenance) -> TensorAxes | None:
    """The axes of ``terms``, as tokens or behind time, if ``over`` are all their positions.

    None if they are [..., C, H, W].
    """
    every = [axes_of(factor.places, provenance.origins) for term in terms for factor in term]
    axes = next((axes for axes in every if axes is not None), None)
    if axes is None or not set(axes.positions) <= set(over):
        return None
    single = set(over) - set(axes.positions)
    return axes if all(first_map(terms).shape[axis] == 1 for axis in single) else None


def _slices(term: ProductMap, axis: int, shape: tuple[int, ...]) -> Terms:
    """What stands along ``axis``, each of ``shape``."""
    columns = [[part.reshape(shape) for part in factor.places.unbind(axis)] for factor in term]
    forms = [factor.inverted for factor in term]
    return [tuple(map(FactorMap, places, forms)) for places in zip(*columns, strict=True)]


def _nothing_known(shape: tuple[int, ...]) -> Terms:
    import torch

    return [as_it_is(torch.full(shape, UNKNOWN))]


def _few(where: str, terms: Terms) -> Terms:
    if len(terms) > MOST_TERMS:
        raise WorkloadError(
            f"{where}: its input is a sum of {len(terms)} tensors; at most {MOST_TERMS} can be "
            "recorded: record a smaller network"
        )
    return terms


def operation_of(node: Any) -> str:
    """Name of the operation that ``node`` stands for."""
    return type(node).__name__.split("Backward")[0]


def refusal(where: str, operation: str) -> WorkloadError:
    """The error for an operation on the way to the input of ``where``, with what to do."""
    hint = _HINTS.get(
        operation,
        "only pooling, arranging, adding and multiplying spikes are known there; if it is part of "
        "a neuron, name the neuron's class: neurons={MyNeuron: declare(...)}",
    )
    return WorkloadError(f"{where}: its input passes through the operation {operation}; {hint}")


def _is_own(node: Any) -> bool:
    """Whether a node is that of a function of the user's own."""
    from torch.autograd.function import BackwardCFunction

    return isinstance(node, BackwardCFunction)


def _own_function(where: str, operation: str) -> WorkloadError:
    return WorkloadError(
        f"{where}: its input passes through {operation}, an autograd function of your own, which "
        "looks like a neuron's step: name the class of its module, neurons={MyNeuron: declare("
        f"spike={operation}.apply, ...)}}, or tap it"
    )


_FOLLOWED = ("Add", "Cat", "Stack", "Sum", "Mean", "Mul", "Sub", "Rsub", "NativeDropout")

_HINTS = {
    "Mul": "it is multiplied by what has no gradient and is no dropout (a scale, a mask): record "
    "without it",
    "Sub": "of subtractions only 1 - spikes is known, multiplied with other spikes",
    "Mean": "only all rows and columns can be averaged; average over time after the read-out, not "
    "before it",
    "Sum": "only tensors stacked along an axis of their own can be added up along it",
    "Checkpoint": "switch activation checkpointing off while recording",
    "CopySlices": "it was put together in place: collect the parts in a list, and torch.stack or "
    "torch.cat them",
    "IndexPut": "it was put together in place: torch.cat its parts",
    "UpsampleBilinear2D": "interpolation mixes spikes with weights; use mode='nearest'",
    "Maximum": "a maximum (OR) of spikes is not modelled; add them, or concatenate them",
}

"""Products of two recorded tensors in the autograd graph, as boundaries of their own.

``torch.matmul``, ``@``, ``einsum`` and ``bmm`` all come to one node, a product of matrices
[G, n, c] by [G, c, m], with samples, steps and heads in G. Which of its operands is streamed and
which is held in the place of weights (:mod:`tlm.workload.held`) follows from how they lie.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tlm.errors import WorkloadError
from tlm.workload.capture.provenance import (
    Call,
    ElementOrigin,
    TensorProvenance,
    first_map,
    operation_of,
    provenance_of,
)
from tlm.workload.capture.tensor_axes import kind_along, planes_along, row_runs

if TYPE_CHECKING:
    from torch import Tensor

OPERATION = "Bmm"


def unknown_matmuls(tensor: Tensor, known: Mapping[Any, Call]) -> Iterator[Any]:
    """The nodes of products behind ``tensor`` that are not ``known``, each after those it reads."""
    done: set[Any] = set()
    pending = [] if tensor.grad_fn is None else [tensor.grad_fn]
    while pending:
        node = pending[-1]
        reads = [] if node in known else [read for read, _ in node.next_functions if read]
        waiting = [read for read in reads if read not in done]
        if node in done or not waiting:
            pending.pop()
            if node not in done and node not in known and operation_of(node) == OPERATION:
                yield node
            done.add(node)
        pending += waiting


@dataclass(frozen=True, eq=False)
class MatrixOperand:
    """One operand [G, a, b] of a product: where it comes from, and how it lies.

    G are rows (steps and samples) by ``groups``; the channels of a group are ``channel_axis``, 1 or
    2, the other axis are positions of ``planes``. ``product`` is the form of the product that it
    is, if it is one.
    """

    provenance: TensorProvenance
    groups: int
    channel_axis: int
    planes: tuple[int, int]
    product: MatmulForm | None

    def planar(self, tensor: Tensor) -> Tensor:
        """``tensor`` [G, a, b] as [rows, C, H, W]."""
        turned = tensor if self.channel_axis == 1 else tensor.mT
        return turned.reshape(tensor.shape[0] // self.groups, -1, *self.planes)


@dataclass(frozen=True)
class MatmulForm:
    """How a product of matrices is one of a layer: with its left operand ``streamed_left``, or
    with its right one, in heads ``groups``, and turned as ``Held`` says. ``planes`` are those of
    what it leaves.
    """

    streamed_left: bool
    groups: int
    transposed: bool
    input_transposed: bool
    planes: tuple[int, int]

    def planar(self, tensor: Tensor) -> Tensor:
        """The streamed operand, or the product, [G, n, c] or [G, c, n] as [rows, C, H, W]."""
        turned = tensor.mT if self.streamed_left else tensor
        return turned.reshape(tensor.shape[0] // self.groups, -1, *self.planes)

    def restored(self, planar: Tensor, shape: Sequence[int]) -> Tensor:
        """The reverse of ``planar``, to a product of ``shape``."""
        matrices = (shape[0], shape[2], shape[1]) if self.streamed_left else tuple(shape)
        turned = planar.reshape(matrices)
        return turned.mT if self.streamed_left else turned


@dataclass(frozen=True)
class MatmulCall(Call):
    """The output of a product, which its node has as matrices."""

    form: MatmulForm

    def elements(self, provenance: TensorProvenance, shape: tuple[int, ...]) -> Tensor:
        """The map of the node's output, of ``shape``, with elements in order of planes."""
        import torch

        places = self.form.planar(torch.empty(shape, device="meta"))
        return self.form.restored(provenance.elements(self, tuple(places.shape)), shape)


@dataclass(frozen=True)
class _GraphTensor:
    """A tensor that is only known as the output of a node."""

    grad_fn: Any
    output_nr: int
    shape: tuple[int, ...]


def operands(
    where: str, node: Any, known: Mapping[Any, Call]
) -> tuple[MatrixOperand, MatrixOperand]:
    """The left and the right operand of the product ``node``, which the boundary ``where`` reads.

    Raises WorkloadError if one has no gradient, or is not matrices of channels by positions.
    """
    both = []
    for pair, values in zip(node.next_functions, (node._saved_self, node._saved_mat2), strict=True):
        grad_fn, output_nr = pair
        if grad_fn is None:
            raise WorkloadError(
                f"{where}: its input is a product with a matrix that has no gradient, a constant "
                "or the network's input; put it into a linear layer or a convolution"
            )
        tensor: Any = _GraphTensor(grad_fn, output_nr, tuple(values.shape))
        both.append(_operand(where, provenance_of(where, tensor, known)))
    if both[0].groups != both[1].groups:
        raise _scattered(where)
    return both[0], both[1]


def form_of(left: MatrixOperand, right: MatrixOperand, shape: Sequence[int]) -> MatmulForm:
    """How to see the product, of ``shape`` [G, n, m]: the sum goes over channels of what is
    streamed. If that is so of neither, a product is streamed and turned round, else the left one.

    If it is so of both, the left one is streamed, but for a product that was turned round: its
    positions are no tokens, and the product's would be none either.
    """
    over_left, over_right = left.channel_axis == 2, right.channel_axis == 1
    turned = not (over_left or over_right)
    if turned:
        streamed_left = left.product is not None or right.product is None
    else:
        of_channels = left.product is not None and left.product.input_transposed
        streamed_left = over_left and not (over_right and of_channels)
    planes = (left if streamed_left else right).planes
    return MatmulForm(
        streamed_left=streamed_left,
        groups=left.groups,
        transposed=over_right if streamed_left else over_left,
        input_transposed=turned,
        planes=(int(shape[1 if streamed_left else 2]), 1) if turned else planes,
    )


def _operand(where: str, provenance: TensorProvenance) -> MatrixOperand:
    places, origins = first_map(provenance.terms), provenance.origins
    along = [places[:, -1, -1].numpy(), places[-1, :, -1].numpy(), places[-1, -1, :].numpy()]
    if any((line < 0).any() for line in along):
        raise _scattered(where)
    groups = row_runs(along[0], origins)
    channel_axis = _channel_axis(along, origins)
    if len(along[0]) % groups or channel_axis is None:
        raise _scattered(where)
    planes = planes_along(along[3 - channel_axis], origins)
    source = origins[0].of
    product = source.form if isinstance(source, MatmulCall) else None
    return MatrixOperand(provenance, groups, channel_axis, planes, product)


def _channel_axis(along: Sequence[Any], origins: Sequence[ElementOrigin]) -> int | None:
    """Which of the axes 1 and 2 are channels; of one element is what the other is not."""
    kinds = [kind_along(line, origins) for line in along[1:]]
    fitting = {
        ("channel", "position"): 1, ("channel", None): 1, (None, "position"): 1,
        ("position", "channel"): 2, (None, "channel"): 2, ("position", None): 2, (None, None): 1,
    }  # fmt: skip
    return fitting.get((kinds[0], kinds[1]))


def _scattered(where: str) -> WorkloadError:
    return WorkloadError(
        f"{where}: its input is a product of tensors that do not both lie as channels by positions "
        "in [steps, samples, heads, ...]; keep [T, B, heads, N, d] or [T, B, heads, d, N] in order"
    )

"""A step under construction: kernels so far, tensors by node of the graph, what backward needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import TypeAlias

from tlm_analysis.gpu.step import neuron as lif
from tlm_analysis.gpu.step.kernel import GpuTensor, Kernel
from tlm_analysis.gpu.step.network import INPUT, NetworkShapes, Pooling

ELEMENT_NBYTES = {"amp": 2, "tf32": 4, "fp32": 4}
POOL_INDEX_NBYTES = 8  # torch's max_pool2d_with_indices saves an int64 for every output

Node: TypeAlias = tuple[int, ...]


@dataclass
class SavedPool:
    """What a pooling's backward pass needs: what was pooled, and max-pooling's indices."""

    inputs: GpuTensor
    index: GpuTensor | None


@dataclass
class SavedTerm:
    """What the way back of a term needs: its source, its bytes, and the steps it takes forward."""

    source: int
    nbytes: int
    way: list[SavedPool | Sliced]


@dataclass
class Sliced:
    """A window: what it takes a view of, the view, and what comes of repeating it."""

    before: GpuTensor
    view: GpuTensor
    repeated: GpuTensor


SavedOperand: TypeAlias = list[list[SavedTerm]]  # by part


@dataclass
class SavedProduct:
    """What the backward pass of a product needs; ``outputs`` are those of the product alone."""

    inputs: GpuTensor
    operand: SavedOperand | None
    outputs: GpuTensor
    weight: GpuTensor
    input_pool: SavedPool | None
    kept: GpuTensor | None


@dataclass
class SavedAddend:
    """What the way back of an operand that is a current needs."""

    operand: SavedOperand
    pool: SavedPool | None


@dataclass
class Saved:
    """What a layer's backward pass needs of its forward pass; None where there is no such part."""

    product: SavedProduct | None
    addend: SavedAddend | None
    state: lif.LifState | None
    current_pool: SavedPool | None
    pool: SavedPool | None
    shortcut_pools: list[SavedPool | None]


@dataclass
class StepDraft:
    """A step under construction.

    A node of the graph is the sorted indices of the layers whose outputs it sums, one or more:
    ``outputs`` and ``gradients`` are by node, ``normed`` by stage, of norms with numbers a step.
    ``currents`` enter the neurons of a layer, ``current_gradients`` are what later layers return
    that have added them.
    """

    network: NetworkShapes
    precision: str
    neuron: str
    norm_passes: int
    kernels: list[Kernel] = field(default_factory=list)
    outputs: dict[Node, GpuTensor] = field(default_factory=dict)
    currents: list[GpuTensor] = field(default_factory=list)
    saved: list[Saved] = field(default_factory=list)
    normed: dict[str, GpuTensor] = field(default_factory=dict)
    gradients: dict[Node, GpuTensor] = field(default_factory=dict)
    current_gradients: dict[int, GpuTensor] = field(default_factory=dict)
    weights: list[GpuTensor] = field(default_factory=list)
    weight_gradients: list[GpuTensor] = field(default_factory=list)

    @property
    def element(self) -> int:
        return ELEMENT_NBYTES[self.precision]

    def tensor(self, name: str, *shape: int) -> GpuTensor:
        """An activation or gradient of T B images."""
        return GpuTensor(name, self.network.images * prod(shape) * self.element)

    def view(self, tensor: GpuTensor, nbytes: int) -> GpuTensor:
        """``nbytes`` of a tensor, where they lie; all of it is itself."""
        if nbytes == tensor.nbytes:
            return tensor
        return GpuTensor(f"{tensor.name} view", nbytes, base=tensor.storage, offset=tensor.offset)

    def launch(
        self,
        name: str,
        phase: str,
        reads: tuple[GpuTensor, ...],
        writes: tuple[GpuTensor, ...],
        flop: int = 0,
        holds: tuple[GpuTensor, ...] = (),
    ) -> None:
        """An elementwise kernel."""
        self.kernels.append(Kernel(name, "elementwise", phase, reads, writes, flop, holds=holds))


def summed(step: StepDraft, node: Node) -> GpuTensor:
    """The sum of several layers' outputs, made once: the last added to the sum of the others."""
    if node not in step.outputs:
        others, last = summed(step, node[:-1]), step.outputs[node[-1:]]
        step.outputs[node] = GpuTensor("sum", last.nbytes)
        step.launch(f"layer {node[-1]} add", "fp", (others, last), (step.outputs[node],))
    return step.outputs[node]


def pooled(
    step: StepDraft, name: str, kind: Pooling | None, inputs: GpuTensor, shape: tuple[int, ...]
) -> tuple[GpuTensor, SavedPool | None]:
    if kind is None:
        return inputs, None
    outputs = step.tensor(f"{name} pooled", *shape)
    if kind != "max":
        step.launch(f"{name} pool", "fp", (inputs,), (outputs,))
        return outputs, SavedPool(inputs, None)
    index = GpuTensor(f"{name} pool index", outputs.nbytes // step.element * POOL_INDEX_NBYTES)
    step.launch(f"{name} pool", "fp", (inputs,), (outputs, index))
    return outputs, SavedPool(inputs, index)


def pool_gradient(
    step: StepDraft, name: str, gradient: GpuTensor, pool: SavedPool | None
) -> GpuTensor:
    """Autograd keeps what was pooled alive, but only the indices of max-pooling are read."""
    if pool is None:
        return gradient
    result = GpuTensor(f"{name} unpooled gradient", pool.inputs.nbytes)
    reads = (gradient,) if pool.index is None else (gradient, pool.index)
    step.launch(f"{name} pool grad", "bp", reads, (result,), holds=(pool.inputs,))
    return result


def accumulate(step: StepDraft, node: Node, gradient: GpuTensor) -> None:
    """Add to a node's gradient; the first to come is the sum so far."""
    total = added(step, node[-1], step.gradients.get(node), gradient)
    if node != (INPUT,):
        step.gradients[node] = total


def added(step: StepDraft, index: int, sum_so_far: GpuTensor | None, more: GpuTensor) -> GpuTensor:
    """Two gradients of a layer added up; the second alone if there is no first."""
    if sum_so_far is None:
        return more
    total = GpuTensor("gradient sum", more.nbytes)
    step.launch(f"layer {index} gradient add", "bp", (sum_so_far, more), (total,))
    return total

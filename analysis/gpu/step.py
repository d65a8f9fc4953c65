"""The kernels of one training step on a GPU, in the order PyTorch launches them.

Time is folded into the batch for convolutions, linear layers, BN and pooling (SpikingJelly's
multi-step mode). Spikes are stored as full numbers, as every GPU framework stores them. Tensors
live from the kernel that makes them to the last that reads them, so what autograd saves is what
backward kernels read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import TypeAlias

from analysis.gpu import neuron as lif
from analysis.gpu.kernel import Kernel, Tensor
from analysis.gpu.network import INPUT, Network, Stage
from analysis.gpu.product import Products

ELEMENT_NBYTES = {"amp": 2, "tf32": 4, "fp32": 4}
MASTER_NBYTES = 4  # weights, their gradients and moments are FP32 in amp too
POOL_INDEX_NBYTES = 8  # torch's max_pool2d_with_indices saves an int64 for every output

# Tensors beside weight and gradient that an optimizer reads and writes. Operations: NeuroMC's count
# (Adam 11 multiplications, 4 additions, 1 root; SGD 1 and 1).
OPTIMIZER_MOMENTS = {"adam": ("mean", "variance"), "sgd": ()}
OPTIMIZER_FLOP = {"adam": 16, "sgd": 2}


_Node: TypeAlias = tuple[int, ...]


@dataclass
class _Saved:
    """What a layer's backward pass needs of its forward pass."""

    inputs: Tensor
    outputs: Tensor
    weight: Tensor
    state: lif.LifState | None
    spikes: Tensor
    index: Tensor | None
    unpooled: Tensor
    input_index: Tensor | None


@dataclass
class _Step:
    """A step under construction.

    A node of the graph is the sorted indices of the layers whose outputs it sums, one or more:
    ``outputs`` and ``gradients`` are by node.
    """

    network: Network
    precision: str
    neuron: str
    kernels: list[Kernel] = field(default_factory=list)
    outputs: dict[_Node, Tensor] = field(default_factory=dict)
    saved: list[_Saved] = field(default_factory=list)
    gradients: dict[_Node, Tensor] = field(default_factory=dict)
    weights: list[Tensor] = field(default_factory=list)
    weight_gradients: list[Tensor] = field(default_factory=list)

    @property
    def element(self) -> int:
        return ELEMENT_NBYTES[self.precision]

    def tensor(self, name: str, *shape: int) -> Tensor:
        """An activation or gradient of T B images."""
        return Tensor(name, self.network.images * prod(shape) * self.element)

    def launch(
        self,
        name: str,
        phase: str,
        reads: tuple[Tensor, ...],
        writes: tuple[Tensor, ...],
        flop: int = 0,
        holds: tuple[Tensor, ...] = (),
        groups: int = 1,
    ) -> None:
        """An elementwise kernel."""
        kernel = Kernel(name, "elementwise", phase, reads, writes, flop, None, holds, groups)
        self.kernels.append(kernel)


def training_step(network: Network, precision: str, neuron: str) -> tuple[Kernel, ...]:
    """The kernels of one iteration: forward, loss, backward, update.

    Args:
        network: shapes and mini-batch.
        precision: ``amp`` (FP16 tensors, FP32 optimizer), ``tf32`` or ``fp32`` (FP32 tensors).
        neuron: one of ``analysis.gpu.neuron.NEURONS``.
    """
    step = _Step(network, precision, neuron)
    _read_images(step)
    for index, stage in enumerate(network.stages):
        _forward(step, index, stage)
    _loss(step)
    for index in reversed(range(len(network.stages))):
        _backward(step, index, network.stages[index])
    _update(step)
    return tuple(step.kernels)


def _read_images(step: _Step) -> None:
    """The mini-batch comes from the host in FP32; with direct coding it is repeated T times."""
    network, shape = step.network, step.network.stages[0].in_shape
    repeats = network.steps if network.direct else 1
    total = network.images * prod(shape) * MASTER_NBYTES
    images = Tensor("images", total // repeats)
    step.launch("copy from host", "fp", (), (images,))
    if repeats > 1:
        repeated = Tensor("repeated images", total)
        step.launch("repeat input", "fp", (images,), (repeated,))
        images = repeated
    if step.element != MASTER_NBYTES:
        cast = step.tensor("input", *shape)
        step.launch("input cast", "fp", (images,), (cast,))
        images = cast
    step.outputs[INPUT,] = images


def _forward(step: _Step, index: int, stage: Stage) -> None:
    inputs, unpooled, input_index = _gather(step, stage)
    weight = _weight(step, stage)
    outputs = step.tensor(f"{stage.name} product", *stage.out_shape)
    products = Products(stage, step.network.images, step.kernels)
    products.forward(inputs, weight, outputs)
    current = outputs
    if stage.norm:
        current = step.tensor(f"{stage.name} normed", *stage.out_shape)
        step.launch(f"{stage.name} bn statistics", "fp", (outputs,), ())
        step.launch(f"{stage.name} bn", "fp", (outputs,), (current,))
    state, spikes = None, current
    if stage.neuron:
        spikes = step.tensor(f"{stage.name} spikes", *stage.out_shape)
        steps, element = step.network.steps, step.element
        kernels, state = lif.forward(stage.name, current, spikes, steps, step.neuron, element)
        step.kernels.extend(kernels)
    pooled, pool_index = spikes, None
    if stage.pool is not None:
        pooled, pool_index = _pool(step, stage.name, stage.pool, spikes, stage.pooled_shape)
    step.outputs[index,] = pooled
    step.saved.append(
        _Saved(inputs, outputs, weight, state, spikes, pool_index, unpooled, input_index)
    )


def _gather(step: _Step, stage: Stage) -> tuple[Tensor, Tensor, Tensor | None]:
    """A layer's input: its sources added up, then pooled; that sum; and the pooling's indices."""
    inputs = _sum(step, tuple(sorted(stage.sources)))
    if stage.input_pool is None:
        return inputs, inputs, None
    name = f"{stage.name} input"
    pooled, index = _pool(step, name, stage.input_pool, inputs, stage.in_shape)
    return pooled, inputs, index


def _sum(step: _Step, node: _Node) -> Tensor:
    """The sum of several layers' outputs, made once: the last added to the sum of the others."""
    if node not in step.outputs:
        others, last = _sum(step, node[:-1]), step.outputs[node[-1:]]
        step.outputs[node] = Tensor("sum", last.nbytes)
        step.launch(f"layer {node[-1]} add", "fp", (others, last), (step.outputs[node],))
    return step.outputs[node]


def _pool(
    step: _Step, name: str, kind: str, inputs: Tensor, shape: tuple[int, ...]
) -> tuple[Tensor, Tensor | None]:
    pooled = step.tensor(f"{name} pooled", *shape)
    if kind == "average":
        step.launch(f"{name} pool", "fp", (inputs,), (pooled,))
        return pooled, None
    index = Tensor(f"{name} pool index", pooled.nbytes // step.element * POOL_INDEX_NBYTES)
    step.launch(f"{name} pool", "fp", (inputs,), (pooled, index))
    return pooled, index


def _weight(step: _Step, stage: Stage) -> Tensor:
    """The weight, cast if the precision asks for it (autocast keeps the copy for the step)."""
    master = Tensor(f"{stage.name} weight", stage.weights * MASTER_NBYTES, kept=True)
    step.weights.append(master)
    if step.element == MASTER_NBYTES:
        return master
    cast = Tensor(f"{stage.name} weight cast", stage.weights * step.element)
    step.launch(f"{stage.name} weight cast", "fp", (master,), (cast,))
    return cast


def _loss(step: _Step) -> None:
    """Cross entropy on the mean output over time; each direction counted as one fused kernel."""
    last = len(step.network.stages) - 1
    outputs = step.outputs[last,]
    mean = Tensor("mean output", outputs.nbytes // (step.network.steps * step.element) * 4)
    gradient = Tensor("output gradient", outputs.nbytes)
    flop = (step.network.steps + 4) * mean.nbytes // 4
    step.launch("loss", "loss", (outputs,), (mean,), flop)
    step.launch("loss grad", "loss", (mean,), (gradient,), flop)
    step.gradients[last,] = gradient


def _backward(step: _Step, index: int, stage: Stage) -> None:
    saved = step.saved[index]
    gradient = _output_gradient(step, index)
    if stage.pool is not None:
        gradient = _pool_gradient(step, stage.name, gradient, saved.spikes, saved.index)
    if saved.state is not None:
        current = step.tensor(f"{stage.name} current gradient", *stage.out_shape)
        steps = step.network.steps
        step.kernels.extend(lif.backward(stage.name, saved.state, gradient, current, steps))
        gradient = current
    if stage.norm:
        normed = step.tensor(f"{stage.name} product gradient", *stage.out_shape)
        reads = (gradient, saved.outputs)
        step.launch(f"{stage.name} bn grad statistics", "bp", reads, ())
        step.launch(f"{stage.name} bn grad", "bp", reads, (normed,))
        gradient = normed
    products = Products(stage, step.network.images, step.kernels)
    if stage.sources != (INPUT,):
        _input_gradient(step, stage, saved, products, gradient)
    _weight_gradient(step, stage, saved, products, gradient)


def _pool_gradient(
    step: _Step, name: str, gradient: Tensor, unpooled: Tensor, index: Tensor | None
) -> Tensor:
    """Autograd keeps what was pooled alive, but only the indices of max-pooling are read."""
    result = Tensor(f"{name} unpooled gradient", unpooled.nbytes)
    reads = (gradient,) if index is None else (gradient, index)
    step.launch(f"{name} pool grad", "bp", reads, (result,), holds=(unpooled,))
    return result


def _input_gradient(
    step: _Step, stage: Stage, saved: _Saved, products: Products, gradient: Tensor
) -> None:
    """Back through the product and the pooling before it, to the node that was its input."""
    inputs = Tensor(f"{stage.name} input gradient", saved.inputs.nbytes)
    products.input_gradient(gradient, saved.weight, inputs)
    if stage.input_pool is not None:
        name = f"{stage.name} input"
        inputs = _pool_gradient(step, name, inputs, saved.unpooled, saved.input_index)
    _accumulate(step, tuple(sorted(stage.sources)), inputs)


def _output_gradient(step: _Step, index: int) -> Tensor:
    """Gradient of a layer's output: of its own consumers, and of the sums it came last in."""
    for node in [node for node in step.gradients if len(node) > 1 and node[-1] == index]:
        gradient = step.gradients.pop(node)
        _accumulate(step, (index,), gradient)
        _accumulate(step, node[:-1], gradient)
    return step.gradients.pop((index,))


def _accumulate(step: _Step, node: _Node, gradient: Tensor) -> None:
    """Add to a node's gradient; the first to come is the sum so far."""
    if node in step.gradients:
        total = Tensor("gradient sum", gradient.nbytes)
        reads = (step.gradients[node], gradient)
        step.launch(f"layer {node[-1]} gradient add", "bp", reads, (total,))
        gradient = total
    if node != (INPUT,):
        step.gradients[node] = gradient


def _weight_gradient(
    step: _Step, stage: Stage, saved: _Saved, products: Products, gradient: Tensor
) -> None:
    result = Tensor(f"{stage.name} weight gradient", saved.weight.nbytes)
    products.weight_gradient(gradient, saved.inputs, result)
    if step.element != MASTER_NBYTES:
        master = Tensor(f"{stage.name} master gradient", stage.weights * MASTER_NBYTES)
        step.launch(f"{stage.name} gradient cast", "wg", (result,), (master,))
        result = master
    step.weight_gradients.append(result)


def _update(step: _Step) -> None:
    """One fused launch of the optimizer; in amp the loss scale is taken out of gradients first."""
    network, layers = step.network, len(step.weights)
    gradients = tuple(reversed(step.weight_gradients))
    if step.precision == "amp":
        step.launch("unscale", "update", gradients, gradients, network.weights, groups=layers)
    reads: list[Tensor] = []
    writes: list[Tensor] = []
    for weight, gradient in zip(step.weights, gradients, strict=True):
        moments = OPTIMIZER_MOMENTS[network.optimizer]
        state = [
            weight,
            *(Tensor(f"{weight.name} {part}", weight.nbytes, kept=True) for part in moments),
        ]
        reads += [gradient, *state]
        writes += state
    flop = OPTIMIZER_FLOP[network.optimizer] * network.weights
    name = f"{network.optimizer} update"
    step.launch(name, "update", tuple(reads), tuple(writes), flop, groups=layers)

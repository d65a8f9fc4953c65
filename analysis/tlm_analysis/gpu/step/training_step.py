"""The kernels of one training step on a GPU, in the order PyTorch launches them.

Time is folded into the batch for convolutions, linear layers, BN and pooling (SpikingJelly's
multi-step mode). Spikes are stored as full numbers, as every GPU framework stores them. Tensors
live from the kernel that makes them to the last that reads them, so what autograd saves is what
backward kernels read.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod
from typing import TypeAlias

from tlm_analysis.gpu.step import neuron as lif
from tlm_analysis.gpu.step.kernel import GpuTensor, Kernel
from tlm_analysis.gpu.step.network import INPUT, NetworkShapes, NetworkStage, Pooling
from tlm_analysis.gpu.step.product import Products
from tlm_analysis.gpu.step.update import MASTER_NBYTES, update

ELEMENT_NBYTES = {"amp": 2, "tf32": 4, "fp32": 4}
POOL_INDEX_NBYTES = 8  # torch's max_pool2d_with_indices saves an int64 for every output

# How often BN reads its input (and, going back, its gradient as well): once for the statistics and
# once to normalise. PyTorch asks cuDNN for SPATIAL, whose kernels read twice; SPATIAL_PERSISTENT
# (channels-last tensors) reads once what fits on chip.
NORM_PASSES = 2

_Node: TypeAlias = tuple[int, ...]


@dataclass
class _Pooled:
    """What a pooling's backward pass needs: what was pooled, and max-pooling's indices."""

    inputs: GpuTensor
    index: GpuTensor | None


@dataclass
class _Saved:
    """What a layer's backward pass needs of its forward pass; None where there is no such part."""

    inputs: GpuTensor
    outputs: GpuTensor
    weight: GpuTensor
    state: lif.LifState | None
    input_pool: _Pooled | None
    current_pool: _Pooled | None
    pool: _Pooled | None
    kept: GpuTensor | None


@dataclass
class _Step:
    """A step under construction.

    A node of the graph is the sorted indices of the layers whose outputs it sums, one or more:
    ``outputs`` and ``gradients`` are by node, ``normed`` by stage, of norms with numbers a step.
    """

    network: NetworkShapes
    precision: str
    neuron: str
    norm_passes: int
    kernels: list[Kernel] = field(default_factory=list)
    outputs: dict[_Node, GpuTensor] = field(default_factory=dict)
    saved: list[_Saved] = field(default_factory=list)
    normed: dict[str, GpuTensor] = field(default_factory=dict)
    gradients: dict[_Node, GpuTensor] = field(default_factory=dict)
    weights: list[GpuTensor] = field(default_factory=list)
    weight_gradients: list[GpuTensor] = field(default_factory=list)

    @property
    def element(self) -> int:
        return ELEMENT_NBYTES[self.precision]

    def tensor(self, name: str, *shape: int) -> GpuTensor:
        """An activation or gradient of T B images."""
        return GpuTensor(name, self.network.images * prod(shape) * self.element)

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


def training_step(
    network: NetworkShapes, precision: str, neuron: str, norm_passes: int = NORM_PASSES
) -> tuple[Kernel, ...]:
    """The kernels of one iteration: forward, loss, backward, update; in inference forward alone.

    Args:
        network: shapes and mini-batch.
        precision: ``amp`` (FP16 tensors, FP32 optimizer), ``tf32`` or ``fp32`` (FP32 tensors).
        neuron: one of ``tlm_analysis.gpu.step.neuron.NEURONS``.
        norm_passes: 2, or 1 where BN keeps its input on chip.
    """
    step = _Step(network, precision, neuron, norm_passes)
    _read_images(step)
    for index, stage in enumerate(network.stages):
        _forward(step, index, stage)
    if not network.learns:
        return _inference(step)
    for head in network.heads:
        _loss(step, head)
    for index in reversed(range(len(network.stages))):
        _backward(step, index, network.stages[index])
    gradients = tuple(reversed(step.weight_gradients))
    step.kernels.extend(update(network.optimizer, precision == "amp", step.weights, gradients))
    return tuple(step.kernels)


def _inference(step: _Step) -> tuple[Kernel, ...]:
    """The forward kernels and the mean output of each head, which goes to the host.

    Nothing is written that no later kernel reads: what autograd would save (assumed of the neuron
    kernels too, fused or not).
    """
    for head in step.network.heads:
        outputs = step.outputs[head,]
        mean = GpuTensor("mean output", outputs.nbytes // (step.network.steps * step.element) * 4)
        step.launch("mean output", "fp", (outputs,), (mean,), outputs.nbytes // step.element)
        step.launch("copy to host", "fp", (mean,), ())
    read = {tensor.storage for kernel in step.kernels for tensor in kernel.reads}
    return tuple(
        replace(kernel, writes=tuple(each for each in kernel.writes if each.storage in read))
        for kernel in step.kernels
    )


def _read_images(step: _Step) -> None:
    """The mini-batch comes from the host in FP32; with direct coding it is repeated T times."""
    network, shape = step.network, step.network.stages[0].in_shape
    repeats = network.steps if network.direct else 1
    total = network.images * prod(shape) * MASTER_NBYTES
    images = GpuTensor("images", total // repeats)
    step.launch("copy from host", "fp", (), (images,))
    if repeats > 1:
        repeated = GpuTensor("repeated images", total)
        step.launch("repeat input", "fp", (images,), (repeated,))
        images = repeated
    if step.element != MASTER_NBYTES:
        cast = step.tensor("input", *shape)
        step.launch("input cast", "fp", (images,), (cast,))
        images = cast
    step.outputs[INPUT,] = images


def _forward(step: _Step, index: int, stage: NetworkStage) -> None:
    inputs = _sum(step, tuple(sorted(stage.sources)))
    name = f"{stage.name} input"
    inputs, input_pool = _pool(step, name, stage.input_pool, inputs, stage.in_shape)
    inputs, kept = _dropout(step, stage, inputs)
    weight = _weight(step, stage)
    outputs = step.tensor(f"{stage.name} product", *stage.product_shape)
    products = Products(stage, step.network.images, step.kernels)
    products.forward(inputs, weight, outputs)
    name, current = f"{stage.name} current", _norm(step, stage, outputs)
    current, current_pool = _pool(step, name, stage.current_pool, current, stage.out_shape)
    state, spikes = None, current
    if stage.potential_out:
        spikes = step.tensor(f"{stage.name} potential", *stage.out_shape)
        kernel, state = lif.integrate(stage.name, current, spikes, stage.saves_state, step.element)
        step.kernels.append(kernel)
    elif stage.neuron:
        spikes = step.tensor(f"{stage.name} spikes", *stage.out_shape)
        steps, element = step.network.steps, step.element
        kernels, state = lif.forward(stage.name, current, spikes, steps, step.neuron, element)
        step.kernels.extend(kernels)
        if stage.learns:  # the potential behind the reset follows from spikes
            state = replace(state, kept=(*state.kept, spikes))
    pooled, pool = _pool(step, stage.name, stage.pool, spikes, stage.pooled_shape)
    step.outputs[index,] = pooled
    step.saved.append(_Saved(inputs, outputs, weight, state, input_pool, current_pool, pool, kept))


def _norm(step: _Step, stage: NetworkStage, outputs: GpuTensor) -> GpuTensor:
    learns = step.network.learns
    if not stage.norm or (stage.foldable and not learns):  # running statistics are in weights
        return outputs
    normed = step.tensor(f"{stage.name} normed", *stage.product_shape)
    if step.norm_passes == 2 and learns:
        step.launch(f"{stage.name} bn statistics", "fp", (outputs,), ())
    step.launch(f"{stage.name} bn", "fp", (outputs,), (normed,))
    if not stage.step_scaled:
        return normed
    scaled = step.tensor(f"{stage.name} scaled", *stage.product_shape)
    step.launch(f"{stage.name} bn step scale", "fp", (normed,), (scaled,))
    step.normed[stage.name] = normed
    return scaled


def _sum(step: _Step, node: _Node) -> GpuTensor:
    """The sum of several layers' outputs, made once: the last added to the sum of the others."""
    if node not in step.outputs:
        others, last = _sum(step, node[:-1]), step.outputs[node[-1:]]
        step.outputs[node] = GpuTensor("sum", last.nbytes)
        step.launch(f"layer {node[-1]} add", "fp", (others, last), (step.outputs[node],))
    return step.outputs[node]


def _pool(
    step: _Step, name: str, kind: Pooling | None, inputs: GpuTensor, shape: tuple[int, ...]
) -> tuple[GpuTensor, _Pooled | None]:
    if kind is None:
        return inputs, None
    pooled = step.tensor(f"{name} pooled", *shape)
    if kind != "max":
        step.launch(f"{name} pool", "fp", (inputs,), (pooled,))
        return pooled, _Pooled(inputs, None)
    index = GpuTensor(f"{name} pool index", pooled.nbytes // step.element * POOL_INDEX_NBYTES)
    step.launch(f"{name} pool", "fp", (inputs,), (pooled, index))
    return pooled, _Pooled(inputs, index)


def _dropout(
    step: _Step, stage: NetworkStage, inputs: GpuTensor
) -> tuple[GpuTensor, GpuTensor | None]:
    """The inputs that a dropout keeps, and where: a byte an element, as torch's own saves it.

    Without training nothing is dropped.
    """
    if not (stage.dropout and step.network.learns):
        return inputs, None
    kept = GpuTensor(f"{stage.name} kept", inputs.nbytes // step.element)
    dropped = step.tensor(f"{stage.name} dropped", *stage.in_shape)
    step.launch(f"{stage.name} dropout", "fp", (inputs,), (dropped, kept))
    return dropped, kept


def _weight(step: _Step, stage: NetworkStage) -> GpuTensor:
    """The weight, cast if the precision asks for it (autocast keeps the copy for the step).

    Weights that do not change are cast before.
    """
    if not step.network.learns:
        return GpuTensor(f"{stage.name} weight", stage.weights * step.element, kept=True)
    master = GpuTensor(f"{stage.name} weight", stage.weights * MASTER_NBYTES, kept=True)
    step.weights.append(master)
    if step.element == MASTER_NBYTES:
        return master
    cast = GpuTensor(f"{stage.name} weight cast", stage.weights * step.element)
    step.launch(f"{stage.name} weight cast", "fp", (master,), (cast,))
    return cast


def _loss(step: _Step, head: int) -> None:
    """Cross entropy on the mean output over time; each direction counted as one fused kernel."""
    outputs = step.outputs[head,]
    mean = GpuTensor("mean output", outputs.nbytes // (step.network.steps * step.element) * 4)
    gradient = GpuTensor("output gradient", outputs.nbytes)
    flop = (step.network.steps + 4) * mean.nbytes // 4
    step.launch("loss", "loss", (outputs,), (mean,), flop)
    step.launch("loss grad", "loss", (mean,), (gradient,), flop)
    step.gradients[head,] = gradient


def _backward(step: _Step, index: int, stage: NetworkStage) -> None:
    """From the gradient of the output, dS, over dI and dY to those of input and weight."""
    saved, name = step.saved[index], stage.name
    dS = _pool_gradient(step, name, _output_gradient(step, index), saved.pool)
    dI = dS
    if saved.state is not None:
        dI = step.tensor(f"{name} current gradient", *stage.out_shape)
        steps, element = step.network.steps, step.element
        step.kernels.extend(lif.backward(name, saved.state, dS, dI, steps, element))
    dI = _pool_gradient(step, f"{name} current", dI, saved.current_pool)
    dY = _norm_gradient(step, stage, saved, dI)
    products = Products(stage, step.network.images, step.kernels)
    if stage.sources != (INPUT,):
        dX = GpuTensor(f"{name} input gradient", saved.inputs.nbytes)
        products.input_gradient(dY, saved.weight, dX)
        if saved.kept is not None:
            dropped, dX = dX, GpuTensor(f"{name} undropped gradient", saved.inputs.nbytes)
            step.launch(f"{name} dropout grad", "bp", (dropped, saved.kept), (dX,))
        dX = _pool_gradient(step, f"{name} input", dX, saved.input_pool)
        _accumulate(step, tuple(sorted(stage.sources)), dX)
    _weight_gradient(step, stage, saved, products, dY)


def _norm_gradient(step: _Step, stage: NetworkStage, saved: _Saved, dI: GpuTensor) -> GpuTensor:
    """Gradient at the product's output, from that at the input current."""
    if not stage.norm:
        return dI
    if stage.step_scaled:
        scaled, dI = dI, step.tensor(f"{stage.name} normed gradient", *stage.product_shape)
        reads = (scaled, step.normed[stage.name])  # for the gradient of the numbers a step
        step.launch(f"{stage.name} bn step scale grad", "bp", reads, (dI,))
    dY = step.tensor(f"{stage.name} product gradient", *stage.product_shape)
    reads = (dI, saved.outputs)
    if step.norm_passes == 2:
        step.launch(f"{stage.name} bn grad statistics", "bp", reads, ())
    step.launch(f"{stage.name} bn grad", "bp", reads, (dY,))
    return dY


def _pool_gradient(step: _Step, name: str, gradient: GpuTensor, pool: _Pooled | None) -> GpuTensor:
    """Autograd keeps what was pooled alive, but only the indices of max-pooling are read."""
    if pool is None:
        return gradient
    result = GpuTensor(f"{name} unpooled gradient", pool.inputs.nbytes)
    reads = (gradient,) if pool.index is None else (gradient, pool.index)
    step.launch(f"{name} pool grad", "bp", reads, (result,), holds=(pool.inputs,))
    return result


def _output_gradient(step: _Step, index: int) -> GpuTensor:
    """Gradient of a layer's output: of its own consumers, and of the sums it came last in."""
    for node in [node for node in step.gradients if len(node) > 1 and node[-1] == index]:
        gradient = step.gradients.pop(node)
        _accumulate(step, (index,), gradient)
        _accumulate(step, node[:-1], gradient)
    return step.gradients.pop((index,))


def _accumulate(step: _Step, node: _Node, gradient: GpuTensor) -> None:
    """Add to a node's gradient; the first to come is the sum so far."""
    if node in step.gradients:
        total = GpuTensor("gradient sum", gradient.nbytes)
        reads = (step.gradients[node], gradient)
        step.launch(f"layer {node[-1]} gradient add", "bp", reads, (total,))
        gradient = total
    if node != (INPUT,):
        step.gradients[node] = gradient


def _weight_gradient(
    step: _Step, stage: NetworkStage, saved: _Saved, products: Products, dY: GpuTensor
) -> None:
    dW = GpuTensor(f"{stage.name} weight gradient", saved.weight.nbytes)
    products.weight_gradient(dY, saved.inputs, dW)
    if step.element != MASTER_NBYTES:
        master = GpuTensor(f"{stage.name} master gradient", stage.weights * MASTER_NBYTES)
        step.launch(f"{stage.name} gradient cast", "wg", (dW,), (master,))
        dW = master
    step.weight_gradients.append(dW)

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
class _Product:
    """What the backward pass of a product needs; ``outputs`` are those of the product alone."""

    inputs: GpuTensor
    outputs: GpuTensor
    weight: GpuTensor
    input_pool: _Pooled | None
    kept: GpuTensor | None


@dataclass
class _Saved:
    """What a layer's backward pass needs of its forward pass; None where there is no such part."""

    product: _Product | None
    state: lif.LifState | None
    current_pool: _Pooled | None
    pool: _Pooled | None
    shortcut_pools: list[_Pooled | None]


@dataclass
class _Step:
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
    outputs: dict[_Node, GpuTensor] = field(default_factory=dict)
    currents: list[GpuTensor] = field(default_factory=list)
    saved: list[_Saved] = field(default_factory=list)
    normed: dict[str, GpuTensor] = field(default_factory=dict)
    gradients: dict[_Node, GpuTensor] = field(default_factory=dict)
    current_gradients: dict[int, GpuTensor] = field(default_factory=dict)
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


def _multiply(step: _Step, stage: NetworkStage) -> _Product:
    """The product of a stage, and all before it."""
    inputs = _sum(step, tuple(sorted(stage.sources)))
    name = f"{stage.name} input"
    inputs, input_pool = _pool(step, name, stage.input_pool, inputs, stage.in_shape)
    inputs, kept = _dropout(step, stage, inputs)
    weight = _weight(step, stage)
    outputs = step.tensor(f"{stage.name} product", *stage.product_shape)
    products = Products(stage, step.network.images, step.kernels)
    products.forward(inputs, weight, outputs)
    return _Product(inputs, outputs, weight, input_pool, kept)


def _forward(step: _Step, index: int, stage: NetworkStage) -> None:
    name, product, own = f"{stage.name} current", None, None
    if stage.kind != "identity":
        product = _multiply(step, stage)
        own = _norm(step, stage, product.outputs)
    current, shortcut_pools = _add_shortcuts(step, stage, own)
    current, current_pool = _pool(step, name, stage.current_pool, current, stage.out_shape)
    step.currents.append(current)
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
    step.saved.append(_Saved(product, state, current_pool, pool, shortcut_pools))


def _add_shortcuts(
    step: _Step, stage: NetworkStage, current: GpuTensor | None
) -> tuple[GpuTensor, list[_Pooled | None]]:
    """A stage's current, if it has its own, with all that is added to it, one after the other."""
    pools = []
    for each in stage.shortcuts:
        added = step.outputs[each.source,] if each.of_output else step.currents[each.source]
        name = f"{stage.name} shortcut"
        added, pool = _pool(step, name, each.pool, added, stage.product_shape)
        pools.append(pool)
        if current is None:
            current = added
            continue
        total = step.tensor(f"{stage.name} sum", *stage.product_shape)
        step.launch(f"{name} add", "fp", (current, added), (total,))
        current = total
    assert current is not None
    return current, pools


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
    """The gradients of what shortcuts add, then of input and weight."""
    saved, name = step.saved[index], stage.name
    dI = _current_gradient(step, index, stage)
    dI = _pool_gradient(step, f"{name} current", dI, saved.current_pool)
    for each, pool in zip(stage.shortcuts, saved.shortcut_pools, strict=True):
        share = _pool_gradient(step, f"{name} shortcut", dI, pool)
        if each.of_output:
            _accumulate(step, (each.source,), share)
        else:
            earlier = step.current_gradients.get(each.source)
            step.current_gradients[each.source] = _added(step, each.source, earlier, share)
    if saved.product is not None:
        _product_backward(step, stage, saved.product, dI)


def _product_backward(step: _Step, stage: NetworkStage, product: _Product, dI: GpuTensor) -> None:
    """From dI of a stage over dY to the gradients of its input and its weight."""
    dY, name = _norm_gradient(step, stage, product, dI), stage.name
    products = Products(stage, step.network.images, step.kernels)
    if stage.sources != (INPUT,):
        dX = GpuTensor(f"{name} input gradient", product.inputs.nbytes)
        products.input_gradient(dY, product.weight, dX)
        if product.kept is not None:
            dropped, dX = dX, GpuTensor(f"{name} undropped gradient", product.inputs.nbytes)
            step.launch(f"{name} dropout grad", "bp", (dropped, product.kept), (dX,))
        dX = _pool_gradient(step, f"{name} input", dX, product.input_pool)
        _accumulate(step, tuple(sorted(stage.sources)), dX)
    _weight_gradient(step, stage, product, products, dY)


def _current_gradient(step: _Step, index: int, stage: NetworkStage) -> GpuTensor:
    """dI: of dS, through the neurons, and of all layers that have added the current.

    Where the current alone is read there is no dS.
    """
    saved, returned = step.saved[index], step.current_gradients.pop(index, None)
    arrived = _output_gradient(step, index)
    if arrived is None:
        assert returned is not None
        return returned
    dI = _pool_gradient(step, stage.name, arrived, saved.pool)
    if saved.state is not None:
        dS, dI = dI, step.tensor(f"{stage.name} current gradient", *stage.out_shape)
        steps, element = step.network.steps, step.element
        step.kernels.extend(lif.backward(stage.name, saved.state, dS, dI, steps, element))
    return dI if returned is None else _added(step, index, returned, dI)


def _norm_gradient(step: _Step, stage: NetworkStage, product: _Product, dI: GpuTensor) -> GpuTensor:
    """Gradient at the product's output, from that at the input current."""
    if not stage.norm:
        return dI
    if stage.step_scaled:
        scaled, dI = dI, step.tensor(f"{stage.name} normed gradient", *stage.product_shape)
        reads = (scaled, step.normed[stage.name])  # for the gradient of the numbers a step
        step.launch(f"{stage.name} bn step scale grad", "bp", reads, (dI,))
    dY = step.tensor(f"{stage.name} product gradient", *stage.product_shape)
    reads = (dI, product.outputs)
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


def _output_gradient(step: _Step, index: int) -> GpuTensor | None:
    """Gradient of a layer's output: of its own consumers, and of the sums it came last in."""
    for node in [node for node in step.gradients if len(node) > 1 and node[-1] == index]:
        gradient = step.gradients.pop(node)
        _accumulate(step, (index,), gradient)
        _accumulate(step, node[:-1], gradient)
    return step.gradients.pop((index,), None)


def _accumulate(step: _Step, node: _Node, gradient: GpuTensor) -> None:
    """Add to a node's gradient; the first to come is the sum so far."""
    total = _added(step, node[-1], step.gradients.get(node), gradient)
    if node != (INPUT,):
        step.gradients[node] = total


def _added(step: _Step, index: int, sum_so_far: GpuTensor | None, more: GpuTensor) -> GpuTensor:
    """Two gradients of a layer added up; the second alone if there is no first."""
    if sum_so_far is None:
        return more
    total = GpuTensor("gradient sum", more.nbytes)
    step.launch(f"layer {index} gradient add", "bp", (sum_so_far, more), (total,))
    return total


def _weight_gradient(
    step: _Step, stage: NetworkStage, product: _Product, products: Products, dY: GpuTensor
) -> None:
    dW = GpuTensor(f"{stage.name} weight gradient", product.weight.nbytes)
    products.weight_gradient(dY, product.inputs, dW)
    if step.element != MASTER_NBYTES:
        master = GpuTensor(f"{stage.name} master gradient", stage.weights * MASTER_NBYTES)
        step.launch(f"{stage.name} gradient cast", "wg", (dW,), (master,))
        dW = master
    step.weight_gradients.append(dW)

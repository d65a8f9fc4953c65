"""The kernels of one training step on a GPU, in the order PyTorch launches them.

Time is folded into the batch for convolutions, linear layers, BN and pooling (SpikingJelly's
multi-step mode). Spikes are stored as full numbers, as every GPU framework stores them. Tensors
live from the kernel that makes them to the last that reads them, so what autograd saves is what
backward kernels read.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from tlm.workload.operand import Operand
from tlm_analysis.gpu.step import neuron as lif
from tlm_analysis.gpu.step.draft import (
    Saved,
    SavedAddend,
    SavedPool,
    SavedProduct,
    StepDraft,
    accumulate,
    added,
    pool_gradient,
    pooled,
    summed,
)
from tlm_analysis.gpu.step.kernel import GpuTensor, Kernel
from tlm_analysis.gpu.step.network import INPUT, NetworkShapes, NetworkStage
from tlm_analysis.gpu.step.operand import put_together, take_apart
from tlm_analysis.gpu.step.product import Products
from tlm_analysis.gpu.step.update import MASTER_NBYTES, update

# How often BN reads its input (and, going back, its gradient as well): once for the statistics and
# once to normalise. PyTorch asks cuDNN for SPATIAL, whose kernels read twice; SPATIAL_PERSISTENT
# (channels-last tensors) reads once what fits on chip.
NORM_PASSES = 2


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
    step = StepDraft(network, precision, neuron, norm_passes)
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


def _inference(step: StepDraft) -> tuple[Kernel, ...]:
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


def _read_images(step: StepDraft) -> None:
    """The mini-batch comes from the host in FP32; with direct coding it is repeated T times."""
    network, shape = step.network, step.network.image_shape
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


def _multiply(step: StepDraft, stage: NetworkStage) -> SavedProduct:
    """The product of a stage, and all before it."""
    name, operand = f"{stage.name} input", None
    if stage.operand is None:
        inputs = summed(step, tuple(sorted(stage.sources)))
    else:
        inputs, operand = put_together(step, name, stage.operand, stage.unpooled_shape)
    inputs, input_pool = pooled(step, name, stage.input_pool, inputs, stage.in_shape)
    inputs, kept = _dropout(step, stage, inputs)
    weight = _weight(step, stage)
    outputs = step.tensor(f"{stage.name} product", *stage.product_shape)
    products = Products(stage, step.network.images, step.kernels)
    products.forward(inputs, weight, outputs)
    return SavedProduct(inputs, operand, outputs, weight, input_pool, kept)


def _forward(step: StepDraft, index: int, stage: NetworkStage) -> None:
    name, product, addend, own = f"{stage.name} current", None, None, None
    if stage.kind != "identity":
        product = _multiply(step, stage)
        own = _norm(step, stage, product.outputs)
    elif stage.operand is not None:
        own, addend = _addend(step, stage, stage.operand)
    current, shortcut_pools = _add_shortcuts(step, stage, own)
    current, current_pool = pooled(step, name, stage.current_pool, current, stage.out_shape)
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
    step.outputs[index,], pool = pooled(step, stage.name, stage.pool, spikes, stage.pooled_shape)
    step.saved.append(Saved(product, addend, state, current_pool, pool, shortcut_pools))


def _addend(
    step: StepDraft, stage: NetworkStage, operand: Operand
) -> tuple[GpuTensor, SavedAddend]:
    """The current of a stage that is an operand."""
    name = f"{stage.name} input"
    current, saved = put_together(step, name, operand, stage.unpooled_shape)
    current, pool = pooled(step, name, stage.input_pool, current, stage.in_shape)
    return current, SavedAddend(saved, pool)


def _add_shortcuts(
    step: StepDraft, stage: NetworkStage, current: GpuTensor | None
) -> tuple[GpuTensor, list[SavedPool | None]]:
    """A stage's current, if it has its own, with all that is added to it, one after the other."""
    pools = []
    for each in stage.shortcuts:
        added = step.outputs[each.source,] if each.of_output else step.currents[each.source]
        name = f"{stage.name} shortcut"
        added, pool = pooled(step, name, each.pool, added, stage.product_shape)
        pools.append(pool)
        if current is None:
            current = added
            continue
        total = step.tensor(f"{stage.name} sum", *stage.product_shape)
        step.launch(f"{name} add", "fp", (current, added), (total,))
        current = total
    assert current is not None
    return current, pools


def _norm(step: StepDraft, stage: NetworkStage, outputs: GpuTensor) -> GpuTensor:
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


def _dropout(
    step: StepDraft, stage: NetworkStage, inputs: GpuTensor
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


def _weight(step: StepDraft, stage: NetworkStage) -> GpuTensor:
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


def _loss(step: StepDraft, head: int) -> None:
    """Cross entropy on the mean output over time; each direction counted as one fused kernel."""
    outputs = step.outputs[head,]
    mean = GpuTensor("mean output", outputs.nbytes // (step.network.steps * step.element) * 4)
    gradient = GpuTensor("output gradient", outputs.nbytes)
    flop = (step.network.steps + 4) * mean.nbytes // 4
    step.launch("loss", "loss", (outputs,), (mean,), flop)
    step.launch("loss grad", "loss", (mean,), (gradient,), flop)
    step.gradients[head,] = gradient


def _backward(step: StepDraft, index: int, stage: NetworkStage) -> None:
    """The gradients of what shortcuts add, then of input and weight."""
    saved, name = step.saved[index], stage.name
    dI = _current_gradient(step, index, stage)
    dI = pool_gradient(step, f"{name} current", dI, saved.current_pool)
    for each, pool in zip(stage.shortcuts, saved.shortcut_pools, strict=True):
        share = pool_gradient(step, f"{name} shortcut", dI, pool)
        if each.of_output:
            accumulate(step, (each.source,), share)
        else:
            earlier = step.current_gradients.get(each.source)
            step.current_gradients[each.source] = added(step, each.source, earlier, share)
    if saved.addend is not None:
        dX = pool_gradient(step, f"{name} input", dI, saved.addend.pool)
        take_apart(step, f"{name} input", saved.addend.operand, dX)
    if saved.product is not None:
        _product_backward(step, stage, saved.product, dI)


def _product_backward(
    step: StepDraft, stage: NetworkStage, product: SavedProduct, dI: GpuTensor
) -> None:
    """From dI of a stage over dY to the gradients of its input and its weight."""
    dY, name = _norm_gradient(step, stage, product, dI), stage.name
    products = Products(stage, step.network.images, step.kernels)
    if set(stage.sources) != {INPUT}:
        dX = GpuTensor(f"{name} input gradient", product.inputs.nbytes)
        products.input_gradient(dY, product.weight, dX)
        if product.kept is not None:
            dropped, dX = dX, GpuTensor(f"{name} undropped gradient", product.inputs.nbytes)
            step.launch(f"{name} dropout grad", "bp", (dropped, product.kept), (dX,))
        dX = pool_gradient(step, f"{name} input", dX, product.input_pool)
        if product.operand is None:
            accumulate(step, tuple(sorted(stage.sources)), dX)
        else:
            take_apart(step, f"{name} input", product.operand, dX)
    _weight_gradient(step, stage, product, products, dY)


def _current_gradient(step: StepDraft, index: int, stage: NetworkStage) -> GpuTensor:
    """dI: of dS, through the neurons, and of all layers that have added the current.

    Where the current alone is read there is no dS.
    """
    saved, returned = step.saved[index], step.current_gradients.pop(index, None)
    arrived = _output_gradient(step, index)
    if arrived is None:
        assert returned is not None
        return returned
    dI = pool_gradient(step, stage.name, arrived, saved.pool)
    if saved.state is not None:
        dS, dI = dI, step.tensor(f"{stage.name} current gradient", *stage.out_shape)
        steps, element = step.network.steps, step.element
        step.kernels.extend(lif.backward(stage.name, saved.state, dS, dI, steps, element))
    return dI if returned is None else added(step, index, returned, dI)


def _norm_gradient(
    step: StepDraft, stage: NetworkStage, product: SavedProduct, dI: GpuTensor
) -> GpuTensor:
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


def _output_gradient(step: StepDraft, index: int) -> GpuTensor | None:
    """Gradient of a layer's output: of its own consumers, and of the sums it came last in."""
    for node in [node for node in step.gradients if len(node) > 1 and node[-1] == index]:
        gradient = step.gradients.pop(node)
        accumulate(step, (index,), gradient)
        accumulate(step, node[:-1], gradient)
    return step.gradients.pop((index,), None)


def _weight_gradient(
    step: StepDraft, stage: NetworkStage, product: SavedProduct, products: Products, dY: GpuTensor
) -> None:
    dW = GpuTensor(f"{stage.name} weight gradient", product.weight.nbytes)
    products.weight_gradient(dY, product.inputs, dW)
    if step.element != MASTER_NBYTES:
        master = GpuTensor(f"{stage.name} master gradient", stage.weights * MASTER_NBYTES)
        step.launch(f"{stage.name} gradient cast", "wg", (dW,), (master,))
        dW = master
    step.weight_gradients.append(dW)

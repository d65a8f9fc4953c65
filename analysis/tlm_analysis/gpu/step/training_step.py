"""The kernels of one training step on a GPU, in the order PyTorch launches them.

Time is folded into the batch for convolutions, linear layers, BN and pooling (SpikingJelly's
multi-step mode). Spikes are stored as full numbers, as every GPU framework stores them. Tensors
live from the kernel that makes them to the last that reads them, so what autograd saves is what
backward kernels read.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from tlm_analysis.gpu.step import neuron as lif
from tlm_analysis.gpu.step.draft import StepDraft, pooled, summed
from tlm_analysis.gpu.step.kernel import GpuTensor, Kernel
from tlm_analysis.gpu.step.matmul import Matmul
from tlm_analysis.gpu.step.network import NetworkShapes, NetworkStage, StageOperand
from tlm_analysis.gpu.step.norm import NORM_PASSES, normalised
from tlm_analysis.gpu.step.operand import read
from tlm_analysis.gpu.step.product import Products
from tlm_analysis.gpu.step.update import MASTER_NBYTES, update


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
    for stage in network.stages:
        _forward(step, stage)
    if not network.learns:
        return _inference(step)
    for head in network.heads:
        _loss(step, head)
    step.go_back()
    gradients = tuple(reversed(step.weight_gradients))
    step.kernels.extend(update(network.optimizer, precision == "amp", step.weights, gradients))
    return tuple(step.kernels)


def _inference(step: StepDraft) -> tuple[Kernel, ...]:
    """The forward kernels and the mean output of each head, which goes to the host.

    Nothing is written that no later kernel reads: what autograd would save (assumed of the neuron
    kernels too, fused or not).
    """
    for head in step.network.heads:
        outputs = step.outputs[head]
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
    step.images = images


def _forward(step: StepDraft, stage: NetworkStage) -> None:
    """The kernels of a stage, to what later ones read."""
    name = stage.name
    reads = StageOperand(stage.sources, stage.operand, stage.unpooled_shape)
    inputs = read(step, f"{name} input", reads)
    inputs = pooled(step, f"{name} input", stage.input_pool, inputs, stage.in_shape)
    inputs = _dropout(step, stage, inputs)
    current = normalised(step, stage, _product(step, stage, inputs))
    for each in stage.shortcuts:
        earlier = (step.outputs if each.of_output else step.currents)[each.source]
        earlier = pooled(step, f"{name} shortcut", each.pool, earlier, stage.product_shape)
        current = summed(step, f"{name} shortcut", (current, earlier))
    current = pooled(step, f"{name} current", stage.current_pool, current, stage.out_shape)
    step.currents.append(current)
    spikes = _neurons(step, stage, current) if stage.neuron else current
    step.outputs.append(pooled(step, name, stage.pool, spikes, stage.pooled_shape))


def _product(step: StepDraft, stage: NetworkStage, inputs: GpuTensor) -> GpuTensor:
    """What a stage multiplies; of an identity its inputs."""
    if stage.kind == "identity":
        return inputs
    if stage.held is not None:
        held = read(step, f"{stage.name} held", stage.held)
        return Matmul(step, stage).forward(inputs, held)
    weight = _weight(step, stage)
    outputs = step.tensor(f"{stage.name} product", *stage.product_shape)
    products = Products(stage, step.network.images, step.kernels)
    products.forward(inputs, weight, outputs)

    def backward(dY: GpuTensor) -> None:
        if step.needs(inputs):
            dX = GpuTensor(f"{stage.name} input gradient", inputs.nbytes)
            products.input_gradient(dY, weight, dX)
            step.give(inputs, dX)
        _weight_gradient(step, stage, products, dY, inputs)

    step.learn(outputs, backward)
    return outputs


def _neurons(step: StepDraft, stage: NetworkStage, current: GpuTensor) -> GpuTensor:
    """What neurons put out: their spikes, or their potential."""
    name, steps, element = stage.name, step.network.steps, step.element
    if stage.learnt:  # a function of the parameter, such as the sigmoid
        parameters = GpuTensor(f"{name} parameters", stage.learnt * MASTER_NBYTES, kept=True)
        numbers = GpuTensor(f"{name} numbers", parameters.nbytes)
        step.launch(f"{name} lif numbers", "fp", (parameters,), (numbers,), stage.learnt)
    if stage.potential_out:
        spikes = step.tensor(f"{name} potential", *stage.out_shape)
        kernel, state = lif.integrate(name, current, spikes, stage.saves_state, element)
        step.kernels.append(kernel)
    else:
        spikes = step.tensor(f"{name} spikes", *stage.out_shape)
        kernels, state = lif.forward(name, current, spikes, steps, step.neuron, element)
        step.kernels.extend(kernels)
        if stage.learnt:  # the potential behind the reset follows from spikes
            state = replace(state, kept=(*state.kept, spikes))

    def backward(dS: GpuTensor) -> None:
        dI = step.tensor(f"{name} current gradient", *stage.out_shape)
        step.kernels.extend(lif.backward(name, state, dS, dI, steps, element))
        if stage.learnt:
            sums = GpuTensor(f"{name} gradients of numbers", numbers.nbytes)
            left = GpuTensor(f"{name} gradients of parameters", numbers.nbytes)
            step.launch(f"{name} lif numbers grad", "bp", (sums, numbers), (left,), stage.learnt)
        step.give(current, dI)

    step.record(spikes, (current,), backward)
    return spikes


def _dropout(step: StepDraft, stage: NetworkStage, inputs: GpuTensor) -> GpuTensor:
    """The inputs that a dropout keeps, and where: a byte an element, as torch's own saves it.

    Without training nothing is dropped.
    """
    if not (stage.dropout and step.network.learns):
        return inputs
    kept = GpuTensor(f"{stage.name} kept", inputs.nbytes // step.element)
    dropped = step.tensor(f"{stage.name} dropped", *stage.in_shape)
    step.launch(f"{stage.name} dropout", "fp", (inputs,), (dropped, kept))

    def backward(gradient: GpuTensor) -> None:
        dX = GpuTensor(f"{stage.name} undropped gradient", inputs.nbytes)
        step.launch(f"{stage.name} dropout grad", "bp", (gradient, kept), (dX,))
        step.give(inputs, dX)

    step.record(dropped, (inputs,), backward)
    return dropped


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
    outputs = step.outputs[head]
    mean = GpuTensor("mean output", outputs.nbytes // (step.network.steps * step.element) * 4)
    gradient = GpuTensor("output gradient", outputs.nbytes)
    flop = (step.network.steps + 4) * mean.nbytes // 4
    step.launch("loss", "loss", (outputs,), (mean,), flop)
    step.launch("loss grad", "loss", (mean,), (gradient,), flop)
    step.give(outputs, gradient)


def _weight_gradient(
    step: StepDraft, stage: NetworkStage, products: Products, dY: GpuTensor, inputs: GpuTensor
) -> None:
    dW = GpuTensor(f"{stage.name} weight gradient", stage.weights * step.element)
    products.weight_gradient(dY, inputs, dW)
    if step.element != MASTER_NBYTES:
        master = GpuTensor(f"{stage.name} master gradient", stage.weights * MASTER_NBYTES)
        step.launch(f"{stage.name} gradient cast", "wg", (dW,), (master,))
        dW = master
    step.weight_gradients.append(dW)

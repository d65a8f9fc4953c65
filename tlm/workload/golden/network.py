"""All layers of a network in NumPy: FP, then BP and WG in reverse.

With a recording given, its spikes and gradients are forced: each layer is rebuilt from what was
recorded around it, so that one difference does not hide behind another. Without one the network
runs free from its input, its weights and the gradient of the loss.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from tlm.workload.glm.neuron import GLMNeuron
from tlm.workload.golden.dropout import dropped
from tlm.workload.golden.feedback import Moment, of_steps
from tlm.workload.golden.glm import glm_excess, glm_potentials
from tlm.workload.golden.matmul import (
    held_gradient,
    matmul,
    matmul_input_gradient,
    streamed,
    streamed_gradient,
)
from tlm.workload.golden.neuron import fires, potentials
from tlm.workload.golden.norm import norm_gradients, normalise
from tlm.workload.golden.operand import Outputs, source_gradients, summed
from tlm.workload.golden.passes import Backward, Forced, Forward, NeuronBackward
from tlm.workload.golden.pool import pool_gradient, pooled
from tlm.workload.golden.product import input_gradient, product
from tlm.workload.golden.shortcuts import Arriving, Passing, send_back, with_shortcuts
from tlm.workload.learnt import at_iteration
from tlm.workload.loops import feeds_back, loops
from tlm.workload.model import NETWORK_INPUT, BoolArray, Layer, Neuron
from tlm.workload.values import Numbers, Parameters


def forward(
    layers: Sequence[Layer],
    steps: int,
    inputs: Numbers,
    parameters: Sequence[Parameters],
    forced: Sequence[Forced],
) -> list[Forward]:
    """FP of all layers; ``inputs`` is [B, C, H, W] if it is the same at every step, else [T, ...].

    It computes in the precision of ``inputs``. Where ``forced`` holds spikes they are what later
    layers read.
    """
    layers = at_iteration(layers, parameters)
    if inputs.ndim == 4:
        inputs = np.broadcast_to(inputs, (steps, *inputs.shape))
    outputs = {NETWORK_INPUT: inputs}
    starts = {loop.start: loop for loop in loops(layers)}
    forwards: list[Forward] = []
    for layer, trained, force in zip(layers, parameters, forced, strict=True):
        if loop := starts.get(layer.index):
            outputs |= _through_time(layers, loop, outputs, forwards, parameters, forced)
        passed = _currents(layer, layers, _read(layer, outputs), trained, forwards, force)
        passed = replace(passed, output=_output(layer, passed.current, force))
        outputs[layer.index] = pooled(layer.pool, passed.output)
        forwards.append(passed)
    return forwards


def _through_time(
    layers: Sequence[Layer],
    loop: range,
    outputs: Outputs,
    forwards: Sequence[Forward],
    parameters: Sequence[Parameters],
    forced: Sequence[Forced],
) -> dict[int, Numbers]:
    """What the layers of a loop leave, each step made of what they left before.

    Where all that is read back is forced, that alone.
    """
    back = {source for at in loop for source in layers[at].reads if source >= at}
    inputs = outputs[NETWORK_INPUT]
    if all(forced[at].spikes is not None for at in back):
        none = inputs[:0]
        return {at: pooled(layers[at].pool, _output(layers[at], none, forced[at])) for at in back}
    steps, batch = inputs.shape[:2]
    left = {at: np.zeros((steps, batch, *layers[at].pooled_shape), inputs.dtype) for at in loop}
    currents: dict[int, list[Numbers]] = {at: [] for at in loop}
    for step in range(steps):
        now = slice(step, step + 1)
        passed = {at: Moment.of(forward, now) for at, forward in enumerate(forwards)}
        for at in loop:
            layer = layers[at]
            read = _read(layer, {**outputs, **left}, now)
            trained, force = of_steps(parameters[at], now), forced[at].of(now)
            current = _currents(layer, layers, read, trained, passed, force).current
            currents[at].append(current)
            if layer.neuron is None:
                output = current
            elif force.spikes is not None:
                output = force.spikes.astype(inputs.dtype)
            else:
                spikes = fire(layer, np.concatenate(currents[at]), forced[at])
                output = spikes[-1:].astype(inputs.dtype)
            passed[at] = Moment(current, output)
            left[at][now] = pooled(layer.pool, output)
    return left


def _read(
    layer: Layer, outputs: Outputs, steps: slice = slice(None)
) -> tuple[Numbers, Numbers | None]:
    """What a layer reads in ``steps`` for its input, and for what it holds."""
    held = None if layer.held is None else summed(layer.held, outputs, steps)
    return summed(layer, outputs, steps), held


def _currents(
    layer: Layer,
    layers: Sequence[Layer],
    read: tuple[Numbers, Numbers | None],
    trained: Parameters,
    passed: Passing,
    force: Forced,
) -> Forward:
    """FP of a layer up to the current, which stands for its output as well."""
    inputs = dropped(layer, pooled(layer.input_pool, read[0]), force.kept)
    inputs = streamed(layer, inputs)
    if read[1] is not None:
        products = matmul(layer, inputs, read[1])
    elif force.products is not None:
        products = force.products.Y
    else:
        products = _product(layer, inputs, trained)
    normalised = None
    if layer.norm is not None:
        normalised = normalise(layer.norm, products, trained)
    own = products if normalised is None else normalised.current
    unpooled = with_shortcuts(own, layer, layers, passed)
    current = pooled(layer.current_pool, unpooled)
    return Forward(*read, inputs, normalised, own, unpooled, current, current)


def _product(layer: Layer, inputs: Numbers, trained: Parameters) -> Numbers:
    """Y of a layer, the bias included, from ``inputs`` (X)."""
    weights = trained.weights.astype(inputs.dtype, copy=False)
    products = product(layer, inputs.reshape(-1, *layer.in_shape), weights)
    products = products.reshape(*inputs.shape[:2], *layer.product_shape)
    if isinstance(layer.neuron, GLMNeuron):
        return glm_potentials(layer.neuron, products, trained.bias)
    if trained.bias is not None:
        products = products + trained.bias.astype(inputs.dtype)[:, None, None]
    return products


def _output(layer: Layer, current: Numbers, force: Forced) -> Numbers:
    """S, recorded or rebuilt, or H; the current itself of a layer without neurons."""
    if layer.neuron is None:
        return current
    if layer.membrane_output:
        return _potentials(layer, current, force)
    if force.output is not None:
        return force.output
    spikes = fire(layer, current, force) if force.spikes is None else force.spikes
    return spikes.astype(current.dtype)


def fire(layer: Layer, current: Numbers, force: Forced) -> BoolArray:
    """Spikes of a layer's neurons; forced spikes of LIF neurons drive their resets."""
    assert layer.neuron is not None
    if isinstance(layer.neuron, GLMNeuron):
        return np.asarray(excess(layer, current, force) > 0)
    return fires(layer.neuron, _potentials(layer, current, force))


def _potentials(layer: Layer, current: Numbers, force: Forced) -> Numbers:
    assert isinstance(layer.neuron, Neuron)
    return potentials(layer.neuron, current, force.spikes)


def excess(layer: Layer, current: Numbers, force: Forced) -> Numbers:
    """How far neurons are above what makes them spike: a threshold, or the draw of GLM neurons."""
    assert layer.neuron is not None
    if isinstance(layer.neuron, GLMNeuron):
        assert force.registers is not None
        return glm_excess(layer.neuron, current, force.registers)
    return _potentials(layer, current, force) - layer.neuron.threshold


def backward(
    layers: Sequence[Layer],
    forwards: Sequence[Forward],
    parameters: Sequence[Parameters],
    loss_gradients: Mapping[int, Numbers],
    forced: Sequence[Forced],
) -> list[Backward]:
    """BP and WG of all layers from ``loss_gradients`` [T, B, K, E', F'] at outputs, by layer.

    It computes in the precision of ``forwards``. Where ``forced`` holds dI, it is what earlier
    layers and WG receive. Layers that read a later one or themselves must have it: what they send
    there is due before its own gradient is known.
    """
    precision = forwards[0].current.dtype
    layers = at_iteration(layers, parameters)
    arriving = Arriving({at: dS.astype(precision, copy=False) for at, dS in loss_gradients.items()})
    for source, share in feedback_gradients(layers, forwards, parameters, forced).items():
        arriving.add_output(source, share)
    outputs = _operand_outputs(layers, forwards)
    backwards: list[Backward] = []
    for layer in reversed(layers):
        passed, trained = forwards[layer.index], parameters[layer.index]
        force = forced[layer.index]
        dS = _output_gradient(layer, passed, arriving)
        neurons = NeuronBackward(layer, passed.current, dS, force)
        flowing = neurons.dI if force.dI is None else force.dI.astype(precision, copy=False)
        unpooled = _current_backward(layer, layers, forwards, flowing, arriving)
        back = _norm_backward(neurons, passed, trained, unpooled)
        backwards.append(back)
        for source, share in _shares(back, passed, trained, outputs):
            if source < layer.index:
                arriving.add_output(source, share)
    return backwards[::-1]


def feedback_gradients(
    layers: Sequence[Layer],
    forwards: Sequence[Forward],
    parameters: Sequence[Parameters],
    forced: Sequence[Forced],
) -> dict[int, Numbers]:
    """What arrives at outputs from layers that read them steps later, by the layer read.

    It follows from dI alone, which must be forced.
    """
    back = Arriving({})
    if not any(map(feeds_back, layers)):
        return back.outputs
    layers = at_iteration(layers, parameters)
    arriving, outputs = Arriving({}), _operand_outputs(layers, forwards)
    for layer in reversed(layers):
        passed, trained = forwards[layer.index], parameters[layer.index]
        force, zero = forced[layer.index], np.zeros_like(passed.current)
        flowing = zero if force.dI is None else force.dI.astype(zero.dtype, copy=False)
        unpooled = _current_backward(layer, layers, forwards, flowing, arriving)
        if feeds_back(layer):
            neurons = NeuronBackward(layer, passed.current, zero, force)
            of_layer = _norm_backward(neurons, passed, trained, unpooled)
            for source, share in _shares(of_layer, passed, trained, outputs):
                if source >= layer.index:
                    back.add_output(source, share)
    return back.outputs


def _operand_outputs(layers: Sequence[Layer], forwards: Sequence[Forward]) -> dict[int, Numbers]:
    """What the sources of operands and of matmuls leave."""
    reading = (layer for layer in layers if layer.operand or layer.held)
    sources = {source for layer in reading for source in layer.producers}
    return {at: pooled(layers[at].pool, forwards[at].output) for at in sorted(sources)}


def _current_backward(
    layer: Layer,
    layers: Sequence[Layer],
    forwards: Sequence[Forward],
    dI: Numbers,
    arriving: Arriving,
) -> Numbers:
    """Gradient at the product, normalised; the shortcuts have theirs sent back."""
    added = arriving.currents.get(layer.index)
    flowing = dI if added is None else dI + added
    unpooled = pool_gradient(layer.current_pool, forwards[layer.index].unpooled, flowing)
    send_back(unpooled, layer, layers, forwards, arriving)
    return unpooled


def _output_gradient(layer: Layer, passed: Forward, arriving: Arriving) -> Numbers:
    """dS of a layer, before its pool; zero where its current alone is read."""
    behind = arriving.outputs.get(layer.index)
    if behind is None:
        return np.zeros_like(passed.output)
    return pool_gradient(layer.pool, passed.output, behind)


def _norm_backward(
    neurons: NeuronBackward, passed: Forward, trained: Parameters, unpooled: Numbers
) -> Backward:
    """BP of a layer to its product, from the gradient at that, normalised."""
    if neurons.layer.norm is None:
        return Backward(neurons, passed.inputs, unpooled, None)
    assert passed.normalised is not None
    norm = norm_gradients(neurons.layer.norm, passed.normalised, trained, unpooled)
    return Backward(neurons, passed.inputs, norm.dY, norm)


def _shares(
    back: Backward, passed: Forward, trained: Parameters, outputs: Outputs
) -> Iterator[tuple[int, Numbers]]:
    """What each source of a layer receives: dX, back through ``input_pool`` and operand.

    And dM, of what a matmul holds.
    """
    layer, dY, products = back.neurons.layer, back.dY, back.neurons.force.products
    if not layer.producers:
        return
    if layer.held is not None and passed.held is not None:
        dX = matmul_input_gradient(layer, dY, passed.held)
        dM = held_gradient(layer, passed.inputs, dY, passed.held.shape)
        yield from source_gradients(layer.held, outputs, dM)
    elif products is not None and products.dX is not None:
        dX = products.dX
    else:
        folded = dY.reshape(-1, *layer.product_shape)
        dX = input_gradient(layer, folded, trained.weights.astype(dY.dtype, copy=False))
    shape = passed.summed.shape
    if layer.input_pool is not None:
        shape = (*shape[:3], *layer.input_pool.pooled(shape[2:])[1:])
    gradient = dropped(layer, streamed_gradient(layer, dX, shape), back.neurons.force.kept)
    gradient = pool_gradient(layer.input_pool, passed.summed, gradient)
    yield from source_gradients(layer, outputs, gradient)

"""All layers of a network in NumPy: FP, then BP and WG in reverse.

With a recording given, its spikes and gradients are forced: each layer is rebuilt from what was
recorded around it, so that one difference does not hide behind another. Without one the network
runs free from its input, its weights and the gradient of the loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tlm.workload.glm.lfsr import States
from tlm.workload.glm.neuron import GLMNeuron
from tlm.workload.golden.feedback import unroll
from tlm.workload.golden.glm import glm_excess, glm_potentials
from tlm.workload.golden.neuron import Replay, fires, potentials, replay
from tlm.workload.golden.norm import Normalised, norm_gradient, normalise, scale_gradients
from tlm.workload.golden.operand import source_gradients, summed
from tlm.workload.golden.pool import pool_gradient, pooled
from tlm.workload.golden.product import input_gradient, product, weight_gradient
from tlm.workload.loops import feeds_back, loops
from tlm.workload.model import NETWORK_INPUT, BoolArray, Layer, Neuron
from tlm.workload.surrogate import Slope
from tlm.workload.values import Numbers, Parameters, Values


@dataclass(frozen=True, eq=False)
class Forced:
    """Recorded tensors of one layer, [T, B, K, E, F], that stand in for the rebuilt ones.

    ``spikes`` and ``masks`` are None for a read-out. ``slope`` stands for the derivative of a
    surrogate without closed form. GLM neurons draw with shift registers that begin in the states
    ``registers`` [K].
    """

    spikes: BoolArray | None
    masks: BoolArray | None
    dI: Numbers | None
    slope: Slope | None = None
    registers: States | None = None


FREE = Forced(None, None, None)


@dataclass(frozen=True, eq=False)
class Forward:
    """FP of one layer: ``inputs`` (X), ``current`` (I, or U of GLM neurons), ``output`` (S, or I
    of a read-out).

    ``summed`` is the operand before ``input_pool``, ``unpooled`` the current before
    ``current_pool``; all are [T, B, ...].
    """

    summed: Numbers
    inputs: Numbers
    normalised: Normalised | None
    unpooled: Numbers
    current: Numbers
    output: Numbers


@dataclass(frozen=True, eq=False)
class Backward:
    """BP and WG of one layer; ``replayed`` is None for a read-out.

    Gradients are ``dS`` at the layer's output (before its pool), ``dI`` at the neuron's input
    current, ``dY`` at the convolution's output; ``parameter_gradients`` are dW and the like.
    """

    replayed: Replay | None
    dS: Numbers
    dI: Numbers
    dY: Numbers
    parameter_gradients: Parameters


def forward(
    layers: Sequence[Layer],
    steps: int,
    inputs: Numbers,
    parameters: Sequence[Parameters],
    forced: Sequence[Forced],
) -> list[Forward]:
    """FP of all layers; ``inputs`` is [B, C, H, W] if it is the same at every step, else [T, ...].

    Where ``forced`` holds spikes they are what later layers read.
    """
    network_input = inputs.astype(np.float64)
    if network_input.ndim == 4:
        network_input = np.broadcast_to(network_input, (steps, *network_input.shape))
    outputs = {NETWORK_INPUT: network_input}
    starts = {loop.start: loop for loop in loops(layers)}
    forwards: list[Forward] = []
    for layer, trained, force in zip(layers, parameters, forced, strict=True):
        if loop := starts.get(layer.index):
            _through_time([layers[at] for at in loop], outputs, parameters, forced)
        passed = _layer_forward(layer, summed(layer, outputs), trained, force)
        outputs[layer.index] = pooled(layer.pool, passed.output)
        forwards.append(passed)
    return forwards


def _through_time(
    loop: Sequence[Layer],
    outputs: dict[int, Numbers],
    parameters: Sequence[Parameters],
    forced: Sequence[Forced],
) -> None:
    """Add to ``outputs`` what the layers of a loop leave, of which each waits for the others."""
    currents: dict[int, list[Numbers]] = {layer.index: [] for layer in loop}

    def output(layer: Layer, now: slice) -> Numbers:
        at, force = layer.index, forced[layer.index]
        if force.spikes is not None:
            return pooled(layer.pool, force.spikes[now].astype(np.float64))
        passed = _layer_forward(layer, summed(layer, outputs, now), parameters[at], FREE)
        if layer.neuron is None:
            return pooled(layer.pool, passed.output)
        currents[at].append(passed.current)
        return pooled(layer.pool, fire(layer, np.concatenate(currents[at]), force)[-1:] * 1.0)

    unroll(loop, outputs, outputs[NETWORK_INPUT].shape[:2], output)


def _layer_forward(layer: Layer, operand: Numbers, trained: Parameters, force: Forced) -> Forward:
    inputs = pooled(layer.input_pool, operand)
    inputs = inputs.reshape(*inputs.shape[:2], *layer.in_shape)
    products = product(
        layer, inputs.reshape(-1, *layer.in_shape), trained.weights.astype(np.float64)
    )
    products = products.reshape(*inputs.shape[:2], *layer.product_shape)
    if isinstance(layer.neuron, GLMNeuron):
        products = glm_potentials(layer.neuron, products, trained.bias)
    elif trained.bias is not None:
        products = products + trained.bias.astype(np.float64)[:, None, None]
    normalised = None
    if layer.norm is not None:
        assert trained.scale is not None and trained.shift is not None
        normalised = normalise(layer.norm, products, trained.scale, trained.shift)
    unpooled = products if normalised is None else normalised.current
    current = pooled(layer.current_pool, unpooled)
    if layer.neuron is None:
        output = current
    elif force.spikes is not None:
        output = force.spikes.astype(np.float64)
    else:
        output = fire(layer, current, force).astype(np.float64)
    return Forward(operand, inputs, normalised, unpooled, current, output)


def fire(layer: Layer, current: Numbers, force: Forced) -> BoolArray:
    """Spikes of a layer's neurons; forced spikes of LIF neurons drive their resets."""
    assert layer.neuron is not None
    if isinstance(layer.neuron, GLMNeuron):
        return np.asarray(excess(layer, current, force) > 0)
    return fires(layer.neuron, potentials(layer.neuron, current, force.spikes))


def excess(layer: Layer, current: Numbers, force: Forced) -> Numbers:
    """How far neurons are above what makes them spike: a threshold, or the draw of GLM neurons."""
    assert layer.neuron is not None
    if isinstance(layer.neuron, GLMNeuron):
        assert force.registers is not None
        return glm_excess(layer.neuron, current, force.registers)
    return potentials(layer.neuron, current, force.spikes) - layer.neuron.threshold


def backward(
    layers: Sequence[Layer],
    forwards: Sequence[Forward],
    parameters: Sequence[Parameters],
    loss_gradient: Numbers,
    forced: Sequence[Forced],
) -> list[Backward]:
    """BP and WG of all layers from ``loss_gradient`` [T, B, K, E', F'] at the last output.

    Where ``forced`` holds dI, it is what earlier layers and WG receive. Layers that read a later
    one or themselves must have it: what they send there is due before its own gradient is known.
    """
    read = {at for layer in layers if layer.operand for at in layer.operand.sources}
    outputs = {at: pooled(layers[at].pool, forwards[at].output) for at in read - {NETWORK_INPUT}}
    arriving: dict[int, Numbers] = {len(layers) - 1: loss_gradient.astype(np.float64)}

    def send(layer: Layer, dY: Numbers, later: bool) -> None:
        dX = _operand_gradient(layer, forwards[layer.index], parameters[layer.index], dY)
        for source, share in source_gradients(layer, outputs, dX):
            if (source >= layer.index) == later:
                arriving[source] = arriving.get(source, 0.0) + share

    for layer in filter(feeds_back, layers):
        at = layer.index
        assert forced[at].dI is not None
        nothing = np.zeros_like(forwards[at].output)
        flowing = _layer_backward(layer, forwards[at], parameters[at], nothing, forced[at])
        send(layer, flowing.dY, later=True)
    backwards: list[Backward] = []
    for layer in reversed(layers):
        index = layer.index
        dS = pool_gradient(layer.pool, forwards[index].output, arriving[index])
        backwards.append(
            _layer_backward(layer, forwards[index], parameters[index], dS, forced[index])
        )
        if layer.producers:
            send(layer, backwards[-1].dY, later=False)
    return backwards[::-1]


def _layer_backward(
    layer: Layer, passed: Forward, trained: Parameters, dS: Numbers, force: Forced
) -> Backward:
    replayed = None
    if isinstance(layer.neuron, Neuron):
        replayed = replay(
            layer.neuron,
            passed.current,
            dS,
            spikes=force.spikes,
            masks=force.masks,
            slope=force.slope,
        )
    dI = dS if replayed is None else replayed.dI
    flowing = dI if force.dI is None else force.dI.astype(np.float64)
    dY = unpooled = pool_gradient(layer.current_pool, passed.unpooled, flowing)
    scale = shift = None
    if layer.norm is not None:
        assert passed.normalised is not None and trained.scale is not None
        dY = norm_gradient(layer.norm, passed.normalised, trained.scale, unpooled)
        scale, shift = scale_gradients(passed.normalised, unpooled)
    folded = dY.reshape(-1, *layer.product_shape)
    dW = weight_gradient(layer, passed.inputs.reshape(-1, *layer.in_shape), folded)
    bias = folded.sum((0, 2, 3)) if layer.bias else None
    return Backward(replayed, dS, dI, dY, Parameters(dW, bias, scale, shift))


def _operand_gradient(layer: Layer, passed: Forward, trained: Parameters, dY: Numbers) -> Numbers:
    """Gradient at what ``layer`` reads: dX, back through ``input_pool``."""
    dX = input_gradient(
        layer, dY.reshape(-1, *layer.product_shape), trained.weights.astype(np.float64)
    )
    shape = passed.summed.shape
    if layer.input_pool is not None:
        shape = (*shape[:3], *layer.input_pool.pooled(shape[2:])[1:])
    return pool_gradient(layer.input_pool, passed.summed, dX.reshape(shape))


def rebuild(
    layers: Sequence[Layer], steps: int, values: Values, forced: Sequence[Forced]
) -> tuple[list[Forward], list[Backward]]:
    """FP, BP and WG of all layers; ``values`` must hold the gradient of the loss."""
    assert values.loss_gradient is not None
    forwards = forward(layers, steps, values.inputs, values.parameters, forced)
    backwards = backward(layers, forwards, values.parameters, values.loss_gradient, forced)
    return forwards, backwards

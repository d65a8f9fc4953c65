"""All layers of a network in NumPy: FP, then BP and WG in reverse.

With a recording given, its spikes and gradients are forced: each layer is rebuilt from what was
recorded around it, so that one difference does not hide behind another. Without one the network
runs free from its input, its weights and the gradient of the loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tlm.workload.golden.neuron import Replay, replay
from tlm.workload.golden.norm import Normalised, norm_gradient, normalise, scale_gradients
from tlm.workload.golden.pool import pool_gradient, pooled
from tlm.workload.golden.product import input_gradient, product, weight_gradient
from tlm.workload.model import NETWORK_INPUT, BoolArray, Layer
from tlm.workload.surrogate import Slope
from tlm.workload.values import Parameters, Values

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Forced:
    """Recorded tensors of one layer, [T, B, K, E, F], that stand in for the rebuilt ones.

    ``spikes`` and ``masks`` are None for a read-out. ``slope`` replaces the surrogate's form.
    """

    spikes: BoolArray | None
    masks: BoolArray | None
    dU: Array | None
    slope: Slope | None = None


FREE = Forced(None, None, None)


@dataclass(frozen=True, eq=False)
class Forward:
    """FP of one layer: ``inputs`` (X), ``current`` (I), ``output`` (S, or I of a read-out).

    ``summed`` is the sum of the sources before ``input_pool``, ``unpooled`` the current before
    ``current_pool``; all are [T, B, ...].
    """

    summed: Array
    inputs: Array
    normalised: Normalised | None
    unpooled: Array
    current: Array
    output: Array


@dataclass(frozen=True, eq=False)
class Backward:
    """BP and WG of one layer: ``neuron`` is None for a read-out.

    ``dU`` is dL/dI, ``dY`` dL/dY, ``parameter_gradients`` dL/dW and the like.
    """

    neuron: Replay | None
    dS: Array
    dU: Array
    dY: Array
    parameter_gradients: Parameters


def forward(
    layers: Sequence[Layer],
    steps: int,
    inputs: Array,
    parameters: Sequence[Parameters],
    forced: Sequence[Forced],
) -> list[Forward]:
    """FP of all layers; ``inputs`` is [B, C, H, W] if it is the same at every step, else [T, ...].

    Where ``forced`` holds spikes they are what later layers read.
    """
    network_input = inputs.astype(np.float64)
    if network_input.ndim == 4:
        network_input = np.broadcast_to(network_input, (steps, *network_input.shape))
    done: list[Forward] = []
    for layer, one, force in zip(layers, parameters, forced, strict=True):
        if layer.sources == (NETWORK_INPUT,):
            summed = network_input
        else:
            parts = [pooled(layers[at].pool, done[at].output) for at in layer.sources]
            summed = np.sum(parts, axis=0)
        done.append(_layer_forward(layer, summed, one, force))
    return done


def _layer_forward(layer: Layer, summed: Array, own: Parameters, force: Forced) -> Forward:
    inputs = pooled(layer.input_pool, summed)
    inputs = inputs.reshape(*inputs.shape[:2], *layer.in_shape)
    products = product(layer, inputs.reshape(-1, *layer.in_shape), own.weights.astype(np.float64))
    products = products.reshape(*inputs.shape[:2], *layer.product_shape)
    if own.bias is not None:
        products = products + own.bias.astype(np.float64)[:, None, None]
    normalised = None
    if layer.norm is not None:
        assert own.scale is not None and own.shift is not None
        normalised = normalise(layer.norm, products, own.scale, own.shift)
    unpooled = products if normalised is None else normalised.current
    current = pooled(layer.current_pool, unpooled)
    if layer.neuron is None:
        output = current
    elif force.spikes is not None:
        output = force.spikes.astype(np.float64)
    else:
        output = _fire(layer, current).astype(np.float64)
    return Forward(summed, inputs, normalised, unpooled, current, output)


def _fire(layer: Layer, current: Array) -> BoolArray:
    assert layer.neuron is not None
    # Without a slope: the derivative of a surrogate without closed form is not needed to fire.
    return replay(layer.neuron, current, np.zeros_like(current), slope=np.zeros_like).spikes


def backward(
    layers: Sequence[Layer],
    done: Sequence[Forward],
    parameters: Sequence[Parameters],
    loss_gradient: Array,
    forced: Sequence[Forced],
) -> list[Backward]:
    """BP and WG of all layers from ``loss_gradient`` [T, B, K, E', F'] at the last output.

    Where ``forced`` holds gradients (dL/dI) they are what earlier layers and WG receive.
    """
    arriving: dict[int, Array] = {len(layers) - 1: loss_gradient.astype(np.float64)}
    found: list[Backward] = []
    for layer in reversed(layers):
        one = done[layer.index]
        received = pool_gradient(layer.pool, one.output, arriving[layer.index])
        own, force = parameters[layer.index], forced[layer.index]
        found.append(_layer_backward(layer, one, own, received, force))
        if layer.sources != (NETWORK_INPUT,):
            share = _source_gradient(layer, one, own, found[-1].dY)
            for source in layer.sources:
                arriving[source] = arriving.get(source, 0.0) + share
    return found[::-1]


def _layer_backward(
    layer: Layer, one: Forward, own: Parameters, received: Array, force: Forced
) -> Backward:
    rebuilt = None
    gradients = received
    if layer.neuron is not None:
        rebuilt = replay(
            layer.neuron,
            one.current,
            received,
            spikes=force.spikes,
            masks=force.masks,
            slope=force.slope,
        )
        gradients = rebuilt.current_gradient
    flowing = gradients if force.dU is None else force.dU.astype(np.float64)
    flowing = pool_gradient(layer.current_pool, one.unpooled, flowing)
    at_output, scale, shift = flowing, None, None
    if layer.norm is not None:
        assert one.normalised is not None and own.scale is not None
        at_output = norm_gradient(layer.norm, one.normalised, own.scale, flowing)
        scale, shift = scale_gradients(one.normalised, flowing)
    folded = at_output.reshape(-1, *layer.product_shape)
    weights = weight_gradient(layer, one.inputs.reshape(-1, *layer.in_shape), folded)
    bias = folded.sum((0, 2, 3)) if layer.bias else None
    return Backward(
        rebuilt, received, gradients, at_output, Parameters(weights, bias, scale, shift)
    )


def _source_gradient(layer: Layer, one: Forward, own: Parameters, at_output: Array) -> Array:
    """What every source of ``layer`` receives: dL/dX through ``input_pool``."""
    folded = at_output.reshape(-1, *layer.product_shape)
    gradient = input_gradient(layer, folded, own.weights.astype(np.float64))
    shape = one.summed.shape
    if layer.input_pool is not None:
        shape = (*shape[:3], *layer.input_pool.pooled(shape[2:])[1:])
    return pool_gradient(layer.input_pool, one.summed, gradient.reshape(shape))


def rebuild(
    layers: Sequence[Layer], steps: int, values: Values, forced: Sequence[Forced]
) -> tuple[list[Forward], list[Backward]]:
    """FP, BP and WG of all layers; ``values`` must hold the gradient of the loss."""
    assert values.loss_gradient is not None
    passes = forward(layers, steps, values.inputs, values.parameters, forced)
    returns = backward(layers, passes, values.parameters, values.loss_gradient, forced)
    return passes, returns

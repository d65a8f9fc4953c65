"""All layers of a network in NumPy: FP, then BP and WG in reverse.

With a recording given, its spikes and gradients are forced: each layer is rebuilt from what was
recorded around it, so that one difference does not hide behind another. Without one the network
runs free from its input, its weights and the gradient of the loss.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from tlm.workload.glm.lfsr import States
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
from tlm.workload.golden.neuron import Replay, fires, potentials, replay
from tlm.workload.golden.norm import Normalised, norm_gradients, normalise
from tlm.workload.golden.operand import Outputs, source_gradients, summed
from tlm.workload.golden.pool import pool_gradient, pooled
from tlm.workload.golden.product import input_gradient, product, weight_gradient
from tlm.workload.golden.shortcuts import Arriving, Passing, send_back, with_shortcuts
from tlm.workload.loops import feeds_back, loops
from tlm.workload.model import NETWORK_INPUT, BoolArray, Layer, Neuron
from tlm.workload.surrogate import Slope
from tlm.workload.values import Numbers, Parameters, Values


@dataclass(frozen=True, eq=False)
class Forced:
    """Recorded tensors of one layer, [T, B, K, E, F], that stand in for the rebuilt ones.

    ``spikes`` and ``masks`` are None for a read-out. ``slope`` stands for the derivative of a
    surrogate without closed form. GLM neurons draw with shift registers that begin in the states
    ``registers`` [K]. ``kept`` [T, B, C, H, W] is what a dropout kept, which is never rebuilt.
    """

    spikes: BoolArray | None
    masks: BoolArray | None
    dI: Numbers | None
    slope: Slope | None = None
    registers: States | None = None
    kept: BoolArray | None = None


FREE = Forced(None, None, None)
_NONE = np.empty(0)


@dataclass(frozen=True, eq=False)
class Forward:
    """FP of one layer: ``inputs`` (X), ``current`` (I, or U of GLM neurons), ``output`` (S, or I
    of a read-out).

    ``summed`` is the operand before ``input_pool``, ``own`` the product, normalised, ``unpooled``
    that with its shortcuts, before ``current_pool``; ``held`` is what a matmul reads for its second
    operand. All are [T, B, ...].
    """

    summed: Numbers
    held: Numbers | None
    inputs: Numbers
    normalised: Normalised | None
    own: Numbers
    unpooled: Numbers
    current: Numbers
    output: Numbers


@dataclass(frozen=True, eq=False)
class NeuronBackward:
    """BP through the neurons of one layer: ``current`` (I) entered, ``dS`` arrived at the output.

    What follows from ``force`` in place of the rebuilt is not rebuilt unless it is asked for.
    """

    layer: Layer
    current: Numbers
    dS: Numbers
    force: Forced

    @cached_property
    def replayed(self) -> Replay | None:
        """The neurons' replay; None where there are none."""
        neuron, force = self.layer.neuron, self.force
        if not isinstance(neuron, Neuron):
            return None
        return replay(
            neuron, self.current, self.dS, spikes=force.spikes, masks=force.masks, slope=force.slope
        )

    @property
    def dI(self) -> Numbers:
        """Gradient at the neurons' input current, from the neurons alone."""
        return self.dS if self.replayed is None else self.replayed.dI


@dataclass(frozen=True, eq=False)
class Backward:
    """BP and WG of one layer, from its ``neurons`` on.

    ``dY`` is the gradient at the convolution's output; ``parameter_gradients`` are dW and the like.
    """

    neurons: NeuronBackward
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
            outputs |= _through_time(layers, loop, outputs, forwards, parameters, forced)
        passed = _currents(layer, layers, _read(layer, outputs, force), trained, forwards)
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
    if all(forced[at].spikes is not None for at in back):
        return {at: pooled(layers[at].pool, _output(layers[at], _NONE, forced[at])) for at in back}
    steps, batch = outputs[NETWORK_INPUT].shape[:2]
    left = {at: np.zeros((steps, batch, *layers[at].pooled_shape)) for at in loop}
    currents: dict[int, list[Numbers]] = {at: [] for at in loop}
    for step in range(steps):
        now = slice(step, step + 1)
        passed = {at: Moment.of(forward, now) for at, forward in enumerate(forwards)}
        for at in loop:
            layer = layers[at]
            read = _read(layer, {**outputs, **left}, forced[at], now)
            trained = of_steps(parameters[at], now)
            current = _currents(layer, layers, read, trained, passed).current
            currents[at].append(current)
            if layer.neuron is None:
                output = current
            elif (spikes := forced[at].spikes) is not None:
                output = spikes[now].astype(np.float64)
            else:
                output = fire(layer, np.concatenate(currents[at]), forced[at])[-1:] * 1.0
            passed[at] = Moment(current, output)
            left[at][now] = pooled(layer.pool, output)
    return left


class _Read(NamedTuple):
    """What a layer reads for its input, what it holds, and what a dropout kept of its input."""

    summed: Numbers
    held: Numbers | None
    kept: BoolArray | None


def _read(layer: Layer, outputs: Outputs, force: Forced, steps: slice = slice(None)) -> _Read:
    """What a layer reads in ``steps``."""
    held = None if layer.held is None else summed(layer.held, outputs, steps)
    kept = None if force.kept is None else force.kept[steps]
    return _Read(summed(layer, outputs, steps), held, kept)


def _currents(
    layer: Layer,
    layers: Sequence[Layer],
    read: _Read,
    trained: Parameters,
    passed: Passing,
) -> Forward:
    """FP of a layer up to the current, which stands for its output as well."""
    inputs, products = _product(layer, read, trained)
    normalised = None
    if layer.norm is not None:
        normalised = normalise(layer.norm, products, trained)
    own = products if normalised is None else normalised.current
    unpooled = with_shortcuts(own, layer, layers, passed)
    current = pooled(layer.current_pool, unpooled)
    return Forward(read.summed, read.held, inputs, normalised, own, unpooled, current, current)


def _product(layer: Layer, read: _Read, trained: Parameters) -> tuple[Numbers, Numbers]:
    """X and Y of a layer, the bias included."""
    operand = dropped(layer, pooled(layer.input_pool, read.summed), read.kept)
    inputs = streamed(layer, operand)
    if read.held is not None:
        return inputs, matmul(layer, inputs, read.held)
    products = product(
        layer, inputs.reshape(-1, *layer.in_shape), trained.weights.astype(np.float64)
    )
    products = products.reshape(*inputs.shape[:2], *layer.product_shape)
    if isinstance(layer.neuron, GLMNeuron):
        products = glm_potentials(layer.neuron, products, trained.bias)
    elif trained.bias is not None:
        products = products + trained.bias.astype(np.float64)[:, None, None]
    return inputs, products


def _output(layer: Layer, current: Numbers, force: Forced) -> Numbers:
    """S, recorded or rebuilt, or H; the current itself of a layer without neurons."""
    if layer.neuron is None:
        return current
    if layer.membrane_output:
        return _potentials(layer, current, force)
    spikes = fire(layer, current, force) if force.spikes is None else force.spikes
    return spikes.astype(np.float64)


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

    Where ``forced`` holds dI, it is what earlier layers and WG receive. Layers that read a later
    one or themselves must have it: what they send there is due before its own gradient is known.
    """
    arriving = Arriving({at: dS.astype(np.float64) for at, dS in loss_gradients.items()})
    for source, share in feedback_gradients(layers, forwards, parameters, forced).items():
        arriving.add_output(source, share)
    outputs = _operand_outputs(layers, forwards)
    backwards: list[Backward] = []
    for layer in reversed(layers):
        passed, trained = forwards[layer.index], parameters[layer.index]
        force = forced[layer.index]
        dS = _output_gradient(layer, passed, arriving)
        neurons = NeuronBackward(layer, passed.current, dS, force)
        flowing = neurons.dI if force.dI is None else force.dI.astype(np.float64)
        unpooled = _current_backward(layer, layers, forwards, flowing, arriving)
        dY, gradients = _product_backward(layer, passed, trained, unpooled)
        backwards.append(Backward(neurons, dY, gradients))
        for source, share in _shares(layer, passed, trained, dY, outputs, force.kept):
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
    arriving, outputs = Arriving({}), _operand_outputs(layers, forwards)
    for layer in reversed(layers):
        passed, trained = forwards[layer.index], parameters[layer.index]
        dI = forced[layer.index].dI
        flowing = np.zeros_like(passed.current) if dI is None else dI.astype(np.float64)
        unpooled = _current_backward(layer, layers, forwards, flowing, arriving)
        if feeds_back(layer):
            dY, _ = _product_backward(layer, passed, trained, unpooled)
            kept = forced[layer.index].kept
            for source, share in _shares(layer, passed, trained, dY, outputs, kept):
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
    flowing = dI + arriving.currents.get(layer.index, 0.0)
    unpooled = pool_gradient(layer.current_pool, forwards[layer.index].unpooled, flowing)
    send_back(unpooled, layer, layers, forwards, arriving)
    return unpooled


def _output_gradient(layer: Layer, passed: Forward, arriving: Arriving) -> Numbers:
    """dS of a layer, before its pool; zero where its current alone is read."""
    behind = arriving.outputs.get(layer.index)
    if behind is None:
        return np.zeros_like(passed.output)
    return pool_gradient(layer.pool, passed.output, behind)


def _product_backward(
    layer: Layer, passed: Forward, trained: Parameters, unpooled: Numbers
) -> tuple[Numbers, Parameters]:
    """dY and the gradients of a layer's parameters, from that at its product, normalised."""
    dY = unpooled
    scale = shift = step_scale = None
    if layer.norm is not None:
        assert passed.normalised is not None
        norm = norm_gradients(layer.norm, passed.normalised, trained, unpooled)
        dY, scale, shift, step_scale = norm.dY, norm.scale, norm.shift, norm.step_scale
    folded = dY.reshape(-1, *layer.product_shape)
    dW = weight_gradient(layer, passed.inputs.reshape(-1, *layer.in_shape), folded)
    bias = folded.sum((0, 2, 3)) if layer.bias else None
    return dY, Parameters(dW, bias, scale, shift, step_scale)


def _shares(
    layer: Layer,
    passed: Forward,
    trained: Parameters,
    dY: Numbers,
    outputs: Outputs,
    kept: BoolArray | None,
) -> Iterator[tuple[int, Numbers]]:
    """What each source of ``layer`` receives: dX, back through ``input_pool`` and operand.

    And dM, of what a matmul holds.
    """
    if not layer.producers:
        return
    if layer.held is not None and passed.held is not None:
        dX = matmul_input_gradient(layer, dY, passed.held)
        dM = held_gradient(layer, passed.inputs, dY, passed.held.shape)
        yield from source_gradients(layer.held, outputs, dM)
    else:
        folded = dY.reshape(-1, *layer.product_shape)
        dX = input_gradient(layer, folded, trained.weights.astype(np.float64))
    shape = passed.summed.shape
    if layer.input_pool is not None:
        shape = (*shape[:3], *layer.input_pool.pooled(shape[2:])[1:])
    read = dropped(layer, streamed_gradient(layer, dX, shape), kept)
    yield from source_gradients(
        layer, outputs, pool_gradient(layer.input_pool, passed.summed, read)
    )


def rebuild(
    layers: Sequence[Layer], steps: int, values: Values, forced: Sequence[Forced]
) -> tuple[list[Forward], list[Backward]]:
    """FP, BP and WG of all layers; ``values`` must hold the gradients of the loss."""
    forwards = forward(layers, steps, values.inputs, values.parameters, forced)
    backwards = backward(layers, forwards, values.parameters, values.loss_gradients, forced)
    return forwards, backwards

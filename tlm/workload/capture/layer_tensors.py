"""The boundaries of one layer's product and of its neurons -> the layer's tensors as arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tlm.errors import WorkloadError
from tlm.workload.capture.axes import input_gradient, output_gradient, timed
from tlm.workload.capture.boundary import Boundary, membranes
from tlm.workload.capture.stages import TopologyStage
from tlm.workload.golden.check import relative_error
from tlm.workload.golden.neuron import (
    Replay,
    carried,
    fires,
    from_membrane,
    near_edge,
    near_threshold,
    replay,
)
from tlm.workload.golden.passes import Backward
from tlm.workload.learnt import with_numbers
from tlm.workload.model import NETWORK_INPUT, BoolArray, Layer, Neuron
from tlm.workload.surrogate import Slope
from tlm.workload.values import FloatArray

_LEAST_SHARE = 1e-3
"""Share of dU that must come from the element's own spike, for dU to reveal the surrogate there."""


@dataclass(frozen=True)
class Stray:
    """How far recorded neurons are from their replay: ``spikes`` that rounding does not explain,
    and the largest difference of dI, relative to the largest.
    """

    spikes: int = 0
    dI: float = 0.0


@dataclass(frozen=True, eq=False)
class LayerTensors:
    """Recorded tensors of ``layer``, [T, B, ...].

    ``inputs`` X, ``dY``, ``current`` I, ``spikes`` S, ``masks`` m, ``dI`` and ``dS``. ``Y`` and
    ``dX`` are the products of the weights, where there are any and a gradient goes on; dX of the
    steps ``unrecorded``, whose input carries no gradient, is 0. With
    ``static`` they were computed once for all steps: X, Y and dY are [B, ...]. The spikes and
    masks of a layer without neurons are all true, its ``current`` is that without shortcuts, its dS
    and dI are the gradient of its output; of a static one they are known once rebuilt. ``slope`` is
    the derivative of a surrogate without closed form, ``membrane`` the potential that leaves the
    layer in place of spikes, whose gradient dS then is. ``stray`` is how far its neurons are from
    their replay. ``output`` is ``spikes`` as torch's numbers, ``kept`` what a dropout kept of the
    input.
    """

    layer: Layer
    slope: Slope | None
    static: bool
    inputs: FloatArray
    dY: FloatArray
    current: FloatArray
    spikes: BoolArray
    masks: BoolArray
    dI: FloatArray
    dS: FloatArray
    membrane: FloatArray | None = None
    stray: Stray = Stray()
    output: FloatArray | None = None
    kept: BoolArray | None = None
    Y: FloatArray | None = None
    dX: FloatArray | None = None
    unrecorded: tuple[int, ...] = ()


def layer_tensors(stage: TopologyStage, layer: Layer, steps: int, batch: int) -> LayerTensors:
    """Collect the tensors of ``layer``, which ``stage`` recorded over T ``steps``.

    Raises WorkloadError if calls do not fit T and B, a gradient is missing, or a neuron's output
    is not 0 and 1.
    """
    first = stage.first
    inputs = timed(first, first.inputs, steps, batch)
    gradient = input_gradient if stage.product is None else output_gradient
    dY = gradient(first, steps, batch)
    static = len(inputs) == batch and dY.ndim in (2, 4)
    if static and layer.sources != (NETWORK_INPUT,):
        raise WorkloadError(
            f"{first.name}: called once for all T = {steps} steps although it reads spikes; "
            "average over time after it, not before"
        )
    axes = 1 if static else 2
    inputs = inputs.reshape(*inputs.shape[:axes], *layer.in_shape)
    dY = dY.reshape(*dY.shape[:axes], *layer.product_shape)
    shape = (steps, batch, *layer.out_shape)
    if stage.neuron is None:
        tensors = _without_neurons(stage, layer, inputs, dY, shape)
    else:
        tensors = _with_neurons(stage.neuron, layer, inputs, dY, shape)
    product = stage.product
    if product is None or not layer.weighted:
        return tensors
    dX = input_gradient(product, steps, batch) if product.input_gradients else None
    missing = sorted(set(range(len(product.inputs))) - set(product.input_gradients))
    return replace(
        tensors,
        kept=_kept(first, layer, steps, batch),
        Y=timed(product, product.outputs, steps, batch).reshape(dY.shape),
        dX=None if dX is None else dX.reshape(inputs.shape),
        unrecorded=() if dX is None else tuple(missing),
    )


def _kept(product: Boundary, layer: Layer, steps: int, batch: int) -> BoolArray | None:
    """What a dropout kept of the input of ``layer``, [T, B, *in_shape]; None without one."""
    import torch

    dropouts = [call.dropout for call in product.readings]
    kept = [torch.from_numpy(each.kept) for each in dropouts if each is not None]
    if not kept:
        return None
    rows = timed(product, kept, steps, batch).reshape(steps, batch, *layer.in_shape)
    return np.asarray(rows, np.bool_)


def with_gradient(tensors: LayerTensors, rebuilt: Backward) -> LayerTensors:
    """``tensors`` with dS and dI of each step, as rebuilt, where only their sum was recorded."""
    if not tensors.static or tensors.layer.neuron is not None:
        return tensors
    gradient = rebuilt.neurons.dS.astype(np.float32)
    return replace(tensors, dS=gradient, dI=gradient)


def _without_neurons(
    stage: TopologyStage,
    layer: Layer,
    inputs: FloatArray,
    dY: FloatArray,
    shape: tuple[int, ...],
) -> LayerTensors:
    tail, ones = stage.tail, np.ones(shape, np.bool_)
    current = timed(tail, tail.outputs, *shape[:2])
    if inputs.ndim == 4:  # computed once for all steps: [B, C, H, W]
        current = np.broadcast_to(current.reshape(shape[1:]), shape)
        unknown = np.zeros(shape, np.float32)
        return LayerTensors(layer, None, True, inputs, dY, current, ones, ones, unknown, unknown)
    current = current.reshape(shape)
    dS = output_gradient(tail, *shape[:2]).reshape(shape)
    return LayerTensors(layer, None, False, inputs, dY, current, ones, ones, dS, dS)


def _with_neurons(
    neuron: Boundary, layer: Layer, inputs: FloatArray, dY: FloatArray, shape: tuple[int, ...]
) -> LayerTensors:
    assert isinstance(layer.neuron, Neuron) and neuron.equation is not None
    steps, batch = shape[:2]
    check_numbers(neuron, layer)
    equation = with_numbers(layer.neuron, learnt_numbers(neuron, gradient=False))
    current = timed(neuron, neuron.inputs, steps, batch).reshape(shape)
    static = inputs.ndim == 4  # [B, C, H, W]
    dI = input_gradient(neuron, steps, batch).reshape(shape)
    dS = output_gradient(neuron, steps, batch).reshape(shape)
    if not (np.isfinite(dI).all() and np.isfinite(dS).all()):
        raise WorkloadError(
            f"{neuron.name}: its gradient holds NaN or infinity; use a surrogate that does not "
            "overflow, or a smaller learning rate"
        )
    slope = neuron.equation.slope
    if equation.output == "membrane":
        membrane = timed(neuron, membranes(neuron), steps, batch).reshape(shape)
        spikes = fires(equation, membrane)
        ones = np.ones(shape, np.bool_)
        rebuilt = replay(equation, current, dS, spikes=spikes, slope=slope)
        stray = _stray(equation, rebuilt, spikes, dI)
        return LayerTensors(
            layer, slope, static, inputs, dY, current, spikes, ones, dI, dS, membrane, stray
        )
    output = timed(neuron, neuron.outputs, steps, batch).reshape(shape)
    spikes = output != 0
    if not np.array_equal(output, spikes):
        raise WorkloadError(
            f"{neuron.name}: expected spikes of exactly 0 and 1; use a plain step, or declare it "
            'with output="membrane" if it returns its membrane potential to the loss'
        )
    rebuilt = replay(equation, current, dS, spikes=spikes, slope=slope)
    masks = rebuilt.masks
    close = near_edge(equation, rebuilt.potential)
    if close.any() and np.any(equation.gain):
        masks = _revealed(equation, masks, close, spikes, dI, dS)
        rebuilt = replay(equation, current, dS, spikes=spikes, masks=masks, slope=slope)
    stray = _stray(equation, rebuilt, spikes, dI)
    return LayerTensors(
        layer, slope, static, inputs, dY, current, spikes, masks, dI, dS, None, stray, output
    )


def _stray(neuron: Neuron, rebuilt: Replay, spikes: BoolArray, dI: FloatArray) -> Stray:
    wrong = rebuilt.spikes != spikes
    if wrong.any():
        wrong &= ~near_threshold(neuron, rebuilt.potential)
    return Stray(int(np.count_nonzero(wrong)), relative_error(rebuilt.dI, dI))


def _revealed(
    neuron: Neuron,
    masks: BoolArray,
    close: BoolArray,
    spikes: BoolArray,
    dI: FloatArray,
    dS: FloatArray,
) -> BoolArray:
    """Where the surrogate's derivative is not zero, rounding having decided where H is ``close``.

    At the edge of a rectangle the mask is read off the gradient:
    dU[t] - decay dU[t+1] r[t] = dS[t] d[t], unless dS is too small to reveal d.
    """
    dU = from_membrane(neuron, dI) / neuron.gain
    later = np.zeros_like(dU)
    later[:-1] = dU[1:]
    from_spike = dU - neuron.decay * later * carried(neuron, spikes.astype(dU.dtype))
    step = np.abs(dS) * neuron.surrogate_peak
    revealed = close & (step > _LEAST_SHARE * (np.abs(dU) + np.abs(later)))
    return np.where(revealed, np.abs(from_spike) > step / 2, masks)


def learnt_numbers(neuron: Boundary, gradient: bool) -> dict[str, FloatArray]:
    """The numbers [1] or [K] that a neuron learns, or their gradients, by name."""
    assert neuron.equation is not None
    numbers = {}
    for name, learnt in neuron.equation.learnt.items():
        parameter = parameter_array(neuron, learnt.parameter, False).reshape(-1)
        number = learnt.number(parameter)
        if gradient and learnt.parameter not in neuron.parameter_gradients:
            raise WorkloadError(
                f"{neuron.name}.{learnt.parameter}: no gradient arrived: the loss does not depend "
                "on it, or backward was not called inside of 'with cap.at(...)'; fix it with "
                "requires_grad_(False) if it does not learn"
            )
        if gradient:  # of the parameter, by the chain rule
            arrived = parameter_array(neuron, learnt.parameter, True).reshape(-1)
            number = arrived / learnt.slope(parameter)
        numbers[name] = number.astype(np.float32)
    return numbers


def check_numbers(neuron: Boundary, layer: Layer) -> None:
    """Refuse numbers that are neither one of the layer nor one of each of its channels."""
    assert neuron.equation is not None
    channels, *places = layer.out_shape
    wide = [(channels, 1, 1), *[(channels,)] * (places == [1, 1])]
    for learnt in neuron.equation.learnt.values():
        shape = tuple(neuron.parameters[learnt.parameter].shape)
        if neuron.equation.neuron.by_channel and shape not in wide:
            raise WorkloadError(
                f"{neuron.name}.{learnt.parameter}: is of shape {shape}; a job holds one number of "
                f"a layer, or one of each channel, here of shape {wide[-1]}: give it that shape"
            )


def parameter_array(boundary: Boundary, name: str, gradient: bool) -> FloatArray:
    """A parameter of a module, or its ``gradient``; raises WorkloadError if backward left none."""
    arrays = boundary.parameter_gradients if gradient else boundary.parameters
    if name not in arrays:
        raise WorkloadError(
            f"{boundary.name}.{name}: no gradient arrived; call loss.backward() inside of "
            "'with cap.at(...)'"
        )
    return np.ascontiguousarray(arrays[name].cpu().numpy())

"""Whether the products that a layer recorded are those of its weights."""

from __future__ import annotations

from dataclasses import replace

from tlm.workload.capture.layer_tensors import LayerTensors
from tlm.workload.golden.probes import input_gradient_error, product_error, weight_gradient_error
from tlm.workload.golden.product import input_gradient
from tlm.workload.values import FloatArray, Values


def with_every_dX(tensors: LayerTensors, values: Values) -> LayerTensors:
    """``tensors`` with dX of steps whose input carries no gradient: a recurrent layer's first."""
    if tensors.dX is None or not tensors.unrecorded:
        return tensors
    layer, steps = tensors.layer, list(tensors.unrecorded)
    dY = tensors.dY[steps].reshape(-1, *layer.product_shape)
    dX = tensors.dX.copy()
    weights = values.parameters[layer.index].weights
    dX[steps] = input_gradient(layer, dY, weights).reshape(len(steps), *dX.shape[1:])
    return replace(tensors, dX=dX, unrecorded=())


def products_hold(tensors: LayerTensors, values: Values, tolerance: float) -> bool:
    """Whether probes find Y and dX within ``tolerance`` of their largest element.

    A layer without weights has no products.
    """
    if tensors.Y is None:
        return True
    layer, trained = tensors.layer, values.parameters[tensors.layer.index]
    inputs, dY = _images(tensors)
    Y = tensors.Y.reshape(dY.shape)
    holds = product_error(layer, inputs, trained.weights, trained.bias, Y) <= tolerance
    if tensors.dX is None:
        return holds
    dX = tensors.dX.reshape(inputs.shape)
    return holds and input_gradient_error(layer, dY, trained.weights, dX) <= tolerance


def weight_gradient_holds(tensors: LayerTensors, values: Values, tolerance: float) -> bool:
    """Whether a probe finds dW within ``tolerance`` of its largest element.

    Where a norm follows, what dW adds up cancels, and rounding may trip the probe.
    """
    if tensors.Y is None:
        return True
    dW = values.parameter_gradients[tensors.layer.index].weights
    return weight_gradient_error(tensors.layer, *_images(tensors), dW) <= tolerance


def _images(tensors: LayerTensors) -> tuple[FloatArray, FloatArray]:
    """X and dY, image by image."""
    layer = tensors.layer
    inputs = tensors.inputs.reshape(-1, *layer.in_shape)
    return inputs, tensors.dY.reshape(-1, *layer.product_shape)

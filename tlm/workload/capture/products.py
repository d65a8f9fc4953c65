"""Whether the products that a layer recorded are those of its weights."""

from __future__ import annotations

from tlm.workload.capture.layer_tensors import LayerTensors
from tlm.workload.golden.probes import input_gradient_error, product_error, weight_gradient_error
from tlm.workload.values import Values


def products_hold(tensors: LayerTensors, values: Values, tolerance: float) -> bool:
    """Whether probes find Y, dX and dW within ``tolerance`` of their largest element.

    If not, rounding may have tripped a probe: the whole product tells. A layer without weights
    has no products.
    """
    if tensors.Y is None:
        return True
    layer = tensors.layer
    trained, gradients = (
        each[layer.index] for each in (values.parameters, values.parameter_gradients)
    )
    inputs = tensors.inputs.reshape(-1, *layer.in_shape)
    dY = tensors.dY.reshape(-1, *layer.product_shape)
    Y = tensors.Y.reshape(dY.shape)
    errors = [
        product_error(layer, inputs, trained.weights, trained.bias, Y),
        weight_gradient_error(layer, inputs, dY, gradients.weights),
    ]
    if tensors.dX is not None:
        dX = tensors.dX.reshape(inputs.shape)
        errors.append(input_gradient_error(layer, dY, trained.weights, dX))
    return all(error <= tolerance for error in errors)

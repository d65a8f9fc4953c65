"""What was seen of one layer, as arrays: the boundaries of its product and of its neurons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tlm.errors import WorkloadError
from tlm.workload.capture.axes import gradients, timed
from tlm.workload.capture.boundary import Boundary
from tlm.workload.capture.topology import TopologyStage
from tlm.workload.golden.neuron import carried, near_edge, potentials, replay
from tlm.workload.model import BoolArray, Layer, Neuron
from tlm.workload.surrogate import Slope
from tlm.workload.values import FloatArray

_TELLING = 1e-3
"""Share of a gradient that must come from its own spike to tell the surrogate's value by it."""


@dataclass(frozen=True, eq=False)
class Seen:
    """One layer's recorded tensors, [T, B, ...]; with ``static`` the product's are [B, ...].

    ``inputs`` (X), ``dY`` (dL/dY), ``current`` (I), ``spikes`` (S), ``masks``,
    ``dU`` (dL/dI), ``dS`` (dL/dS). A read-out's spikes and masks are ones, and
    its spike gradients those of its output. ``slope`` stands for a surrogate without closed form.
    """

    layer: Layer
    slope: Slope | None
    static: bool
    inputs: FloatArray
    dY: FloatArray
    current: FloatArray
    spikes: BoolArray
    masks: BoolArray
    dU: FloatArray
    dS: FloatArray


def seen_of(stage: TopologyStage, layer: Layer, steps: int, batch: int) -> Seen:
    """Collect a layer's tensors.

    Raises WorkloadError if calls do not fit T and B, a gradient is missing, or a neuron's output
    is not 0 and 1.
    """
    product = stage.product
    inputs = timed(product, product.inputs, steps, batch)
    arrived = gradients(product, False, steps, batch)
    static = len(inputs) == batch and arrived.ndim in (2, 4)
    if static and layer.sources != (-1,):
        raise WorkloadError(
            f"{product.name}: called once for all T = {steps} steps although it reads spikes; "
            "average over time after it, not before"
        )
    inputs = inputs.reshape(*inputs.shape[: 1 if static else 2], *layer.in_shape)
    arrived = arrived.reshape(*arrived.shape[: 1 if static else 2], *layer.product_shape)
    if stage.neuron is None:
        return _readout(stage, layer, steps, batch, inputs, arrived)
    assert layer.neuron is not None and stage.neuron.equation is not None
    shape = (steps, batch, *layer.out_shape)
    neuron = stage.neuron
    current = timed(neuron, neuron.inputs, steps, batch).reshape(shape)
    output = timed(neuron, neuron.outputs, steps, batch).reshape(shape)
    if not np.isin(output, (0, 1)).all():
        raise WorkloadError(f"{neuron.name}: expected spikes of exactly 0 and 1; use a plain step")
    at_current = gradients(neuron, True, steps, batch).reshape(shape)
    at_spikes = gradients(neuron, False, steps, batch).reshape(shape)
    if not (np.isfinite(at_current).all() and np.isfinite(at_spikes).all()):
        raise WorkloadError(
            f"{neuron.name}: its gradient holds NaN or infinity; use a surrogate that does not "
            "overflow, or a smaller learning rate"
        )
    slope = stage.neuron.equation.slope
    masks = _masks(layer.neuron, slope, current, output != 0, at_current, at_spikes)
    return Seen(
        layer, slope, static, inputs, arrived, current, output != 0, masks, at_current, at_spikes
    )


def _readout(
    stage: TopologyStage,
    layer: Layer,
    steps: int,
    batch: int,
    inputs: FloatArray,
    arrived: FloatArray,
) -> Seen:
    if stage.norm is not None:
        raise WorkloadError(f"{stage.norm.name}: a norm without neurons behind it is not modelled")
    shape = (steps, batch, *layer.out_shape)
    current = timed(stage.product, stage.product.outputs, steps, batch).reshape(shape)
    ones = np.ones(shape, np.bool_)
    return Seen(layer, None, False, inputs, arrived, current, ones, ones, arrived, arrived)


def _masks(
    neuron: Neuron,
    slope: Slope | None,
    current: FloatArray,
    spikes: BoolArray,
    at_current: FloatArray,
    at_spikes: FloatArray,
) -> BoolArray:
    """Where the surrogate's derivative is not zero.

    At the edge of a rectangle rounding decides: there it is read off the gradient, of which
    gH[t] - decay gH[t+1] r[t] = gS[t] d[t] remains, unless gS is too small to tell.
    """
    masks = replay(neuron, current, at_spikes, spikes=spikes, slope=slope).mask
    close = near_edge(neuron, potentials(neuron, current, spikes))
    if close.any() and neuron.gain:
        membrane = at_current / neuron.gain
        later = np.zeros_like(membrane)
        later[:-1] = membrane[1:]
        own = membrane - neuron.decay * later * carried(neuron, spikes)
        step = np.abs(at_spikes) * neuron.surrogate_peak
        told = close & (step > _TELLING * (np.abs(membrane) + np.abs(later)))
        masks[told] = (np.abs(own) > step / 2)[told]
    return masks


def parameter_array(boundary: Boundary, name: str, gradient: bool) -> FloatArray:
    """A parameter of a module, or the gradient backward left; raises WorkloadError if none did."""
    found = boundary.parameter_gradients if gradient else boundary.parameters
    if name not in found:
        raise WorkloadError(
            f"{boundary.name}.{name}: no gradient arrived; call loss.backward() inside of "
            "'with cap.at(...)'"
        )
    return np.ascontiguousarray(found[name].cpu().numpy())

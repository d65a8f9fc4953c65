"""Boundaries of one iteration -> its layer graph, masks and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from tlm.errors import WorkloadError
from tlm.workload.capture.axes import batch_of, timed
from tlm.workload.capture.boundary import Boundary
from tlm.workload.capture.layer_tensors import (
    LayerTensors,
    layer_tensors,
    learnt_numbers,
    parameter_array,
    with_gradient,
)
from tlm.workload.capture.layouts import settle_time_axes
from tlm.workload.capture.norm_lists import with_joined_norms
from tlm.workload.capture.operands import check_nothing_added, input_place
from tlm.workload.capture.products import with_every_dX
from tlm.workload.capture.reading import readings_of
from tlm.workload.capture.stages import TopologyStage, require_product, stages_of
from tlm.workload.capture.topology import layers_of
from tlm.workload.capture.uses import with_uses_apart
from tlm.workload.golden.network import backward, feedback_gradients, forward
from tlm.workload.golden.passes import Backward, Forced, Forward, RecordedProducts
from tlm.workload.input_kind import CODED
from tlm.workload.model import Encoding, InputKind, Layer, Recording, input_frame
from tlm.workload.readers import has_dY, heads
from tlm.workload.values import FloatArray, Numbers, Parameters, Values


@dataclass(frozen=True, eq=False)
class Iteration:
    """One recorded iteration; ``open_forms`` are layers whose surrogate has no closed form."""

    layers: tuple[Layer, ...]
    encoding: Encoding
    batch: int
    recording: Recording
    values: Values
    open_forms: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Assembled:
    """What was recorded of one iteration, layer by layer, before any of it is rebuilt."""

    number: int
    steps: int
    batch: int
    encoding: Encoding
    stages: tuple[TopologyStage, ...]
    tensors: tuple[LayerTensors, ...]
    values: Values

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers of the stages."""
        return tuple(tensors.layer for tensors in self.tensors)


@dataclass(frozen=True, eq=False)
class Evidence:
    """What an iteration is verified by: each layer's tensors as recorded and as rebuilt.

    Only of a ``whole`` one the products of the weights are rebuilt.
    """

    tensors: tuple[LayerTensors, ...]
    forwards: tuple[Forward, ...]
    backwards: tuple[Backward, ...]
    whole: bool


def assemble(
    boundaries: Mapping[str, Boundary],
    steps: int,
    number: int,
    encoding: Encoding | None,
    time_axis: int = 0,
) -> Assembled:
    """Collect what is iteration ``number``; ``encoding`` None: read it off the input.

    Neurons have time at ``time_axis``, 0 or 1, where a call holds all steps.

    Raises WorkloadError if calls, topology, input or gradients are not what can be recorded.
    """
    require_product(boundaries)
    boundaries = with_uses_apart(with_joined_norms(boundaries, steps), steps)
    for boundary in boundaries.values():
        boundary.time_axis = time_axis
    batch = _batch(boundaries, steps)
    settle_time_axes(boundaries, steps, batch, time_axis)
    stages = stages_of(boundaries, readings_of(boundaries, steps, batch))
    coding, inputs = _network_input(stages, encoding, steps, batch)
    layers = layers_of(stages, CODED[coding])
    tensors = tuple(
        layer_tensors(stage, layer, steps, batch)
        for stage, layer in zip(stages, layers, strict=True)
    )
    values = Values(
        inputs=inputs.reshape(
            *inputs.shape[: 1 if coding == "direct" else 2], *input_frame(layers)
        ),
        dI=tuple(layer.dI for layer in tensors),
        parameters=tuple(_parameters(stage, gradient=False) for stage in stages),
        parameter_gradients=tuple(_parameters(stage, gradient=True) for stage in stages),
        loss_gradients={head: tensors[head].dS for head in heads(layers)},
    )
    for boundary in boundaries.values():
        boundary.let_go()
    tensors = tuple(with_every_dX(each, values) for each in tensors)
    return Assembled(number, steps, batch, coding, stages, tensors, values)


def rebuilt(recorded: Assembled, *, whole: bool) -> tuple[Iteration, Evidence]:
    """The iteration, and each of its layers rebuilt from what was recorded around it.

    ``whole``: in float64, with all products; else in float32 from the products as recorded.

    Raises WorkloadError if a layer reads more than can be recorded.
    """
    layers, tensors, values = recorded.layers, recorded.tensors, recorded.values
    inputs = values.inputs.astype(np.float64 if whole else np.float32, copy=False)
    forced = [_forced(layer, recorded.steps, whole) for layer in tensors]
    forwards = forward(layers, recorded.steps, inputs, values.parameters, forced)
    check_nothing_added(recorded.stages, tensors, forwards)
    if fed_back := feedback_gradients(layers, forwards, values.parameters, forced):
        values = replace(values, loss_gradients=_of_loss_alone(values, fed_back))
    backwards = backward(layers, forwards, values.parameters, values.loss_gradients, forced)
    tensors = tuple(map(with_gradient, tensors, backwards))
    values = replace(values, dI=tuple(layer.dI for layer in tensors))
    open_forms = tuple(layer.layer.name for layer in tensors if layer.slope is not None)
    recording = _recording(recorded.number, values, tensors, backwards)
    iteration = Iteration(layers, recorded.encoding, recorded.batch, recording, values, open_forms)
    return iteration, Evidence(tensors, tuple(forwards), tuple(backwards), whole)


def _recording(
    number: int, values: Values, tensors: Sequence[LayerTensors], backwards: Sequence[Backward]
) -> Recording:
    dU = tuple(layer.dI != 0 for layer in tensors)
    layers = [layer.layer for layer in tensors]
    return Recording(
        iteration=number,
        inputs=values.inputs != 0,
        spikes=tuple(layer.spikes for layer in tensors),
        masks=tuple(layer.masks for layer in tensors),
        dU=dU,
        # Rebuilt: a product that was computed once for all steps shows only the sum of its dY.
        dY=tuple(
            backward.dY != 0 if has_dY(layer.layer, layers) else bits
            for bits, layer, backward in zip(dU, tensors, backwards, strict=True)
        ),
        kept={at: each.kept for at, each in enumerate(tensors) if each.kept is not None},
    )


def _forced(tensors: LayerTensors, steps: int, whole: bool) -> Forced:
    products = None
    if tensors.Y is not None and not whole:
        Y = tensors.Y
        every = np.broadcast_to(Y, (steps, *Y.shape)) if tensors.static else Y
        products = RecordedProducts(every, tensors.dX)
    if tensors.layer.neuron is None:
        dI = None if tensors.static else tensors.dI
        return Forced(None, None, dI, products=products, kept=tensors.kept)
    forced = Forced(tensors.spikes, tensors.masks, tensors.dI, tensors.slope)
    output = None if whole else tensors.output
    return replace(forced, products=products, output=output, kept=tensors.kept)


def _of_loss_alone(values: Values, fed_back: Mapping[int, Numbers]) -> dict[int, FloatArray]:
    """What the loss sends to each head, without what comes from its readers in later steps."""
    return {
        head: (dS - fed_back.get(head, 0.0)).astype(np.float32)
        for head, dS in values.loss_gradients.items()
    }


def _batch(boundaries: Mapping[str, Boundary], steps: int) -> int:
    neurons = [boundary for boundary in boundaries.values() if boundary.kind == "neuron"]
    if not neurons:
        raise WorkloadError(
            "no neuron follows a layer; name your neuron's class and equation in "
            "Capture(net, steps=T, neurons={MyNeuron: declare(decay=..., spike=...)})"
        )
    sizes = sorted({batch_of(neuron, steps) for neuron in neurons})
    if len(sizes) > 1:
        raise WorkloadError(f"layers were called with different batch sizes, {sizes}")
    return sizes[0]


def _network_input(
    stages: Sequence[TopologyStage], encoding: Encoding | None, steps: int, batch: int
) -> tuple[Encoding, FloatArray]:
    """Coding of the input, and the input: [B, ...] if the same at each step, else [T, B, ...]."""
    first, channels = input_place(stages)
    inputs = timed(first, first.inputs, steps, batch)
    if channels is not None:
        inputs = inputs.take(channels, -3 if inputs.ndim > 3 else -1)
    time = inputs.ndim in (3, 5)
    if not time or (encoding in (None, "direct") and (inputs == inputs[:1]).all()):
        return "direct", inputs[0] if time else inputs
    if encoding == "direct":
        raise WorkloadError(
            f'{first.name}: encoding="direct" repeats one frame, and the network\'s input changes '
            "from step to step; leave encoding out, or repeat the frame"
        )
    kind = _kind(inputs)
    if encoding is not None and _WIDTH[kind] <= _WIDTH[CODED[encoding]]:
        return encoding, inputs
    return _BY_KIND[kind], inputs


_WIDTH: Final[dict[InputKind, int]] = {"binary": 0, "integer": 1, "analog": 2}
_BY_KIND: Final[dict[InputKind, Encoding]] = {
    "binary": "rate",
    "integer": "counts",
    "analog": "frames",
}


def _kind(inputs: FloatArray) -> InputKind:
    """What an input by steps holds: 0 and 1, whole numbers of 0 or more, or anything."""
    if np.isin(inputs, (0, 1)).all():
        return "binary"
    return "integer" if (inputs >= 0).all() and (inputs == np.rint(inputs)).all() else "analog"


def _parameters(stage: TopologyStage, gradient: bool) -> Parameters:
    product, norm = stage.product, stage.norm
    return Parameters(
        weights=_weights(product, gradient),
        bias=None if product is None else _optional(product, "bias", gradient),
        scale=None if norm is None else _optional(norm, "weight", gradient),
        shift=None if norm is None else _optional(norm, "bias", gradient),
        step_scale=None if norm is None else _step_scale(norm, gradient),
        constants={} if stage.neuron is None else learnt_numbers(stage.neuron, gradient),
    )


def _weights(product: Boundary | None, gradient: bool) -> FloatArray:
    """Weights as [K, C, R, S]; of an identity and of a matmul there are none."""
    if product is None or product.matmul is not None:
        return np.zeros((0, 0, 1, 1), np.float32)
    weights = parameter_array(product, "weight", gradient)
    if product.convolution is not None:
        return product.convolution.weights(weights)
    return weights.reshape(*weights.shape, 1, 1)


def _optional(boundary: Boundary, name: str, gradient: bool) -> FloatArray | None:
    """A parameter that a module may lack."""
    return parameter_array(boundary, name, gradient) if name in boundary.parameters else None


def _step_scale(norm: Boundary, gradient: bool) -> FloatArray | None:
    scale = _optional(norm, "step_scale", gradient)
    return None if scale is None else scale.reshape(-1)

"""Boundaries of one iteration -> its layer graph, masks and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tlm.errors import WorkloadError
from tlm.workload.capture.axes import batch_of, timed
from tlm.workload.capture.boundary import Boundary
from tlm.workload.capture.edges import INPUT
from tlm.workload.capture.seen import Seen, parameter_array, seen_of
from tlm.workload.capture.topology import TopologyStage, layers_of, stages_of
from tlm.workload.golden.network import Backward, Forced, Forward, rebuild
from tlm.workload.model import Encoding, Layer, Recording, Shape3
from tlm.workload.values import FloatArray, Parameters, Values


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
class Evidence:
    """What an iteration is verified by: what was seen of each layer, and each layer rebuilt."""

    seen: tuple[Seen, ...]
    passed: tuple[Forward, ...]
    returned: tuple[Backward, ...]


def assemble(
    boundaries: Mapping[str, Boundary], steps: int, number: int, encoding: Encoding | None
) -> tuple[Iteration, Evidence]:
    """Turn what the hooks saw into an iteration; ``encoding`` None is found out.

    Raises WorkloadError if calls, topology, input or gradients are not what can be recorded.
    """
    stages = stages_of(boundaries)
    batch = _batch(stages, steps)
    coding, inputs = _network_input(stages, encoding, steps, batch)
    layers = layers_of(stages, [_shapes(one) for one in stages], coding == "direct")
    seen = tuple(
        seen_of(stage, layer, steps, batch) for stage, layer in zip(stages, layers, strict=True)
    )
    values = Values(
        inputs=inputs.reshape(*inputs.shape[: 1 if coding == "direct" else 2], *layers[0].in_shape),
        dU=tuple(one.dU for one in seen),
        parameters=tuple(_parameters(one, gradient=False) for one in stages),
        parameter_gradients=tuple(_parameters(one, gradient=True) for one in stages),
        loss_gradient=seen[-1].dS,
    )
    forced = [_forced(one) for one in seen]
    passed, returned = rebuild(layers, steps, values, forced)
    recording = Recording(
        iteration=number,
        inputs=values.inputs != 0,
        spikes=tuple(one.spikes for one in seen),
        masks=tuple(one.masks for one in seen),
        dU=tuple(one.dU != 0 for one in seen),
        # Rebuilt, since a product that was computed once for all steps shows only their sum.
        dY=tuple(
            one.dU != 0 if one.layer.product_is_current else back.dY != 0
            for one, back in zip(seen, returned, strict=True)
        ),
    )
    open_forms = tuple(one.layer.name for one in seen if one.slope is not None)
    iteration = Iteration(layers, coding, batch, recording, values, open_forms)
    return iteration, Evidence(seen, tuple(passed), tuple(returned))


def _forced(one: Seen) -> Forced:
    if one.layer.neuron is None:
        return Forced(None, None, one.dU)
    return Forced(one.spikes, one.masks, one.dU, one.slope)


def _batch(stages: Sequence[TopologyStage], steps: int) -> int:
    neurons = [stage.neuron for stage in stages if stage.neuron is not None]
    if not neurons:
        raise WorkloadError(
            "no neuron follows a layer; name your neuron's class and equation in "
            "Capture(net, steps=T, neurons={MyNeuron: declare(decay=..., spike=...)})"
        )
    found = [batch_of(neuron, steps) for neuron in neurons]
    if len(set(found)) > 1:
        raise WorkloadError(f"layers were called with different batch sizes, {sorted(set(found))}")
    return found[0]


def _network_input(
    stages: Sequence[TopologyStage], encoding: Encoding | None, steps: int, batch: int
) -> tuple[Encoding, FloatArray]:
    """Coding of the input, and the input: [B, ...] if the same at each step, else [T, B, ...]."""
    first = next(one.product for one in stages if one.product.edges[0].source == INPUT)
    inputs = timed(first, first.inputs, steps, batch)
    time = inputs.ndim in (3, 5)
    if not time or (encoding in (None, "direct") and (inputs == inputs[:1]).all()):
        return "direct", inputs[0] if time else inputs
    if encoding == "direct" or not np.isin(inputs, (0, 1)).all():
        raise WorkloadError(
            f"{first.name}: the network's input changes from step to step and is not 0 and 1 "
            "(direct coding repeats one frame, rate coding and events are binary); clip event "
            "counts to 0 and 1, or repeat one frame"
        )
    return encoding or "rate", inputs


def _shapes(stage: TopologyStage) -> tuple[Shape3, Shape3, Shape3]:
    """Shapes of the input, of the neurons and of the product; linear layers have (C, 1, 1)."""
    product = stage.product
    rank = 3 if product.kind == "conv" else 1
    made = product.outputs[0].shape[-rank:]
    neurons = made if stage.neuron is None else stage.neuron.inputs[0].shape[-rank:]
    return _shape3(product.inputs[0].shape[-rank:]), _shape3(neurons), _shape3(made)


def _shape3(shape: Sequence[int]) -> Shape3:
    channels, height, width = (*shape, 1, 1)[:3]
    return (int(channels), int(height), int(width))


def _parameters(stage: TopologyStage, gradient: bool) -> Parameters:
    product, norm = stage.product, stage.norm
    weights = parameter_array(product, "weight", gradient)
    return Parameters(
        weights=weights.reshape(*weights.shape, *(1, 1)[: 4 - weights.ndim]),
        bias=None if product.module.bias is None else parameter_array(product, "bias", gradient),
        scale=None if norm is None else parameter_array(norm, "weight", gradient),
        shift=None if norm is None else parameter_array(norm, "bias", gradient),
    )

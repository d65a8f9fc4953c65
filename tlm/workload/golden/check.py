"""Rebuild a recorded iteration with the golden model and say where the two differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tlm.errors import WorkloadError
from tlm.workload.golden.agreement import Agreement, Flip, flips_of
from tlm.workload.golden.answers import rebuilt_answers
from tlm.workload.golden.network import backward, forward
from tlm.workload.golden.neuron import fires, near_threshold
from tlm.workload.golden.passes import FREE, Backward, Forced, Forward
from tlm.workload.learnt import LEARNT
from tlm.workload.model import NETWORK_INPUT, Layer, Neuron, Recording, Workload
from tlm.workload.values import Numbers, Values

_BLOCK_ELEMENTS = 1 << 17

ROUNDING = 1e-6
"""Rounding in float32 of a sum, relative to that of the absolute values; a step is 1.2e-7."""


def check_recording(workload: Workload, position: int) -> tuple[Agreement, ...]:
    """Rebuild the recording at ``position`` of ``iterations``: one Agreement per layer.

    Raises WorkloadError if the recording is not of level "exact", or if a decision of a job for
    inference is not what the rebuilt network decides.
    """
    if workload.levels[position] != "exact":
        raise WorkloadError(
            f"{workload.path}: iteration {workload.iterations[position]} is of level "
            f'"{workload.levels[position]}"; only "exact" can be rebuilt: record it with that level'
        )
    recording, values = workload.load(position), workload.load_values(position)
    if workload.mode == "inference":
        return rebuilt_answers(workload, recording, values)
    forced = forced_by(workload.layers, recording, values)
    inputs = values.inputs.astype(np.float64)
    layers, parameters = workload.layers, values.parameters
    forwards = forward(layers, workload.steps, inputs, parameters, forced)
    backwards = backward(layers, forwards, parameters, values.loss_gradients, forced)
    free = forward(layers, workload.steps, inputs, parameters, _kept_alone(forced))
    return tuple(
        _agreement(back.neurons.layer, recording, values, back, free[at])
        for at, back in enumerate(backwards)
    )


def forced_by(layers: Sequence[Layer], recording: Recording, values: Values) -> tuple[Forced, ...]:
    """Recorded tensors to force, by layer."""
    return tuple(
        Forced(None, None, values.dI[at], kept=recording.kept.get(at))
        if layer.neuron is None
        else Forced(
            recording.spikes[at], recording.masks[at], values.dI[at], kept=recording.kept.get(at)
        )
        for at, layer in enumerate(layers)
    )


def _kept_alone(forced: Sequence[Forced]) -> list[Forced]:
    """Nothing forced but what dropouts kept, which no network makes of its input."""
    return [replace(FREE, kept=force.kept) for force in forced]


def relative_error(rebuilt: Numbers, recorded: Numbers) -> float:
    """Largest difference over the largest recorded value; infinite if only zeros are recorded."""
    difference = _difference(rebuilt, recorded)
    if not difference:
        return 0.0
    largest = max(float(recorded.max()), -float(recorded.min()))
    return difference / largest if largest else float("inf")


def _difference(rebuilt: Numbers, recorded: Numbers) -> float:
    """The largest difference, by parts that stay in the cache; most are equal bit by bit."""
    if recorded.size > _BLOCK_ELEMENTS and recorded.ndim > 1:
        parts = [_difference(*part) for part in zip(rebuilt, recorded, strict=True)]
        return float(np.max(parts))  # NaN stays
    if np.array_equal(rebuilt, recorded):
        return 0.0
    return float(np.abs(rebuilt - recorded).max(initial=0.0))


def parameter_errors(
    layer: Layer, values: Values, rebuilt: Backward, *, weights: bool = True
) -> dict[str, float]:
    """Relative errors of dW and the like, by parameter; without ``weights`` not of dW.

    The bias of a normalised layer is left out: its gradient is zero but for rounding. Where a norm
    follows, now or further on, what a sum over dY adds up cancels; so a difference that rounding
    makes of the sum of |dY| is none, of a bias and of weights but those that read analog frames.
    Nor is one that it makes of what neurons add to the gradient of a number of their equation.
    """
    recorded = values.parameter_gradients[layer.index].named()
    if layer.norm is not None:
        recorded.pop("bias", None)
    if not weights:
        recorded.pop("weights")
    errors = {
        name: relative_error(rebuilt.gradient(name), gradient)
        for name, gradient in recorded.items()
    }
    frames = layer.input_kind == "analog" and NETWORK_INPUT in layer.sources
    largest = {"bias": 1.0, "weights": 0.0 if frames else float(np.abs(rebuilt.inputs).max())}
    for name in sorted(errors.keys() & largest.keys()):
        summed = np.abs(rebuilt.dY).sum((0, 1, 3, 4)).max()
        difference = np.abs(rebuilt.gradient(name) - recorded[name]).max(initial=0.0)
        if difference <= ROUNDING * largest[name] * summed:
            errors[name] = 0.0
    for name in sorted(errors.keys() & set(LEARNT)):
        difference = np.abs(rebuilt.gradient(name) - recorded[name])
        if (difference <= ROUNDING * rebuilt.rounding(name)).all():
            errors[name] = 0.0
    return errors


def _agreement(
    layer: Layer, recording: Recording, values: Values, backward: Backward, free: Forward
) -> Agreement:
    flips: tuple[Flip, ...] = ()
    near = free_flips = 0
    recorded = recording.spikes[layer.index]
    replayed = backward.neurons.replayed
    if isinstance(layer.neuron, Neuron) and replayed is not None:
        spikes, potential = replayed.spikes, replayed.potential
        close = near_threshold(layer.neuron, potential)
        near = int(np.count_nonzero((spikes != recorded) & close))
        flips = flips_of(spikes, recorded, potential - layer.neuron.threshold)
        fired = fires(layer.neuron, free.output) if layer.membrane_output else free.output != 0
        free_flips = int(np.count_nonzero(fired != recorded))
    return Agreement(
        layer=layer.name,
        neuron_steps=recorded.size,
        flips=flips,
        near=near,
        gradient_error=relative_error(backward.neurons.dI, values.dI[layer.index]),
        parameter_errors=parameter_errors(layer, values, backward),
        free_flips=free_flips,
    )

"""Rebuild a recorded iteration with the golden model and say where the two differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tlm.errors import WorkloadError
from tlm.workload.golden.network import FREE, Backward, Forced, Forward, forward, rebuild
from tlm.workload.golden.neuron import near_threshold
from tlm.workload.model import Layer, Recording, Workload
from tlm.workload.values import Numbers, Values

TOLERANCE = 1e-5
"""Largest |rebuilt - recorded| / max |recorded| of a gradient in an exact file."""


@dataclass(frozen=True)
class Flip:
    """A spike rebuilt otherwise: its place (t, b, k, e, f) and how far H is from the threshold."""

    place: tuple[int, ...]
    distance: float


@dataclass(frozen=True)
class Agreement:
    """How one layer, rebuilt, agrees with its recording.

    ``flips`` are the spikes that differ although the layer reads recorded inputs; ``near`` of them
    lie so close to the threshold that rounding decides. Errors are relative to the largest recorded
    value: ``gradient_error`` of dI, ``parameter_errors`` of dW and the like. ``free_flips`` is the
    number of spikes that differ if the network runs free from its input.
    """

    layer: str
    neuron_steps: int
    flips: tuple[Flip, ...]
    near: int
    gradient_error: float
    parameter_errors: dict[str, float]
    free_flips: int

    def holds(self, tolerance: float = TOLERANCE) -> bool:
        """Whether only rounding separates the two."""
        errors = [self.gradient_error, *self.parameter_errors.values()]
        return self.near == len(self.flips) and max(errors) <= tolerance


def check_recording(workload: Workload, position: int) -> tuple[Agreement, ...]:
    """Rebuild the recording at ``position`` of ``iterations``: one Agreement per layer.

    Raises WorkloadError if the recording is not of level "exact".
    """
    if workload.levels[position] != "exact":
        raise WorkloadError(
            f"{workload.path}: iteration {workload.iterations[position]} is of level "
            f'"{workload.levels[position]}"; only "exact" can be rebuilt: record it with that level'
        )
    recording, values = workload.load(position), workload.load_values(position)
    forced = forced_by(workload.layers, recording, values)
    _, backwards = rebuild(workload.layers, workload.steps, values, forced)
    free = forward(
        workload.layers, workload.steps, values.inputs, values.parameters, [FREE] * len(forced)
    )
    return tuple(
        _agreement(layer, recording, values, backwards[layer.index], free[layer.index])
        for layer in workload.layers
    )


def forced_by(layers: Sequence[Layer], recording: Recording, values: Values) -> tuple[Forced, ...]:
    """Recorded tensors to force, by layer."""
    return tuple(
        Forced(None, None, values.dI[at])
        if layer.neuron is None
        else Forced(recording.spikes[at], recording.masks[at], values.dI[at])
        for at, layer in enumerate(layers)
    )


def relative_error(rebuilt: Numbers, recorded: Numbers) -> float:
    """Largest difference over the largest recorded value; infinite if only zeros are recorded."""
    difference = float(np.abs(rebuilt - recorded).max(initial=0.0))
    largest = float(np.abs(recorded).max(initial=0.0))
    if not difference:
        return 0.0
    return difference / largest if largest else float("inf")


def parameter_errors(layer: Layer, values: Values, rebuilt: Backward) -> dict[str, float]:
    """Relative errors of dW and the like, by parameter.

    The bias of a normalised layer is left out: its gradient is zero but for rounding.
    """
    gradients = rebuilt.parameter_gradients.named()
    recorded = values.parameter_gradients[layer.index].named()
    return {
        name: relative_error(gradients[name], gradient)
        for name, gradient in recorded.items()
        if name != "bias" or layer.norm is None
    }


def _agreement(
    layer: Layer, recording: Recording, values: Values, backward: Backward, free: Forward
) -> Agreement:
    flips: tuple[Flip, ...] = ()
    near = free_flips = 0
    recorded = recording.spikes[layer.index]
    if layer.neuron is not None and backward.replayed is not None:
        spikes, potential = backward.replayed.spikes, backward.replayed.potential
        different = spikes != recorded
        near = int(np.count_nonzero(different & near_threshold(layer.neuron, potential)))
        flips = tuple(
            Flip(tuple(map(int, at)), float(potential[tuple(at)] - layer.neuron.threshold))
            for at in np.argwhere(different)
        )
        free_flips = int(np.count_nonzero((free.output != 0) != recorded))
    return Agreement(
        layer=layer.name,
        neuron_steps=recorded.size,
        flips=flips,
        near=near,
        gradient_error=relative_error(backward.dI, values.dI[layer.index]),
        parameter_errors=parameter_errors(layer, values, backward),
        free_flips=free_flips,
    )

"""Rebuild the forward pass of a job for inference, and what it decided."""

from __future__ import annotations

import numpy as np

from tlm.errors import WorkloadError
from tlm.workload.glm.decision import decide
from tlm.workload.golden.agreement import Agreement, flips_of
from tlm.workload.golden.network import excess, fire, forward
from tlm.workload.golden.neuron import near_threshold, potentials
from tlm.workload.golden.passes import Forced
from tlm.workload.learnt import at_iteration
from tlm.workload.model import BoolArray, Layer, Neuron, Recording, Workload
from tlm.workload.values import Numbers, Values


def rebuilt_answers(
    workload: Workload, recording: Recording, values: Values
) -> tuple[Agreement, ...]:
    """One Agreement per layer, each rebuilt from recorded spikes; decisions are checked, too.

    GLM neurons must spike as recorded, draw by draw: nothing of them is near a threshold.

    Raises:
        WorkloadError: a decision is not what recorded spikes and rebuilt potentials give.
    """
    layers = at_iteration(workload.layers, values.parameters)
    inputs = (workload.steps, values.inputs.astype(np.float64), values.parameters)
    starts = [Forced(None, None, None, registers=states) for states in values.registers]
    forced = [
        Forced(spikes, None, None, registers=states)
        for spikes, states in zip(recording.spikes, values.registers, strict=True)
    ]
    currents = [each.current for each in forward(layers, *inputs, forced)]
    outputs = [each.output for each in forward(layers, *inputs, starts)]
    _check_decisions(workload, recording, _potential(layers[-1], currents[-1], recording))
    return tuple(
        _agreement(layer, recording.spikes[at], currents[at], forced[at], outputs[at])
        for at, layer in enumerate(layers)
    )


def _potential(layer: Layer, current: Numbers, recording: Recording) -> Numbers:
    """Membrane potential of a layer's neurons, before any reset."""
    if isinstance(layer.neuron, Neuron):
        return potentials(layer.neuron, current, recording.spikes[layer.index])
    return current


def _agreement(
    layer: Layer, recorded: BoolArray, current: Numbers, force: Forced, free: Numbers
) -> Agreement:
    spikes, near = fire(layer, current, force), 0
    if isinstance(layer.neuron, Neuron):
        close = near_threshold(layer.neuron, potentials(layer.neuron, current, recorded))
        near = int(np.count_nonzero((spikes != recorded) & close))
    return Agreement(
        layer=layer.name,
        neuron_steps=recorded.size,
        flips=flips_of(spikes, recorded, excess(layer, current, force)),
        near=near,
        gradient_error=None,
        parameter_errors={},
        free_flips=int(np.count_nonzero((free != 0) != recorded)),
    )


def _check_decisions(workload: Workload, recording: Recording, potential: Numbers) -> None:
    answers = recording.answers
    assert answers is not None
    decided = decide("first-to-spike", potential[..., 0, 0], recording.spikes[-1][..., 0, 0])
    wrong = np.flatnonzero(decided.classes[-1] != answers.decisions)
    if len(wrong):
        raise WorkloadError(
            f"{workload.path}: iteration {recording.iteration}: the decisions of {len(wrong)} "
            f"samples, first of sample {wrong[0]}, are not those of the first output spike, or "
            "without one of the highest potential; record the job again"
        )

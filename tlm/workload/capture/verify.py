"""Hold a recorded iteration against the golden model: neurons, topology, numbers.

Wrong equations, a wrong time axis, state left over, a residual overlooked: each shows here as a
layer that cannot be rebuilt from its surroundings. Nothing is written that does not pass.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from tlm.errors import WorkloadError
from tlm.workload.capture.iteration import Evidence, Iteration
from tlm.workload.capture.seen import Seen
from tlm.workload.golden.check import parameter_errors, relative_error
from tlm.workload.golden.network import Backward, Forward
from tlm.workload.golden.neuron import near_threshold, replay
from tlm.workload.model import Layer

TOLERANCE = 1e-4
"""Largest difference accepted, relative to the largest value; float32 training left 2.5e-6."""


def verify_iteration(iteration: Iteration, evidence: Evidence) -> None:
    """Hold every layer against what its recorded surroundings give.

    Raises WorkloadError naming the first layer that comes out otherwise, or that is dead.
    """
    for one in evidence.seen:
        _check_alive(one)
        _check_neuron(one)
    for one, passed in zip(evidence.seen, evidence.passed, strict=True):
        _check_forward(one, passed)
    for one, returned in zip(evidence.seen, evidence.returned, strict=True):
        _check_backward(one, returned)
        _check_parameters(iteration, one.layer, returned)


def _check_alive(one: Seen) -> None:
    if one.spikes.any() and one.dU.any():
        return
    what = "gradient" if one.spikes.any() else "spike"
    raise WorkloadError(
        f"{one.layer.name} is dead: not one {what} in the whole mini-batch, so a recording would "
        "look 100 % sparse; scale its weights (LSUV, batch normalisation), use a wider surrogate, "
        "or record an earlier iteration"
    )


def _check_neuron(one: Seen) -> None:
    """Spikes and dL/dI from the recorded current and dL/dS, in the recording's own float32."""
    neuron = one.layer.neuron
    if neuron is None:
        return
    rebuilt = replay(
        neuron,
        one.current,
        one.dS,
        spikes=one.spikes,
        masks=one.masks,
        slope=one.slope,
    )
    wrong = (rebuilt.spikes != one.spikes) & ~near_threshold(neuron, rebuilt.potential)
    if wrong.any():
        raise WorkloadError(
            f"{one.layer.name}: {int(wrong.sum())} of {wrong.size} spikes differ from the replay; "
            "the neuron's decay, gain, threshold or reset is not the trained one, its state is "
            "left over from an earlier mini-batch, or the first axis is not time"
        )
    error = relative_error(rebuilt.current_gradient, one.dU)
    if not error <= TOLERANCE:
        raise WorkloadError(
            f"{one.layer.name}: dL/dI differs from the replay by {error:.1g} of its largest value; "
            "the neuron's surrogate, reset or detach_reset is not the trained one"
        )


def _check_forward(one: Seen, passed: Forward) -> None:
    """Input and current from the recorded spikes of the layers before."""
    _check_same(one, "input", passed.inputs[0] if one.static else passed.inputs, one.inputs)
    _check_same(one, "input current", passed.current, one.current)


def _check_backward(one: Seen, returned: Backward) -> None:
    """Gradients from the recorded gradients of the layers behind."""
    arrived = returned.dY
    _check_same(one, "dL/dS", returned.dS, one.dS)
    _check_same(one, "dL/dY", arrived.sum(0) if one.static else arrived, one.dY)


def _check_same(one: Seen, what: str, rebuilt: NDArray[Any], recorded: NDArray[Any]) -> None:
    error = relative_error(rebuilt, recorded)
    if not error <= TOLERANCE:
        raise WorkloadError(
            f"{one.layer.name}: its {what} differs by {error:.1g} of its largest value from what "
            "the recorded layers around it give; something lies between them that is no module, "
            "pool or sum of spikes: put it into a recorded module, or record without it"
        )


def _check_parameters(iteration: Iteration, layer: Layer, returned: Backward) -> None:
    errors = parameter_errors(layer, iteration.values, returned)
    for name, error in errors.items():
        if not error <= TOLERANCE:
            raise WorkloadError(
                f"{layer.name}: the gradient of its {name} differs by {error:.1g} of its largest "
                "value from X times dL/dY; a weight used twice cannot be recorded: give each use "
                "a module of its own"
            )

"""Hold a recorded iteration against the golden model: neurons, topology, numbers.

Wrong equations, a wrong time axis, state left over, a residual overlooked: each shows here as a
layer that cannot be rebuilt from its surroundings. Nothing is written that does not pass.
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from tlm.errors import WorkloadError
from tlm.workload.capture.iteration import Assembled, Evidence, Iteration, rebuilt
from tlm.workload.capture.layer_tensors import LayerTensors
from tlm.workload.capture.products import products_hold, weight_gradient_holds
from tlm.workload.golden.check import ROUNDING, parameter_errors, relative_error
from tlm.workload.golden.passes import Backward, Forward
from tlm.workload.model import Layer, Norm
from tlm.workload.values import Numbers

TOLERANCE = 1e-4
"""Largest difference accepted, relative to the largest value; float32 training left 2.5e-6."""

_AROUND = (
    "what the recorded layers around it give; something lies between them that is no module, pool "
    "or sum of spikes: put it into a recorded module, or record without it"
)
_BEHIND = (
    "what the recorded layers behind it give; something else reads its output: a term of the loss "
    "(a penalty on spikes or rates) or an operation that is no recorded module or pool: record "
    "without it"
)
_STATE = (
    "the membrane potential before the reset, which alone can be recorded; return that one, or put "
    "the loss on the spikes"
)

_TERM_TOLERANCE = 1e-2
"""Largest part of a gradient's difference that a term in the weights may leave unexplained."""


def verified_iteration(recorded: Assembled) -> tuple[Iteration, Evidence]:
    """The iteration, every layer of which is what its recorded surroundings give.

    Products of weights are told by probes, all else is rebuilt in float32. Of a layer whose dW a
    probe doubts, dW is computed. Where another doubt is left, everything is rebuilt in float64,
    which decides.

    Raises WorkloadError naming the first layer that comes out otherwise.
    """
    for tensors in recorded.tensors:
        _check_neuron(tensors)
    if all(products_hold(tensors, recorded.values, TOLERANCE) for tensors in recorded.tensors):
        with suppress(WorkloadError):
            return _verified(*rebuilt(recorded, whole=False))
    return _verified(*rebuilt(recorded, whole=True))


def _verified(iteration: Iteration, evidence: Evidence) -> tuple[Iteration, Evidence]:
    for tensors, forward in zip(evidence.tensors, evidence.forwards, strict=True):
        trained = iteration.values.parameters[tensors.layer.index]
        _check_forward(tensors, forward, _rounding(tensors.layer.norm, forward, trained.bias))
    for tensors, backward in zip(evidence.tensors, evidence.backwards, strict=True):
        _check_backward(tensors, backward)
        told = not evidence.whole and weight_gradient_holds(tensors, iteration.values, TOLERANCE)
        _check_parameters(iteration, tensors.layer, backward, weights=not told)
    return iteration, evidence


def dead_layers(evidence: Evidence) -> str:
    """A line that names the layers without a spike or without a gradient; empty without any."""
    silent = [
        each.layer.name
        for each in evidence.tensors
        if each.membrane is None and not each.spikes.any()
    ]
    untaught = [each.layer.name for each in evidence.tensors if not each.dI.any()]
    dead = " and ".join(
        f"not one {what} of {', '.join(layers)}"
        for what, layers in (("spike", silent), ("gradient", untaught))
        if layers
    )
    return dead and (
        f"dead: {dead} in the whole mini-batch, so that this work looks free; if it should learn, "
        "scale its weights (LSUV, batch normalisation) or use a wider surrogate"
    )


def _check_neuron(tensors: LayerTensors) -> None:
    """Spikes and dI as rebuilt from the recorded current and dS, in the recording's float32."""
    name, stray = tensors.layer.name, tensors.stray
    if stray.spikes:
        raise WorkloadError(
            f"{name}: {stray.spikes} of {tensors.spikes.size} spikes differ from the replay; the "
            "neuron's decay, gain, threshold or reset is not the trained one, its state is left "
            "over from an earlier mini-batch, or the first axis is not time"
        )
    if not stray.dI <= TOLERANCE:
        raise WorkloadError(
            f"{name}: dL/dI differs from the replay by {stray.dI:.1g} of its largest value; the "
            "neuron's surrogate, reset or detach_reset is not the trained one, or its state is "
            "detached between steps (truncated backpropagation), which is not modelled"
        )


def _rounding(norm: Norm | None, forward: Forward, bias: Numbers | None) -> Numbers:
    """What rounding may leave of a bias that a norm takes away: all there is of a dead channel.

    The mean of one adds up the same number again and again, and is rounded each time.
    """
    normalised = forward.normalised
    if norm is None or normalised is None or bias is None:
        return np.zeros(1)
    dead = normalised.inverse * norm.epsilon**0.5 > 1 - ROUNDING
    added_up = normalised.products.size // normalised.inverse.size
    share = np.where(dead, max(ROUNDING, added_up * 2.0**-24), ROUNDING)
    return np.asarray(share * np.abs(bias)[:, None, None] * normalised.inverse)


def _check_forward(tensors: LayerTensors, forward: Forward, rounding: Numbers) -> None:
    """Input and current from the recorded spikes of the layers before."""
    if tensors.membrane is not None:
        _check_membrane(tensors, forward)
    inputs = forward.inputs[0] if tensors.static else forward.inputs
    _check_same(tensors, "its input", inputs, tensors.inputs)
    current = forward.own if tensors.layer.neuron is None else forward.current
    if rounding.any():
        current = np.where(np.abs(current - tensors.current) <= rounding, tensors.current, current)
    _check_same(tensors, "its input current", current, tensors.current)


def _check_membrane(tensors: LayerTensors, forward: Forward) -> None:
    assert tensors.membrane is not None
    _check_same(tensors, "the state that the loss reads", forward.output, tensors.membrane, _STATE)


def _check_backward(tensors: LayerTensors, backward: Backward) -> None:
    """Gradients from the recorded gradients of the layers behind."""
    dY = backward.dY.sum(0) if tensors.static else backward.dY
    _check_same(tensors, "its dL/dS", backward.neurons.dS, tensors.dS, _BEHIND)
    _check_same(tensors, "its dL/dY", dY, tensors.dY)


def _check_same(
    tensors: LayerTensors, what: str, rebuilt: Numbers, recorded: Numbers, expected: str = _AROUND
) -> None:
    """``recorded`` is what is rebuilt from what is ``expected`` to make it."""
    error = relative_error(rebuilt, recorded)
    if not error <= TOLERANCE:
        raise WorkloadError(
            f"{tensors.layer.name}: {what} differs by {error:.1g} of its largest value from "
            f"{expected}"
        )


def _check_parameters(
    iteration: Iteration, layer: Layer, backward: Backward, *, weights: bool
) -> None:
    errors = parameter_errors(layer, iteration.values, backward, weights=weights)
    for name, error in errors.items():
        if not error <= TOLERANCE:
            if term := _weight_term(iteration, layer, name, backward):
                raise WorkloadError(
                    f"{layer.name}: the gradient of its {name} holds {term} beside that of the "
                    "spikes: the loss has a term in the weights; record without it, or leave it to "
                    "the optimizer (weight_decay)"
                )
            raise WorkloadError(
                f"{layer.name}: the gradient of its {name} differs by {error:.1g} of its largest "
                "value from X times dL/dY; a weight used twice cannot be recorded: give each use "
                "a module of its own"
            )


def _weight_term(iteration: Iteration, layer: Layer, name: str, backward: Backward) -> str:
    """A multiple of the parameter, or of its sign, that a gradient holds besides; else nothing."""
    recorded = iteration.values.parameter_gradients[layer.index].named()[name]
    rest = recorded - backward.gradient(name)
    parameter = iteration.values.parameters[layer.index].named()[name].astype(np.float64)
    for what, shape in (("the parameter", parameter), ("its sign", np.sign(parameter))):
        factor = float((rest * shape).sum() / max((shape * shape).sum(), 1e-30))
        if relative_error(factor * shape, rest) <= _TERM_TOLERANCE:
            return f"{factor:.3g} times {what}"
    return ""

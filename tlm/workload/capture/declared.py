"""A neuron layer's equation, as a framework or the user declares it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any, Literal

import numpy as np

from tlm.errors import WorkloadError
from tlm.workload.capture.constants import Constant, apart, constants, flag, word
from tlm.workload.capture.probe import SpikeFunction, Surrogate, measure
from tlm.workload.learnt import DECAYS, LEARNT, set_by
from tlm.workload.model import Neuron
from tlm.workload.surrogate import Slope
from tlm.workload.values import FloatArray

_RESETS = ("hard", "soft", "none")
_OTHER_WORDS = "; what snnTorch calls zero, subtract and none is hard, soft and none"

_NO_SPIKES = Surrogate("rectangular", 1.0, 1.0, True, True, np.zeros_like)
"""Stands for the surrogate of neurons without spikes, in whose equation it has no place."""


@dataclass(frozen=True)
class LearntNumber:
    """How a number of the equation follows from a ``parameter`` of the module, and its slope."""

    parameter: str
    number: Callable[[FloatArray], FloatArray] = lambda parameter: parameter
    slope: Callable[[FloatArray], FloatArray] = np.ones_like


@dataclass(frozen=True)
class Declared:
    """A neuron layer's equation; ``slope`` is None if the surrogate has a closed form.

    ``state`` returns the membrane potential before the first step, given the module and the
    arguments of its call, or None if it starts at rest. ``learnt`` are the numbers that are
    trained, by the names of :mod:`tlm.workload.learnt`. ``several`` are constants that differ from
    neuron to neuron, in the shapes in which the module takes them; the equation has their means.
    """

    neuron: Neuron
    slope: Slope | None = None
    state: Callable[[Any, tuple[Any, ...]], Any] | None = None
    remedy: str = ""
    learnt: Mapping[str, LearntNumber] = field(default_factory=dict)
    several: Mapping[str, FloatArray] = field(default_factory=dict)

    @classmethod
    def of(
        cls, given: Mapping[str, Constant], words: Mapping[str, Any], surrogate: Surrogate
    ) -> Declared:
        """The equation with the constants ``given``, each one number or several.

        ``words`` are the fields of ``Neuron`` that are neither constants nor the surrogate's. Of
        constants that follow from what is learnt the means are where it begins.
        """
        means, several = apart(given)
        fields: dict[str, Any] = {**means, **words}
        neuron = Neuron(
            **fields,
            surrogate=surrogate.name,
            surrogate_width=surrogate.width,
            surrogate_peak=surrogate.peak,
            compact=surrogate.compact,
            fires_at_threshold=surrogate.fires_at_threshold,
        )
        fixed = {name: several[name] for name in several if name not in set_by(neuron)}
        slope = surrogate.slope if surrogate.name == "other" else None
        return cls(neuron, slope, several=fixed)


def learns(parameter: str, of: Callable[[Any], Any] | None = None) -> LearntNumber:
    """A number that a neuron learns, for ``declare(learnt={"leak": learns("w", torch.sigmoid)})``.

    It is ``of`` (a function of torch) the module's ``parameter`` of that name, or the parameter
    itself.
    """
    if of is None:
        return LearntNumber(parameter)

    def graph(values: FloatArray) -> tuple[Any, Any]:
        import torch

        leaf = torch.from_numpy(values.copy()).requires_grad_()
        with torch.enable_grad():
            return leaf, of(leaf)

    def number(values: FloatArray) -> FloatArray:
        return np.asarray(graph(values)[1].detach().numpy())

    def slope(values: FloatArray) -> FloatArray:
        import torch

        leaf, result = graph(values)
        return np.asarray(torch.autograd.grad(result.sum(), leaf)[0].numpy())

    return LearntNumber(parameter, number, slope)


# Public and called by keyword: every argument is one term of the equation.
def declare(
    *,
    spike: SpikeFunction | None = None,
    decay: Constant,
    gain: Constant = 1.0,
    threshold: Constant = 1.0,
    reset: Literal["hard", "soft", "none"] = "hard",
    detach_reset: bool = True,
    reset_value: Constant | None = None,
    offset: Constant = 0.0,
    initial: Constant = 0.0,
    current_decay: Constant = 0.0,
    output: Literal["spikes", "membrane"] = "spikes",
    learnt: Mapping[str, LearntNumber] | None = None,
    by_channel: bool = False,
) -> Declared:
    """Declare the equation of a neuron of your own, for ``Capture(neurons={MyNeuron: ...})``.

    ``H[t] = decay V[t-1] + gain I[t] + offset``, where with ``current_decay`` the synaptic current
    ``J[t] = current_decay J[t-1] + I[t]`` stands for I; ``spike`` maps H - threshold to spikes
    (the ``apply`` of your autograd function); see ``tlm.workload.Neuron`` for the rest. Numbers may
    be of Python or NumPy, or tensors that do not learn; those that differ from channel to channel
    are tensors or arrays in the shape in which they meet I. With ``output="membrane"`` the module
    returns H: a leaky read-out, which needs no ``spike`` with ``reset="none"``. Numbers that learn
    are given where they begin, and in ``learnt`` by :func:`learns`: "decay", "leak" and the other
    names of :mod:`tlm.workload.learnt`, one of each channel if ``by_channel``.

    Raises WorkloadError for a number that learns or is out of range, for another word than those
    of ``reset``, and if ``spike`` is no step function with a surrogate gradient.
    """
    reset = word("declare(reset=...)", reset, _RESETS, _OTHER_WORDS)
    at = _number("threshold", threshold, 0)
    if reset_value is None:
        reset_value = at if reset == "soft" else 0.0
    output = word("declare(output=...)", output, ("spikes", "membrane"))
    silent = spike is None and output == "membrane" and reset == "none"
    surrogate = _NO_SPIKES if silent else measure("declare(spike=...)", spike)
    given = {
        "decay": _number("decay", decay, 0, 1),
        "gain": _number("gain", gain, 0),
        "threshold": at,
        "reset_value": _number("reset_value", reset_value),
        "offset": _number("offset", offset),
        "initial": _number("initial", initial),
        "current_decay": _number("current_decay", current_decay, 0, 1),
    }
    words = {
        "reset": reset,
        "detach_reset": flag("declare(detach_reset=...)", detach_reset),
        "output": output,
        "learnt": _names(learnt or {}),
        "by_channel": flag("declare(by_channel=...)", by_channel),
    }
    return replace(Declared.of(given, words, surrogate), learnt=learnt or {})


def _names(learnt: Mapping[str, LearntNumber]) -> tuple[str, ...]:
    names = tuple(word("declare(learnt=...)", name, LEARNT) for name in learnt)
    if sum(name in DECAYS for name in names) > 1:
        raise WorkloadError(
            f"declare(learnt=...): {', '.join(names)} set one decay; give one of them"
        )
    return names


def _number(name: str, value: Any, low: float = -inf, high: float = inf) -> Constant:
    return constants(f"declare({name}=...)", value, low, high)

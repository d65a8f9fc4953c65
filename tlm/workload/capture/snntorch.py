"""Neurons of snnTorch 1.x -> their equations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tlm.errors import WorkloadError
from tlm.workload.capture.beyond import inexpressible
from tlm.workload.capture.constants import Constant, constant, constants
from tlm.workload.capture.declared import Declared, LearntNumber
from tlm.workload.capture.probe import measure

_RESETS = {"subtract": "soft", "zero": "hard", "none": "none"}


def snntorch_equation(name: str, module: Any) -> Declared:
    """H[t] = beta H[t-1] + I[t], reset by the spike of the step before, never differentiated.

    beta and threshold may learn. Both, and alpha, may be one number of the layer or one a channel.
    """
    kind = type(module).__name__
    if kind not in ("Leaky", "Synaptic"):
        raise inexpressible(name, kind, "Leaky")
    current_decay: Constant = 0.0
    if kind == "Synaptic":
        current_decay = _clamped(constants(f"{name}.alpha", module.alpha))
        if module.reset_mechanism == "zero":
            raise WorkloadError(
                f'{name}: Synaptic with reset_mechanism="zero" resets its current too, which no '
                'job can say; use "subtract" or "none"'
            )
    options = [key for key in ("inhibition", "state_quant", "surrogate_disable")
               if getattr(module, key)]  # fmt: skip
    if options or not module.reset_delay:
        option = f"{options[0]}={getattr(module, options[0])}" if options else "reset_delay=False"
        raise WorkloadError(f"{name}: {kind} with {option} is not modelled; leave the option out")
    if constant(f"{name}.graded_spikes_factor", module.graded_spikes_factor) != 1:
        raise WorkloadError(f"{name}: expected spikes of 0 and 1; use graded_spikes_factor=1")
    numbers = {"beta": LearntNumber("beta", _clamped), "threshold": LearntNumber("threshold")}
    learnt = {key: each for key, each in numbers.items() if getattr(module, key).requires_grad}
    threshold = _start(name, module, "threshold", learnt)
    beta = _clamped(_start(name, module, "beta", learnt))
    soft = module.reset_mechanism == "subtract"
    if soft and not np.all(beta):
        raise WorkloadError(
            f"{name}: beta = 0 with reset by subtraction is not known; use beta > 0"
        )
    surrogate = measure(f"{name}.spike_grad", module.spike_grad)
    given = {
        "decay": beta,
        "gain": 1.0,
        "threshold": threshold,
        "reset_value": threshold / beta if soft else 0.0,
        "current_decay": current_decay,
    }
    words = {
        "reset": _RESETS[module.reset_mechanism],
        "detach_reset": True,
        "learnt": tuple(learnt),
        "by_channel": any(getattr(module, key).numel() > 1 for key in learnt),
    }
    remedy = "start each mini-batch from reset_mem(), or call utils.reset(net)"
    equation = Declared.of(given, words, surrogate)
    return replace(equation, state=_snntorch_state, remedy=remedy, learnt=learnt)


def _start(name: str, module: Any, key: str, learnt: Mapping[str, LearntNumber]) -> Constant:
    """A constant, or where a number that learns begins; of several their mean."""
    value = getattr(module, key)
    return float(value.detach().mean()) if key in learnt else constants(f"{name}.{key}", value)


def _clamped(decay: Any) -> Any:
    return np.clip(decay, 0, 1)


def _snntorch_state(module: Any, arguments: tuple[Any, ...]) -> Any:
    """What is left of the potential, and of a current, which both start at 0."""
    given = [state for state in arguments[1:] if state is not None]
    left = given or [module.mem, *([module.syn] if hasattr(module, "syn") else [])]
    return sum(state.detach().abs() for state in left if state.numel())

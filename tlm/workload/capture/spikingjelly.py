"""Neurons of SpikingJelly 2.x -> their equations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tlm.workload.capture.beyond import inexpressible
from tlm.workload.capture.constants import Constant, constants
from tlm.workload.capture.declared import Declared, LearntNumber
from tlm.workload.capture.probe import measure
from tlm.workload.values import FloatArray

_REMEDY = "call functional.reset_net(net) before each mini-batch"


def spikingjelly_equation(name: str, module: Any) -> Declared:
    """H = V + (I - (V - v_reset)) / tau, or with I whole; v_reset None means a soft reset.

    ParametricLIFNode has 1/tau = sigmoid(w), which learns unless w is fixed; CUBALIFNode
    H = v_decay V + J, J = c_decay J + I.
    """
    kind = type(module).__name__
    if kind == "CUBALIFNode":
        decays = [constants(f"{name}.{key}", getattr(module, key), 0, 1)
                  for key in ("v_decay", "c_decay")]  # fmt: skip
        return _node(name, module, (decays[0], 1.0, 0.0), decays[1])
    if kind in ("IFNode", "SimpleIFNode"):
        return _node(name, module, (1.0, 1.0, 0.0))
    if kind in ("LIFNode", "SimpleLIFNode"):
        leak = 1 / constants(f"{name}.tau", module.tau)
    elif kind == "ParametricLIFNode":
        leak = constants(f"{name}.w", module.w.detach().sigmoid())
    else:
        raise inexpressible(name, kind, "LIFNode")
    offset = leak * _rest(name, module)
    learnt: dict[str, LearntNumber] = {}
    if kind == "ParametricLIFNode" and module.w.requires_grad:
        number = "leak" if module.decay_input else "state_leak"
        learnt = {number: LearntNumber("w", _sigmoid, _sigmoid_slope)}
    terms = (1 - leak, leak if module.decay_input else 1.0, offset)
    return _node(name, module, terms, learnt=learnt)


def _sigmoid(numbers: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-numbers)))


def _sigmoid_slope(numbers: FloatArray) -> FloatArray:
    return np.asarray(_sigmoid(numbers) * (1 - _sigmoid(numbers)))


def _node(
    name: str,
    module: Any,
    terms: tuple[Constant, Constant, Constant],
    current_decay: Constant = 0.0,
    learnt: Mapping[str, LearntNumber] | None = None,
) -> Declared:
    """What all nodes share; ``terms`` are decay, gain and offset."""
    surrogate = measure(f"{name}.surrogate_function", module.surrogate_function)
    threshold = constants(f"{name}.v_threshold", module.v_threshold)
    hard, rest = module.v_reset is not None, _rest(name, module)
    decay, gain, offset = terms
    learnt = learnt or {}
    given = {
        "decay": decay,
        "gain": gain,
        "threshold": threshold,
        "reset_value": rest if hard else threshold,
        "offset": offset,
        "initial": rest,
        "current_decay": current_decay,
    }
    words = {
        "reset": "hard" if hard else "soft",
        "detach_reset": bool(module.detach_reset),
        "learnt": tuple(learnt),
        "by_channel": any(getattr(module, each.parameter).numel() > 1 for each in learnt.values()),
    }
    equation = Declared.of(given, words, surrogate)
    return replace(equation, state=lambda node, _: node.v, remedy=_REMEDY, learnt=learnt)


def _rest(name: str, module: Any) -> Constant:
    return 0.0 if module.v_reset is None else constants(f"{name}.v_reset", module.v_reset)

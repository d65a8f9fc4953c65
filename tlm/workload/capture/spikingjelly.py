"""Neurons of SpikingJelly 2.x -> their equations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tlm.workload.capture.beyond import inexpressible
from tlm.workload.capture.constants import constant
from tlm.workload.capture.declared import Declared, LearntNumber, open_slope
from tlm.workload.capture.probe import measure
from tlm.workload.model import Neuron
from tlm.workload.values import FloatArray

_REMEDY = "call functional.reset_net(net) before each mini-batch"


def spikingjelly_equation(name: str, module: Any) -> Declared:
    """H = V + (I - (V - v_reset)) / tau, or with I whole; v_reset None means a soft reset.

    ParametricLIFNode has 1/tau = sigmoid(w), which learns unless w is fixed; CUBALIFNode
    H = v_decay V + J, J = c_decay J + I.
    """
    kind = type(module).__name__
    if kind == "CUBALIFNode":
        current_decay = constant(f"{name}.c_decay", module.c_decay, 0, 1)
        return _node(
            name, module, (constant(f"{name}.v_decay", module.v_decay), 1.0, 0.0), current_decay
        )
    if kind in ("IFNode", "SimpleIFNode"):
        return _node(name, module, (1.0, 1.0, 0.0))
    if kind in ("LIFNode", "SimpleLIFNode"):
        leak = 1 / constant(f"{name}.tau", module.tau)
    elif kind == "ParametricLIFNode":
        leak = float(module.w.detach().sigmoid())
    else:
        raise inexpressible(name, kind, "LIFNode")
    offset = leak * float(module.v_reset or 0.0)
    node = _node(name, module, (1 - leak, leak if module.decay_input else 1.0, offset))
    if kind != "ParametricLIFNode" or not module.w.requires_grad:
        return node
    number = "leak" if module.decay_input else "state_leak"
    return replace(
        node,
        neuron=replace(node.neuron, learnt=(number,)),
        learnt={number: LearntNumber("w", _sigmoid, _sigmoid_slope)},
    )


def _sigmoid(numbers: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-numbers)))


def _sigmoid_slope(numbers: FloatArray) -> FloatArray:
    return np.asarray(_sigmoid(numbers) * (1 - _sigmoid(numbers)))


def _node(
    name: str, module: Any, terms: tuple[float, float, float], current_decay: float = 0.0
) -> Declared:
    """What all nodes share; ``terms`` are decay, gain and offset."""
    surrogate = measure(f"{name}.surrogate_function", module.surrogate_function)
    threshold = constant(f"{name}.v_threshold", module.v_threshold)
    hard = module.v_reset is not None
    rest = float(module.v_reset) if hard else 0.0
    decay, gain, offset = terms
    neuron = Neuron(
        decay=decay,
        gain=gain,
        threshold=threshold,
        reset="hard" if hard else "soft",
        detach_reset=bool(module.detach_reset),
        surrogate=surrogate.name,
        surrogate_width=surrogate.width,
        surrogate_peak=surrogate.peak,
        compact=surrogate.compact,
        reset_value=rest if hard else threshold,
        offset=offset,
        initial=rest,
        fires_at_threshold=surrogate.fires_at_threshold,
        current_decay=current_decay,
    )
    return Declared(neuron, open_slope(surrogate), lambda node, _: node.v, _REMEDY)

"""Neurons of SpikingJelly 2.x -> their equations."""

from __future__ import annotations

from typing import Any

from tlm.workload.capture.beyond import inexpressible
from tlm.workload.capture.constants import constant
from tlm.workload.capture.declared import Declared, open_slope
from tlm.workload.capture.probe import measure
from tlm.workload.model import Neuron


def spikingjelly_equation(name: str, module: Any) -> Declared:
    """H = V + (I - (V - v_reset)) / tau, or with I whole; v_reset None means a soft reset."""
    kind = type(module).__name__
    if kind not in ("LIFNode", "IFNode", "SimpleLIFNode", "SimpleIFNode"):
        raise inexpressible(name, kind, "LIFNode")
    surrogate = measure(f"{name}.surrogate_function", module.surrogate_function)
    hard = module.v_reset is not None
    rest = float(module.v_reset) if hard else 0.0
    leak = 1 / float(module.tau) if "LIF" in kind else 0.0
    gain = leak if leak and module.decay_input else 1.0
    neuron = Neuron(
        decay=1 - leak,
        gain=gain,
        threshold=constant(f"{name}.v_threshold", module.v_threshold),
        reset="hard" if hard else "soft",
        detach_reset=bool(module.detach_reset),
        surrogate=surrogate.name,
        surrogate_width=surrogate.width,
        surrogate_peak=surrogate.peak,
        compact=surrogate.compact,
        reset_value=rest if hard else float(module.v_threshold),
        offset=rest * leak,
        initial=rest,
        fires_at_threshold=surrogate.fires_at_threshold,
    )
    remedy = "call functional.reset_net(net) before each mini-batch"
    return Declared(neuron, open_slope(surrogate), lambda node, _: node.v, remedy)

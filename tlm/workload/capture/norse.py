"""Neurons of Norse 1.x -> their equations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tlm.workload.capture.beyond import inexpressible
from tlm.workload.capture.constants import Constant, constants
from tlm.workload.capture.declared import Declared, declare

_INTEGRATING = ("IAFCell", "IAF")  # without a leak
_BOXED = ("LIFBoxCell", "LIBoxCell")  # without a synaptic current
_SILENT = ("LICell", "LI", "LIBoxCell")
_KINDS = ("LIFCell", "LIF", *_INTEGRATING, *_BOXED, *_SILENT)
_REMEDY = "start each mini-batch without a state"


def norse_equation(name: str, module: Any) -> Declared:
    """J = (1 - dt/tau_syn) J + I, then H = V + dt/tau_mem (v_leak - V + J); V starts at v_leak.

    Boxes have no synaptic current, J = I; IAF is H = V + I from v_reset. The reset is hard and not
    detached; LI returns its potential. Source: ``lif_feed_forward_step``, ``li_feed_forward_step``,
    ``lif_box_feed_forward_step`` and ``iaf_feed_forward_step`` of norse.torch.functional.
    """
    kind = type(module).__name__
    if kind not in _KINDS:
        raise inexpressible(name, kind, "LIFCell")

    def number(parameter: str) -> Constant:
        return constants(f"{name}.p.{parameter}", getattr(module.p, parameter))

    if kind in _INTEGRATING:
        equation: dict[str, Constant] = {"decay": 1.0, "initial": number("v_reset")}
    else:
        leak, rest = float(module.dt) * number("tau_mem_inv"), number("v_leak")
        equation = {"decay": 1 - leak, "gain": leak, "offset": leak * rest, "initial": rest}
    if kind not in (*_INTEGRATING, *_BOXED):
        equation["current_decay"] = 1 - float(module.dt) * number("tau_syn_inv")
    if kind in _SILENT:
        leaking = declare(**equation, reset="none", output="membrane")  # type: ignore[arg-type]
        return replace(leaking, state=_state, remedy=_REMEDY)
    # Its surrogate is chosen by a word; the function lies beside that of the step.
    step = module.activation.__globals__["threshold"]
    spiking = declare(
        spike=lambda distance: step(distance, module.p.method, module.p.alpha),
        threshold=number("v_th"),
        reset_value=number("v_reset"),
        detach_reset=False,
        **equation,  # type: ignore[arg-type]
    )
    return replace(spiking, state=_state, remedy=_REMEDY)


def _state(_: Any, arguments: tuple[Any, ...]) -> Any:
    return getattr(arguments[1], "v", None) if len(arguments) > 1 else None

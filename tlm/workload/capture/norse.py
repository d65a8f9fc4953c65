"""Neurons of Norse 1.x -> their equations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tlm.workload.capture.beyond import inexpressible
from tlm.workload.capture.constants import Constant, constants
from tlm.workload.capture.declared import Declared, declare

_SPIKING, _SILENT = ("LIFCell", "LIF"), ("LICell", "LI")
_REMEDY = "start each mini-batch without a state"


def norse_equation(name: str, module: Any) -> Declared:
    """J = (1 - dt/tau_syn) J + I, then H = V + dt/tau_mem (v_leak - V + J); V starts at v_leak.

    The reset is hard and not detached; LI returns its potential. Source: ``lif_feed_forward_step``
    and ``li_feed_forward_step`` of norse.torch.functional.
    """
    kind = type(module).__name__
    if kind not in (*_SPIKING, *_SILENT):
        raise inexpressible(name, kind, "LIFCell")

    def number(parameter: str) -> Constant:
        return constants(f"{name}.p.{parameter}", getattr(module.p, parameter))

    leak = float(module.dt) * number("tau_mem_inv")
    equation = {
        "decay": 1 - leak,
        "gain": leak,
        "current_decay": 1 - float(module.dt) * number("tau_syn_inv"),
        "offset": leak * number("v_leak"),
        "initial": number("v_leak"),
    }
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

"""Neurons of sinabs 3.x -> their equations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from tlm.errors import WorkloadError
from tlm.workload.capture.beyond import inexpressible
from tlm.workload.capture.constants import Constant, constants
from tlm.workload.capture.declared import Declared, declare, learns
from tlm.workload.capture.probe import SpikeFunction, measure

_SPIKING = ("LIF", "LIFSqueeze", "IAF", "IAFSqueeze")
_SILENT = ("ExpLeak", "ExpLeakSqueeze")


def sinabs_equation(name: str, module: Any) -> Declared:
    """i = a_syn (i + I), V = a_mem V + (1 - a_mem if norm_input) i; [B, T, ...].

    Source: ``lif_forward_single`` of sinabs.layers.functional. Its subtraction passes gradients,
    its reset to zero does not. ExpLeak returns V and never spikes. tau_mem, or alpha_mem, may
    learn: they set the decay, or with norm_input the leak. Raises WorkloadError for what no job
    can say.
    """
    kind = type(module).__name__
    if kind not in (*_SPIKING, *_SILENT):
        raise inexpressible(name, kind, "LIF")
    synaptic = (module.alpha_syn if module.train_alphas else module.tau_syn) is not None
    synapse = _decay(name, module, "syn") if synaptic else None
    memory = 1.0 if kind.startswith("IAF") else _decay(name, module, "mem", may_learn=True)
    terms: dict[str, Any] = {
        "decay": memory,
        "gain": (1 - memory if module.norm_input else 1.0) * (1.0 if synapse is None else synapse),
        "current_decay": 0.0 if synapse is None else synapse,
        **_learnt(name, module, synaptic),
    }
    _check_options(name, module, spiking=kind in _SPIKING)
    if kind in _SILENT:
        equation = declare(**terms, reset="none", output="membrane")
    else:
        equation = _spiking(name, module, terms)
    return replace(
        equation,
        state=lambda node, _: node.v_mem if node.is_state_initialised() else None,
        remedy="call sinabs.reset_states(net) before each mini-batch",
    )


def _spiking(name: str, module: Any, terms: dict[str, Any]) -> Declared:
    """The equation of neurons that spike, whose potential follows from ``terms``."""
    soft = type(module.reset_fn).__name__ == "MembraneSubtract"
    threshold = constants(f"{name}.spike_threshold", module.spike_threshold)
    return declare(
        spike=_step(name, module, threshold),
        threshold=threshold,
        reset="soft" if soft else "hard",
        detach_reset=not soft,
        reset_value=getattr(module.reset_fn, "subtract_value", None) if soft else 0.0,
        **terms,
    )


def _learnt(name: str, module: Any, synaptic: bool) -> dict[str, Any]:
    """What ``declare`` is told of a time constant that learns; nothing of a fixed one."""
    parameter = "alpha_mem" if module.train_alphas else "tau_mem"
    value = getattr(module, parameter)
    if value is None or not value.requires_grad:
        return {}
    if module.norm_input and synaptic:
        raise WorkloadError(
            f"{name}.{parameter}: learns, and what the input is multiplied with follows from it "
            "and from the synapse's decay, which no job can say; use norm_input=False, or fix it "
            "with requires_grad_(False)"
        )
    decay: Callable[[Any], Any] = _decay_of_tau if parameter == "tau_mem" else lambda alpha: alpha
    if module.norm_input:
        learnt = {"leak": learns(parameter, lambda value: 1 - decay(value))}
    else:
        learnt = {"decay": learns(parameter, decay)}
    return {"learnt": learnt, "by_channel": value.numel() > 1}


def _decay_of_tau(tau: Any) -> Any:
    return (-1 / tau).exp()


def _step(name: str, module: Any, threshold: Constant) -> SpikeFunction:
    """The spike function of H - threshold; most surrogates of sinabs stretch with the threshold."""

    def above(least: float) -> SpikeFunction:
        return lambda distance: module.spike_fn.apply(
            distance + least, least, module.surrogate_grad_fn
        )

    lowest, highest = (above(float(at)) for at in (np.min(threshold), np.max(threshold)))
    where, places = f"{name}.surrogate_grad_fn", np.linspace(-1, 1, 21)
    slope = measure(where, lowest).slope(places)
    if not np.allclose(slope, measure(where, highest).slope(places), rtol=1e-4, atol=0):
        raise WorkloadError(
            f"{name}.spike_threshold: its surrogate stretches with the threshold, which differs "
            "from neuron to neuron; a job has one surrogate a layer: give one threshold"
        )
    return lowest


def _decay(name: str, module: Any, of: str, *, may_learn: bool = False) -> Constant:
    """exp(-1 / tau), rounded as the module has it; where it begins if it learns and may."""
    parameter = f"alpha_{of}" if module.train_alphas else f"tau_{of}"
    value = getattr(module, parameter)
    constants(f"{name}.{parameter}", value.detach() if may_learn else value)
    return constants(f"{name}.{parameter}", getattr(module, f"alpha_{of}_calculated").detach())


def _check_options(name: str, module: Any, *, spiking: bool) -> None:
    reset = module.reset_fn
    known = type(reset).__name__ in ("MembraneSubtract", "MembraneReset")
    several = getattr(module.spike_fn, "__name__", "") != "SingleSpike"
    elsewhere = not known or getattr(reset, "reset_value", 0.0) != 0
    for wrong, remedy in (
        (several and spiking, "spike_fn=SingleSpike"),
        (module.min_v_mem is not None, "min_v_mem=None"),
        (elsewhere and spiking, "reset_fn=MembraneReset()"),
    ):
        if wrong:
            raise WorkloadError(
                f"{name}: a job's neuron spikes once a step at most, has no lower bound and is "
                f"reset to 0 or by subtraction; use {remedy}"
            )

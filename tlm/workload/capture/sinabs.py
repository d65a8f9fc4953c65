"""Neurons of sinabs 3.x -> their equations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tlm.errors import WorkloadError
from tlm.workload.capture.beyond import inexpressible
from tlm.workload.capture.constants import Constant, constants
from tlm.workload.capture.declared import Declared, declare
from tlm.workload.capture.probe import SpikeFunction, measure

_KINDS = ("LIF", "LIFSqueeze", "IAF", "IAFSqueeze")


def sinabs_equation(name: str, module: Any) -> Declared:
    """i = a_syn (i + I), V = a_mem V + (1 - a_mem if norm_input) i; [B, T, ...].

    Source: ``lif_forward_single`` of sinabs.layers.functional. Its subtraction passes gradients,
    its reset to zero does not. Raises WorkloadError for what no job can say.
    """
    kind = type(module).__name__
    if kind not in _KINDS:
        raise inexpressible(name, kind, "LIF")
    _check_options(name, module)
    memory = 1.0 if kind.startswith("IAF") else _decay(name, module, "mem")
    synaptic = module.alpha_syn if module.train_alphas else module.tau_syn
    synapse = None if synaptic is None else _decay(name, module, "syn")
    soft = type(module.reset_fn).__name__ == "MembraneSubtract"
    threshold = constants(f"{name}.spike_threshold", module.spike_threshold)
    equation = declare(
        spike=_step(name, module, threshold),
        decay=memory,
        gain=(1 - memory if module.norm_input else 1.0) * (1.0 if synapse is None else synapse),
        threshold=threshold,
        reset="soft" if soft else "hard",
        detach_reset=not soft,
        reset_value=getattr(module.reset_fn, "subtract_value", None) if soft else 0.0,
        current_decay=0.0 if synapse is None else synapse,
    )
    return replace(
        equation,
        state=lambda node, _: node.v_mem if node.is_state_initialised() else None,
        remedy="call sinabs.reset_states(net) before each mini-batch",
    )


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


def _decay(name: str, module: Any, of: str) -> Constant:
    """exp(-1 / tau), rounded as the module has it."""
    if module.train_alphas:
        return constants(f"{name}.alpha_{of}", getattr(module, f"alpha_{of}"))
    constants(f"{name}.tau_{of}", getattr(module, f"tau_{of}"))
    return constants(f"{name}.tau_{of}", getattr(module, f"alpha_{of}_calculated").detach())


def _check_options(name: str, module: Any) -> None:
    reset = module.reset_fn
    known = type(reset).__name__ in ("MembraneSubtract", "MembraneReset")
    for wrong, remedy in (
        (getattr(module.spike_fn, "__name__", "") != "SingleSpike", "spike_fn=SingleSpike"),
        (module.min_v_mem is not None, "min_v_mem=None"),
        (not known or getattr(reset, "reset_value", 0.0) != 0, "reset_fn=MembraneReset()"),
    ):
        if wrong:
            raise WorkloadError(
                f"{name}: a job's neuron spikes once a step at most, has no lower bound and is "
                f"reset to 0 or by subtraction; use {remedy}"
            )

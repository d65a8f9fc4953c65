"""Neurons of sinabs 3.x -> their equations."""

from __future__ import annotations

from typing import Any

from tlm.errors import WorkloadError
from tlm.workload.capture.beyond import inexpressible
from tlm.workload.capture.constants import constant
from tlm.workload.capture.declared import Declared, declare

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
    synapse = None if module.tau_syn is None else _decay(name, module, "syn")
    soft = type(module.reset_fn).__name__ == "MembraneSubtract"
    threshold = constant(f"{name}.spike_threshold", module.spike_threshold)
    equation = declare(
        spike=lambda distance: module.spike_fn.apply(
            distance + threshold, threshold, module.surrogate_grad_fn
        ),
        decay=memory,
        gain=(1 - memory if module.norm_input else 1.0) * (1.0 if synapse is None else synapse),
        threshold=threshold,
        reset="soft" if soft else "hard",
        detach_reset=not soft,
        reset_value=getattr(module.reset_fn, "subtract_value", None) if soft else 0.0,
        current_decay=synapse or 0.0,
    )
    return Declared(
        equation.neuron,
        equation.slope,
        lambda node, _: node.v_mem if node.is_state_initialised() else None,
        "call sinabs.reset_states(net) before each mini-batch",
    )


def _decay(name: str, module: Any, of: str) -> float:
    """exp(-1 / tau), rounded as the module has it."""
    if module.train_alphas:
        return constant(f"{name}.alpha_{of}", getattr(module, f"alpha_{of}"))
    constant(f"{name}.tau_{of}", getattr(module, f"tau_{of}"))
    return constant(f"{name}.tau_{of}", getattr(module, f"alpha_{of}_calculated").detach())


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

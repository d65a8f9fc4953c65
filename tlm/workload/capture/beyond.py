"""Neurons of frameworks that a job cannot hold, and why."""

from __future__ import annotations

from tlm.errors import WorkloadError


def inexpressible(name: str, kind: str, plain: str) -> WorkloadError:
    """Why a job cannot hold a framework's neuron, where its kind says so."""
    form = (
        "H[t] = decay V[t-1] + gain J[t] + offset with J[t] = current_decay J[t-1] + I[t] and "
        "constant numbers"
    )
    for reason, kinds in _BEYOND.items():
        if kind in kinds:
            use = plain + (_LEARNING if reason.startswith("learns") else "")
            return WorkloadError(
                f"{name}: {kind} {reason}; a job's neuron is {form}, which cannot express that, "
                f"declared or not; use {use}"
            )
    return WorkloadError(
        f"{name}: the equation of {kind} is not known; a job's neuron is {form}: if that is what "
        f"{kind} does, declare it: Capture(net, steps=T, neurons={{{kind}: declare(decay=..., "
        f"spike=...)}}); else use {plain}"
    )


def is_beyond(kind: str) -> bool:
    """Whether a framework's neuron of this kind is known as one that a job cannot hold."""
    return any(kind in kinds for kinds in _BEYOND.values())


_BEYOND = {
    "keeps two synaptic currents": ("Alpha",),
    "feeds its spikes back to itself": (
        "RLeaky", "RSynaptic", "LIFRecurrent", "LIFRecurrentCell", "IAFRecurrent", "ALIFRecurrent",
        "LSNNRecurrent", "LSNNRecurrentCell", "LIFAdExRecurrent", "LIFAdExRecurrentCell",
        "LIFRefracRecurrent", "LIFRefracRecurrentCell",
    ),
    "mixes the steps by weights of its own": ("PSN", "MaskedPSN", "SlidingPSN", "LeakyParallel"),
    "rests for some steps behind a spike": ("LIFRefracCell",),
    "is a gated recurrent cell": ("SLSTM", "SConv2dLSTM"),
    "learns k, a factor of its potential behind a ReLU": ("KLIFNode",),
    "learns gates between two forms (tau, linear_decay, v_subreset, conduct)": ("GatedLIFNode",),
    "normalises its potential by a batch norm (vbn) of its own": (
        "MPBNBaseNode", "MPBNLIFNode",
    ),
    "has a second variable that adapts or resonates": (
        "AdaptBaseNode", "IzhikevichNode", "ComplementaryLIFNode", "RAFNode",
        "ALIF", "LIFAdEx", "LIFAdExCell", "LSNN", "LSNNCell",
    ),
    "is not linear below its threshold": ("QIFNode", "EIFNode"),
    "fires other values than 0 and 1": ("TernaryIFNode", "ILIFNode", "LIAFNode"),
    "is trained without back-propagation through time": ("OTTTLIFNode", "SLTTLIFNode"),
}  # fmt: skip
"""What a neuron of this form cannot express, and who has it."""

_LEARNING = (
    ", or ParametricLIFNode, which learns its leak (a neuron of your own: declare(learnt=...))"
)
"""What may learn in place of that."""

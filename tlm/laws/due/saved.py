"""Saved state: what the gradient unit must know of a layer's neurons from FP."""

from __future__ import annotations

from tlm.workload.model import Layer, Neuron

NUMBERS = ("U",)  # of saved state, those as wide as the membrane; the others are bits


def saved_state(layer: Layer) -> tuple[str, ...]:
    """U, S and m, where a surrogate takes a slope of U and spikes are read.

    dU[t] = dS[t] + decay dU[t+1] r[t] where U itself leaves: r is 1 - S behind a hard reset, which
    needs S, with a slope at U unless the reset is detached. The gradient of a number that is learnt
    sums dU V[t-1] and the like: V follows from U, and S of any reset.
    """
    neuron = layer.neuron
    if not isinstance(neuron, Neuron) or neuron.output == "spikes":
        return () if neuron is None else ("U", "S", "m")
    resets, learns = neuron.reset != "none", bool(neuron.learnt)
    needs = {
        "U": learns or (resets and not neuron.detach_reset),
        "S": neuron.reset == "hard" or (learns and resets),
    }
    return tuple(name for name, needed in needs.items() if needed)

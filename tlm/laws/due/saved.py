"""Saved state: what the gradient unit must know of neurons, from FP or of their equation."""

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


def constants_of_gradient(layer: Layer) -> set[str]:
    """Constants by channel that the gradient unit needs, where U and the like were saved.

    dI[t] = gain dU[t] + current_decay dI[t+1] and dU[t] = dS[t] d[t] + decay dU[t+1] r[t]: d is
    taken at a distance from the threshold, r has the reset value and d if the reset is not
    detached. The gradient of a learnt number sums V and J too, of which all constants make part.
    """
    neuron = layer.neuron
    if not isinstance(neuron, Neuron):
        return set()
    names = set(layer.channel_constants)
    if neuron.learnt:
        return names
    needed = {"gain", "current_decay", "decay"}
    if neuron.reset in ("hard", "soft") and not neuron.detach_reset:
        needed |= {"reset_value", "threshold"}
    elif neuron.output == "spikes":
        needed.add("threshold")
    return names & needed

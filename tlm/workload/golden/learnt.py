"""Gradients of the numbers that neurons learn, from what their replay leaves.

With dU at the membrane potential H[t] = decay V[t-1] + gain J[t] + offset they are sums over
neurons, samples and steps: of dU V[t-1] for the decay, dU J for the gain, dU for the offset, and
-decay dU[t+1] S[t] for what a soft reset subtracts; by the chain rule those of the number. For the
threshold it is minus what arrives at H through the spike, dU[t] - decay dU[t+1] r[t] with r of a
detached reset; nothing where the potential leaves, whose spikes reset without a gradient.
"""

from __future__ import annotations

import numpy as np

from tlm.workload.golden.neuron import after_reset, carried, from_membrane
from tlm.workload.learnt import slopes
from tlm.workload.model import BoolArray, Neuron
from tlm.workload.values import Numbers


def learnt_terms(
    neuron: Neuron, name: str, potential: Numbers, spikes: BoolArray, dI: Numbers
) -> Numbers:
    """What every neuron adds to the gradient of a number, [T, B, K, E, F].

    ``potential`` is H, before the reset by ``spikes``.
    """
    dU = from_membrane(neuron, dI) / neuron.gain
    before = np.empty_like(potential)
    before[0] = neuron.initial
    before[1:] = after_reset(neuron, potential[:-1], spikes[:-1].astype(potential.dtype))
    terms = np.zeros_like(dU)
    for constant, slope in slopes(neuron, name).items():
        if constant == "reset_value":
            terms[:-1] -= slope * neuron.decay * dU[1:] * spikes[:-1]
        elif constant == "threshold":
            terms -= slope * _through_spikes(neuron, dU, spikes)
        else:
            terms += slope * dU * _factor(neuron, constant, potential, before)
    return terms


def _through_spikes(neuron: Neuron, dU: Numbers, spikes: BoolArray) -> Numbers:
    """What of dU comes through the spike of the same step."""
    if neuron.output == "membrane":
        return np.zeros_like(dU)
    through = dU.copy()
    through[:-1] -= neuron.decay * dU[1:] * carried(neuron, spikes[:-1].astype(dU.dtype))
    return through


def _factor(neuron: Neuron, constant: str, potential: Numbers, before: Numbers) -> Numbers:
    """What a constant is multiplied with in H; the synaptic current follows from it."""
    if constant == "decay":
        return before
    if constant == "offset":
        return np.ones(1)
    return np.asarray((potential - neuron.decay * before - neuron.offset) / neuron.gain)

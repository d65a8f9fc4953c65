"""NumPy golden model of one layer of GLM neurons: sums to potentials and spikes.

    U[t] = bias + sum over d < taps, k < K of A[d, k] sums[t - d, k];  S = (draw < table(U))

It adds in one order, term by term, and walks every register bit by bit, so that the same spikes
come out on any machine; the training takes matrix products and jumps of the registers instead.
"""

from __future__ import annotations

import numpy as np

from tlm.workload.glm.basis import raised_cosines
from tlm.workload.glm.lfsr import TAPS, States
from tlm.workload.glm.neuron import GLMNeuron
from tlm.workload.values import Numbers


def glm_potentials(neuron: GLMNeuron, sums: Numbers, bias: Numbers | None) -> Numbers:
    """U [T, B, M, 1, 1] of ``sums`` [T, B, M * K, 1, 1] and ``bias`` [M]."""
    steps, batch = sums.shape[:2]
    by_neuron = sums.reshape(steps, batch, -1, neuron.functions)
    U = np.zeros(by_neuron.shape[:3])
    if bias is not None:
        U += bias
    for delay, coefficients in enumerate(raised_cosines(neuron.taps, neuron.functions)[:steps]):
        for function, coefficient in enumerate(coefficients):
            U[delay:] += coefficient * by_neuron[: steps - delay, :, :, function]
    return U[..., None, None]


def glm_excess(neuron: GLMNeuron, potential: Numbers, starts: States) -> Numbers:
    """Probability of a spike less the draw, for U [T, B, M, 1, 1]: a spike where it is above 0.

    ``starts`` [M] are the states of the registers before the first draw.
    """
    steps, batch = potential.shape[:2]
    draws = np.empty(potential.shape)
    state, low = starts, np.uint64((1 << neuron.output_bits) - 1)
    for sample in range(batch):
        for step in range(steps):
            for _ in range(neuron.shifts):
                state = _shifted(state, neuron.register_bits)
            draws[step, sample] = (state & low)[:, None, None]
    entries = neuron.sampler.table.thresholds(potential)
    return np.asarray((entries - draws) / (1 << neuron.output_bits))


def _shifted(state: States, width: int) -> States:
    """A Galois register after one shift: if a 1 leaves, the tapped bits are inverted."""
    tapped = np.uint64(sum(1 << tap - 1 for tap in TAPS[width]))
    one = np.uint64(1)
    return np.asarray(np.where(state & one, state >> one ^ tapped, state >> one))

"""NumPy golden model of one neuron layer: rebuilds what happens inside from its boundary.

From the input current I and the gradient dL/dS of its spikes follow the spikes, the surrogate
mask and the gradient dL/dI that the BP and WG engines consume (v_reset = 0):

    FP  H[t] = decay V[t-1] + gain I[t];  S = (H >= threshold)
        V = (1 - S) H  (hard)  |  H - S threshold  (soft)
    BP  gH[t] = gS[t] d[t] + decay gH[t+1] r[t];  d = surrogate'(H - threshold);  gI = gain gH
        r = 1 - S [- H d if the reset is not detached]            (hard)
        r = 1     [- threshold d if the reset is not detached]    (soft)

Source: Neftci, Mostafa, Zenke, "Surrogate gradient learning in spiking neural networks", IEEE
Signal Processing Magazine 36(6), 2019, with the reset terms of SpikingJelly's LIFNode.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tlm.errors import WorkloadError
from tlm.workload.model import BoolArray, Layer, Neuron
from tlm.workload.surrogate import derivative

GRADIENT_TOLERANCE = 1e-4
"""Largest |gI - torch| / max |torch| accepted; 3.4e-7 was the worst in 26 training runs."""


@dataclass(frozen=True, eq=False)
class Replay:
    """Spikes, surrogate mask and dL/dI of a layer, each [T, B, K, E, F]."""

    spikes: BoolArray
    mask: BoolArray
    current_gradient: NDArray[np.float32]


def replay(
    neuron: Neuron, current: NDArray[np.float32], spike_gradient: NDArray[np.float32]
) -> Replay:
    """Rebuild a layer from ``current`` (I) and ``spike_gradient`` (dL/dS), both [T, ...]."""
    potential = _potentials(neuron, current)
    spikes = potential - np.float32(neuron.threshold) >= 0
    slope = derivative(neuron, potential - np.float32(neuron.threshold))
    gradient = _backward(neuron, potential, spikes, slope, spike_gradient)
    return Replay(spikes, slope != 0, gradient)


def _potentials(neuron: Neuron, current: NDArray[np.float32]) -> NDArray[np.float32]:
    """Membrane potential H before the reset, [T, ...]."""
    potential = np.empty_like(current)
    membrane = np.zeros_like(current[0])
    for step, now in enumerate(current):
        charged = neuron.decay * membrane + neuron.gain * now
        spike = (charged - np.float32(neuron.threshold) >= 0).astype(current.dtype)
        hard = neuron.reset == "hard"
        membrane = (1 - spike) * charged if hard else charged - spike * neuron.threshold
        potential[step] = charged
    return potential


def _backward(
    neuron: Neuron,
    potential: NDArray[np.float32],
    spikes: BoolArray,
    slope: NDArray[np.float32],
    spike_gradient: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Gradient at the input current, carried back through time."""
    gradient = np.empty_like(potential)
    carry = np.zeros_like(potential[0])
    for step in reversed(range(len(potential))):
        kept = 1.0 - spikes[step] if neuron.reset == "hard" else np.ones_like(carry)
        if not neuron.detach_reset:
            jump = potential[step] if neuron.reset == "hard" else neuron.threshold
            kept = kept - jump * slope[step]
        carry = spike_gradient[step] * slope[step] + neuron.decay * carry * kept
        gradient[step] = carry
    return (neuron.gain * gradient).astype(np.float32)


def verify(
    layer: Layer, rebuilt: Replay, spikes: BoolArray, current_gradient: NDArray[np.float32]
) -> None:
    """Hold a replay against what the training framework computed.

    Raises WorkloadError naming the layer if a spike differs or dL/dI is off by more than
    GRADIENT_TOLERANCE relative to its largest value.
    """
    flips = int(np.count_nonzero(rebuilt.spikes != spikes))
    if flips:
        raise WorkloadError(
            f"layer {layer.index} ({layer.name}): {flips} of {spikes.size} recorded spikes differ "
            "from the replay; the neuron's decay, gain, threshold or reset is not the trained one"
        )
    largest = float(np.abs(current_gradient).max())
    error = float(np.abs(rebuilt.current_gradient - current_gradient).max())
    if not error <= GRADIENT_TOLERANCE * largest:
        raise WorkloadError(
            f"layer {layer.index} ({layer.name}): dL/dI differs from the replay by {error:.2g} "
            f"(largest value {largest:.2g}); the surrogate, reset or detach_reset is not the "
            "trained one"
        )

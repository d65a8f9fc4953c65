"""NumPy golden model of one neuron layer: rebuilds what happens inside from its boundary.

From the input current I and the gradient dS of its spikes follow the spikes, the surrogate mask,
the gradient dU at the membrane potential H before the reset, and dI at the input current:

    FP  J[t] = current_decay J[t-1] + I[t]  (the synaptic current; J = I without current_decay)
        H[t] = decay V[t-1] + gain J[t] + offset;  S = (H >= threshold), or (H > threshold)
        V = (1 - S) H + S reset_value  (hard)  |  H - S reset_value  (soft)  |  H  (none)
    BP  dU[t] = dS[t] d[t] + decay dU[t+1] r[t];  d = surrogate'(H - threshold)
        dI[t] = gain dU[t] + current_decay dI[t+1]
        r = 1 - S [+ (reset_value - H) d if the reset is not detached]   (hard)
        r = 1     [- reset_value d if the reset is not detached]         (soft)

Where the output is the membrane potential, dS arrives at H: dU[t] = dS[t] + decay dU[t+1] r[t].

Source: Neftci, Mostafa, Zenke, "Surrogate gradient learning in spiking neural networks", IEEE
Signal Processing Magazine 36(6), 2019, with the reset terms of SpikingJelly's LIFNode. snnTorch's
delayed subtraction (H[t] = beta H[t-1] + I[t] - threshold S[t-1]) is the soft reset with
reset_value = threshold / beta.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tlm.workload.golden.cache_blocks import cache_blocks
from tlm.workload.model import BoolArray, Neuron
from tlm.workload.surrogate import Slope, derivative
from tlm.workload.values import Numbers

NEAR = 1e-5
"""Distance of H from a step (threshold, edge of a rectangle) that rounding may cross."""

_BLOCK_ELEMENTS = 1 << 17


class Replay(NamedTuple):
    """Spikes, surrogate masks, dI and membrane potential H of a layer, each [T, B, K, E, F]."""

    spikes: BoolArray
    masks: BoolArray
    dI: Numbers
    potential: Numbers


def replay(
    neuron: Neuron,
    current: Numbers,
    dS: Numbers,
    *,
    spikes: BoolArray | None = None,
    masks: BoolArray | None = None,
    slope: Slope | None = None,
) -> Replay:
    """Rebuild a layer from ``current`` (I) and ``dS``, both [T, ...].

    It computes in the precision of ``current``, a few samples at a time, which stay in the cache.
    Recorded ``spikes`` drive the resets in place of the rebuilt ones; recorded ``masks`` decide
    where H lies within NEAR of the edge of a rectangular surrogate. ``slope`` replaces the
    surrogate's closed form.
    """
    rebuilt = Replay(
        spikes=np.empty(current.shape, np.bool_),
        masks=np.empty(current.shape, np.bool_),
        dI=np.empty_like(current),
        potential=np.empty_like(current),
    )
    batch = current.shape[1]
    for samples in cache_blocks(batch, current.size // max(1, batch), _BLOCK_ELEMENTS):
        block = (slice(None), samples)
        driving = None if spikes is None else spikes[block]
        known = None if masks is None else masks[block]
        part = _replay(neuron, current[block], dS[block], driving, known, slope)
        for whole, of_block in zip(rebuilt, part, strict=True):
            whole[block] = of_block
    return rebuilt


def _replay(
    neuron: Neuron,
    current: Numbers,
    dS: Numbers,
    spikes: BoolArray | None,
    masks: BoolArray | None,
    slope: Slope | None,
) -> Replay:
    potential = potentials(neuron, current, spikes)
    rebuilt = fires(neuron, potential)
    distance = potential - potential.dtype.type(neuron.threshold)
    steep = derivative(neuron, distance) if slope is None else slope(distance)
    if neuron.output == "membrane":
        masks = None  # they are those of the output, set everywhere
    if masks is not None:
        ambiguous = near_edge(neuron, potential)
        steep[ambiguous] = masks[ambiguous] * neuron.surrogate_peak
    driving = rebuilt if spikes is None else spikes
    dI = _backward(neuron, potential, driving, steep, dS)
    return Replay(rebuilt, (steep != 0) | (neuron.output == "membrane"), dI, potential)


def fires(neuron: Neuron, potential: Numbers) -> BoolArray:
    """Where the membrane potential H makes a spike: nowhere if it is all that leaves."""
    if neuron.output == "membrane" and neuron.reset == "none":
        return np.zeros(potential.shape, np.bool_)
    distance = potential - potential.dtype.type(neuron.threshold)
    return np.asarray(distance >= 0 if neuron.fires_at_threshold else distance > 0)


def potentials(neuron: Neuron, current: Numbers, spikes: BoolArray | None = None) -> Numbers:
    """Membrane potential H before the reset, [T, ...]; resets by ``spikes`` if they are given."""
    potential = np.empty_like(current)
    membrane = np.full_like(current[0], neuron.initial)
    synaptic = np.zeros_like(current[0])
    current_based = np.any(neuron.current_decay)
    for step, now in enumerate(current):
        synaptic = neuron.current_decay * synaptic + now if current_based else now
        charged = neuron.decay * membrane + neuron.gain * synaptic
        if np.any(neuron.offset):
            charged += neuron.offset
        fired = fires(neuron, charged) if spikes is None else spikes[step]
        membrane = after_reset(neuron, charged, fired.astype(current.dtype))
        potential[step] = charged
    return potential


def near_edge(neuron: Neuron, potential: Numbers) -> BoolArray:
    """Where H is so close to the edge of a rectangular surrogate that rounding decides."""
    if not neuron.surrogate.startswith("rectangular"):
        return np.zeros(potential.shape, np.bool_)
    beyond = np.abs(potential - neuron.threshold) - neuron.surrogate_width / 2
    return np.asarray(np.abs(beyond) < NEAR)


def near_threshold(neuron: Neuron, potential: Numbers) -> BoolArray:
    """Where H is so close to the threshold that rounding decides whether it fires."""
    return np.asarray(np.abs(potential - neuron.threshold) < NEAR)


def carried(neuron: Neuron, spike: Numbers) -> Numbers:
    """Share of ``decay * dU[t+1]`` that passes a detached reset and reaches dU[t]."""
    return np.asarray(1 - spike) if neuron.reset == "hard" else np.ones_like(spike)


def from_membrane(neuron: Neuron, dI: Numbers) -> Numbers:
    """``gain dU``: what of dI comes from the membrane of the same step."""
    later = np.zeros_like(dI)
    later[:-1] = dI[1:]
    return np.asarray(dI - neuron.current_decay * later)


def after_reset(neuron: Neuron, charged: Numbers, spike: Numbers) -> Numbers:
    """V that spikes leave of the potential H."""
    if neuron.reset == "hard":
        return np.asarray((1 - spike) * charged + spike * neuron.reset_value)
    return charged - spike * neuron.reset_value if neuron.reset == "soft" else charged


def _backward(
    neuron: Neuron,
    potential: Numbers,
    spikes: BoolArray,
    slope: Numbers,
    dS: Numbers,
) -> Numbers:
    """Carry the gradient back through time; returns dI."""
    dI = np.empty_like(potential)
    later, flowing = np.zeros_like(potential[0]), np.zeros_like(potential[0])
    current_based = np.any(neuron.current_decay)
    for step in reversed(range(len(potential))):
        share = carried(neuron, spikes[step].astype(potential.dtype))
        if not neuron.detach_reset and neuron.reset != "none":
            hard = neuron.reset == "hard"
            jump = potential[step] - neuron.reset_value if hard else neuron.reset_value
            share = share - jump * slope[step]
        direct = 1.0 if neuron.output == "membrane" else slope[step]
        later = dS[step] * direct + neuron.decay * later * share
        arriving = neuron.gain * later
        flowing = arriving + neuron.current_decay * flowing if current_based else arriving
        dI[step] = flowing
    return dI

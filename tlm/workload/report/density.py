"""How sparse a recording is: shares of non-zero elements by layer and time step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tlm.workload.model import BoolArray, Layer, Recording, Workload
from tlm.workload.readers import has_dY


@dataclass(frozen=True, eq=False)
class Densities:
    """Shares 0..1 of non-zero elements.

    ``spikes``, ``masks``, ``dU`` and ``dY`` are [layers, T]; ``inputs`` is a single share;
    ``idle_slices`` [layers] is the share of (step, sample) slices whose dU is zero throughout.
    A job for inference has no masks and no gradients: theirs are empty.
    """

    inputs: float
    spikes: NDArray[np.float64]
    masks: NDArray[np.float64]
    dU: NDArray[np.float64]
    dY: NDArray[np.float64]
    idle_slices: NDArray[np.float64]


def densities(recording: Recording) -> Densities:
    """Measure a recording; every element counts the same."""
    return Densities(
        inputs=float(recording.inputs.mean()),
        spikes=_by_step(recording.spikes),
        masks=_by_step(recording.masks),
        dU=_by_step(recording.dU),
        dY=_by_step(recording.dY),
        idle_slices=np.array([1 - dU.any((2, 3, 4)).mean() for dU in recording.dU]),
    )


def hidden_density(arrays: Sequence[BoolArray]) -> float:
    """Share of non-zero elements over all layers but the last, or of the only layer."""
    return float(hidden_by_step(arrays).mean())


def hidden_by_step(arrays: Sequence[BoolArray]) -> NDArray[np.float64]:
    """Share of non-zero elements at each time step over all layers but the last, [T]."""
    hidden = arrays[:-1] or arrays
    nonzero = sum(np.count_nonzero(bits, axis=(1, 2, 3, 4)) for bits in hidden)
    elements = sum(bits[0].size for bits in hidden)
    return np.asarray(nonzero / elements, np.float64)


def measured_tensors(workload: Workload, layer: Layer) -> tuple[str, ...]:
    """Names of the fields of ``Densities`` that say something about ``layer``."""
    if workload.mode == "inference":
        return ("spikes",)
    kinds = ["dU"]
    if layer.neuron is not None:
        kinds = ["spikes", "masks", *kinds]
    if has_dY(layer, workload.layers):
        kinds.append("dY")
    return tuple(kinds)


def _by_step(arrays: Sequence[BoolArray]) -> NDArray[np.float64]:
    return np.array([bits.mean((1, 2, 3, 4)) for bits in arrays])

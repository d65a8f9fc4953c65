"""Surrogate derivatives d(S)/d(H - threshold), by name."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from tlm.workload.model import Neuron

COMPACT: Final = {"rectangular": True, "triangular": True, "arctangent": False}
"""Surrogates known here -> whether their support is bounded."""


def derivative(neuron: Neuron, distance: NDArray[np.float32]) -> NDArray[np.float32]:
    """Slope of the surrogate at ``distance = H - threshold``; same shape.

    rectangular: 1/w for |x| <= w/2; triangular: (2/w) max(0, 1 - 2|x|/w); arctangent:
    (1/w) / (1 + (pi x / w)^2), which is SpikingJelly's ATan with alpha = 2/w. Each has area 1.
    """
    width = neuron.surrogate_width
    size = np.abs(distance)
    if neuron.surrogate == "rectangular":
        return np.where(size <= width / 2, 1 / width, 0.0).astype(np.float32)
    if neuron.surrogate == "triangular":
        return np.maximum(1 - size * (2 / width), 0).astype(np.float32) * np.float32(2 / width)
    return ((1 / width) / (1 + np.square(size * (np.pi / width)))).astype(np.float32)

"""Surrogate derivatives d(S)/d(H - threshold), by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, TypeAlias

import numpy as np

from tlm.errors import WorkloadError
from tlm.workload.model import Neuron
from tlm.workload.values import Numbers

Slope: TypeAlias = Callable[[Numbers], Numbers]
"""Distance from the threshold -> derivative, same shape."""

SHAPES: Final[dict[str, Slope]] = {
    "rectangular": lambda u: np.where(np.abs(u) <= 0.5, 1.0, 0.0),
    "rectangular-open": lambda u: np.where(np.abs(u) < 0.5, 1.0, 0.0),
    "triangular": lambda u: np.maximum(1 - 2 * np.abs(u), 0),
    "arctangent": lambda u: 1 / (1 + np.square(np.pi * u)),
    "sigmoid": lambda u: 4 * np.exp(-4 * np.abs(u)) / np.square(1 + np.exp(-4 * np.abs(u))),
    "fast-sigmoid": lambda u: 1 / np.square(1 + 2 * np.abs(u)),
    "gaussian": lambda u: np.exp(-np.pi * np.square(u)),
}
"""Shapes by name, of u = (H - threshold) / width, with value 1 at u = 0.

rectangular: support |u| <= 1/2 (open: without its ends); triangular: support |u| < 1/2;
arctangent: SpikingJelly's ATan with alpha = 2 / width; sigmoid: Sigmoid with alpha = 4 / width;
fast-sigmoid: SuperSpike (Zenke and Ganguli, arXiv 1705.11146) with slope 2 / width.
"""

COMPACT: Final = {name: name.startswith(("rectangular", "triangular")) for name in SHAPES}
"""Whether the support of each of ``SHAPES`` is bounded."""

_UNIT_PEAK: Final = {"triangular": 2.0}


def derivative(neuron: Neuron, distance: Numbers) -> Numbers:
    """Slope of the surrogate at ``distance = H - threshold``; same shape and type.

    Raises WorkloadError if the surrogate is not one of ``SHAPES``.
    """
    shape = SHAPES.get(neuron.surrogate)
    if shape is None:
        raise WorkloadError(
            f'surrogate "{neuron.surrogate}": expected one of {", ".join(SHAPES)}; only masks of '
            'level "bits" or "value" can be recorded with another one'
        )
    scaled = shape(distance / distance.dtype.type(neuron.surrogate_width))
    return (neuron.surrogate_peak * scaled).astype(distance.dtype)


# Public and called by keyword: every argument is one term of the equation.
def lif_neuron(
    *,
    surrogate: str = "rectangular",
    width: float = 1.0,
    decay: float = 0.5,
    gain: float = 0.5,
    threshold: float = 1.0,
    reset: Literal["hard", "soft"] = "hard",
    detach_reset: bool = True,
) -> Neuron:
    """A LIF neuron at rest at 0 whose surrogate has area 1; SpikingJelly's LIF(tau=2) by default.

    Raises WorkloadError if the surrogate is not one of ``SHAPES``.
    """
    if surrogate not in SHAPES:
        known = ", ".join(SHAPES)
        raise WorkloadError(f'surrogate "{surrogate}": expected one of {known}; choose one of them')
    return Neuron(
        decay=decay,
        gain=gain,
        threshold=threshold,
        reset=reset,
        detach_reset=detach_reset,
        surrogate=surrogate,
        surrogate_width=width,
        surrogate_peak=_UNIT_PEAK.get(surrogate, 1.0) / width,
        compact=COMPACT[surrogate],
        reset_value=threshold if reset == "soft" else 0.0,
    )

"""The numbers of one recorded iteration, beside its masks: levels ``value`` and ``exact``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float32]

Numbers: TypeAlias = NDArray[Any]
"""Floating-point numbers of any precision; the golden model computes in float64."""


@dataclass(frozen=True, eq=False)
class Parameters:
    """A layer's parameters or their gradients: what is trained.

    ``weights`` [K, C, R, S]; ``bias`` [K] or None; ``scale`` and ``shift`` [K] of the norm
    (gamma and beta) or None.
    """

    weights: FloatArray
    bias: FloatArray | None
    scale: FloatArray | None
    shift: FloatArray | None

    def named(self) -> dict[str, FloatArray]:
        """The arrays that are not None, by name."""
        arrays = {
            "weights": self.weights,
            "bias": self.bias,
            "scale": self.scale,
            "shift": self.shift,
        }
        return {name: array for name, array in arrays.items() if array is not None}


@dataclass(frozen=True, eq=False)
class Values:
    """Numbers of an iteration; all are float32 after reading.

    ``inputs`` has the shape of ``Recording.inputs``. ``dI`` (dL/dI, at the neuron's input current)
    holds one [T, B, K, E, F] array per layer; it is zero where ``Recording.dU`` is false.
    ``parameters`` are those of the forward pass, ``parameter_gradients`` what backward
    left. ``loss_gradient`` [T, B, K, E', F'] is the gradient that the loss sends into the last
    layer's output (level "exact" alone, else None).

    Of a job for inference ``dI`` and ``parameter_gradients`` are empty. ``registers`` are, by
    layer, the states [K] of the shift registers of GLM neurons before the first sample (level
    "exact"); None for other layers.
    """

    inputs: FloatArray
    dI: tuple[FloatArray, ...]
    parameters: tuple[Parameters, ...]
    parameter_gradients: tuple[Parameters, ...]
    loss_gradient: FloatArray | None
    registers: tuple[NDArray[np.uint64] | None, ...] = ()

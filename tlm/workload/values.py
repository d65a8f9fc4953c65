"""The numbers of one recorded iteration, beside its masks: levels ``value`` and ``exact``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float32]

Numbers: TypeAlias = NDArray[Any]
"""Floating-point numbers of any precision; the golden model computes in float64."""


@dataclass(frozen=True, eq=False)
class Parameters:
    """A layer's parameters or their gradients: what is trained.

    ``weights`` [K, C, R, S] (of no elements where there are none); ``bias`` [K] or None; ``scale``
    and ``shift`` of the norm (gamma and beta), [K], or [T, K] of a norm of its own at each step, or
    None; ``step_scale`` [T] of the normalised product, or None; ``constants`` the numbers [1] or
    [K] that neurons learn, by name.
    """

    weights: FloatArray
    bias: FloatArray | None
    scale: FloatArray | None
    shift: FloatArray | None
    step_scale: FloatArray | None = None
    constants: Mapping[str, FloatArray] = field(default_factory=dict)

    def named(self) -> dict[str, FloatArray]:
        """The arrays that are not None, by name."""
        arrays = {
            "weights": self.weights,
            "bias": self.bias,
            "scale": self.scale,
            "shift": self.shift,
            "step_scale": self.step_scale,
        }
        given = {name: array for name, array in arrays.items() if array is not None}
        return given | dict(self.constants)


@dataclass(frozen=True, eq=False)
class Values:
    """Numbers of an iteration; all are float32 after reading.

    ``inputs`` has the shape of ``Recording.inputs``. ``dI`` (dL/dI, at the neuron's input current)
    holds one [T, B, K, E, F] array per layer; it is zero where ``Recording.dU`` is false.
    ``parameters`` are those of the forward pass, ``parameter_gradients`` what backward
    left. ``loss_gradients`` [T, B, K, E', F'] are the gradients that the loss sends into the
    outputs of the layers that no later one reads, by index (level "exact" alone, else empty).

    Of a job for inference ``dI`` and ``parameter_gradients`` are empty. ``registers`` are, by
    layer, the states [K] of the shift registers of GLM neurons before the first sample (level
    "exact"); None for other layers.
    """

    inputs: FloatArray
    dI: tuple[FloatArray, ...]
    parameters: tuple[Parameters, ...]
    parameter_gradients: tuple[Parameters, ...]
    loss_gradients: Mapping[int, FloatArray]
    registers: tuple[NDArray[np.uint64] | None, ...] = ()

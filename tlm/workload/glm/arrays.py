"""Arrays of GLM networks: T steps, B samples, N inputs, M outputs, K functions of the basis."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
"""Potentials, gradients, weights, and input spikes as 0 and 1 (they enter products)."""

Flags: TypeAlias = NDArray[np.bool_]
"""Output spikes, and other answers of yes or no."""

Classes: TypeAlias = NDArray[np.int64]
"""Labels, decisions, and steps of decisions."""

"""Weights as sums of binary devices, as STT-RAM has them.

``devices`` devices of a weight stand in columns that count 1, 2, 4, ..: code = sum of 2^b d_b,
weight = step * (code - (2^devices - 1) / 2). The sign comes from the offset, which is the same for
all weights: a spike adds its codes, and the offset is taken off once for every input spike. The
values are symmetric and zero is none of them; a single device is a sign.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tlm.workload.glm.arrays import Array

LIMITS = np.linspace(0.02, 1.0, 99)
"""Shares of the largest weight that are tried as the range of values."""


def codes(weights: Array, devices: int, step: float) -> NDArray[np.int64]:
    """The nearest code of each weight."""
    highest = (1 << devices) - 1
    return np.clip(np.rint(weights / step + highest / 2), 0, highest).astype(np.int64)


def quantised(weights: Array, devices: int, step: float) -> Array:
    """The nearest value of each weight."""
    return np.asarray(step * (codes(weights, devices, step) - ((1 << devices) - 1) / 2))


def best_step(weights: Array, devices: int, importance: Array) -> float:
    """Step with the least squared error of the weights, each error times its ``importance``.

    The importance of a weight is how often its input spikes: a weight that is never read may be
    anything.
    """
    largest = float(np.abs(weights * (importance > 0)).max()) or 1.0
    steps = LIMITS * largest * 2 / (1 << devices)
    errors = [
        (importance * (weights - quantised(weights, devices, step)) ** 2).sum() for step in steps
    ]
    return float(steps[int(np.argmin(errors))])

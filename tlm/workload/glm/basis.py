"""Raised-cosine functions of time (Pillow et al., Nature 454, 2008), on a logarithmic axis."""

from __future__ import annotations

import numpy as np

from tlm.errors import WorkloadError
from tlm.workload.glm.arrays import Array

OFFSET = 0.1
"""Shift of the logarithm's argument, as a share of the memory ``taps``."""

OVERLAP = 0.5
"""Width of a function: half of its cosine spans 1 / OVERLAP distances between centres."""


def raised_cosines(taps: int, functions: int) -> Array:
    """Basis A [taps, functions]: row d weighs a spike of d steps before the newest.

    With n(d) = log(d + taps / 10) and centres c_k evenly spaced over the range of n, distance D:
    A[d, k] = (cos(clip((n(d) - c_k) pi / (2 D), -pi, pi)) + 1) / 2. Neighbours overlap.
    Source: ``utils/filters.py`` of github.com/kclip/snn, where D is between two centres; a single
    function is centred on the newest spike and has the whole range as D.
    """
    if taps < 1 or not 1 <= functions <= taps:
        raise WorkloadError(
            f"basis of {functions} functions over {taps} taps: expected 1 to taps functions; "
            "lower the number of functions or raise the taps"
        )
    axis = np.log(np.arange(taps) + OFFSET * taps)
    centres = np.linspace(axis[0], axis[-1], functions)
    distance = (axis[-1] - axis[0]) / max(functions - 1, 1) or 1.0
    angle = (axis[:, None] - centres) * (OVERLAP * np.pi / distance)
    return np.asarray((np.cos(np.clip(angle, -np.pi, np.pi)) + 1) / 2)

"""Weights of which the smallest are set to zero: anywhere, or within groups of inputs."""

from __future__ import annotations

import numpy as np

from tlm.errors import WorkloadError
from tlm.space.array_types import Cells, Floats
from tlm.workload.largest import largest, largest_of_groups


def magnitudes(weights: Cells) -> Floats:
    """Absolute values; those of the smallest whole number of a type, too.

    Raises:
        WorkloadError: a weight is infinite, or no number.
    """
    sizes = np.abs(weights.astype(np.float64))
    if not np.isfinite(sizes).all():
        raise WorkloadError("a weight is infinite or no number; expected finite weights")
    return np.asarray(sizes)


def pruned(weights: Cells, density: float) -> Cells:
    """The share ``density`` of all weights that are largest; of equal ones, the first.

    Raises:
        WorkloadError: ``density`` is not from 0 to 1, or a weight is no finite number.
    """
    if not 0 <= density <= 1:
        raise WorkloadError(f"a density lies between 0 and 1, not {density:g}")
    kept = largest(magnitudes(weights), round(density * weights.size))
    return np.where(kept, weights, weights.dtype.type(0))


def pruned_in_groups(weights: Cells, kept: int, group: int) -> Cells:
    """The ``kept`` largest weights [inputs, outputs] of every ``group`` inputs of each output."""
    mask = largest_of_groups(magnitudes(weights).T, kept, group).T
    return np.where(mask, weights, weights.dtype.type(0))

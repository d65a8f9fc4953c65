"""Weights of which the smallest are set to zero: anywhere, or within groups of inputs."""

from __future__ import annotations

import numpy as np

from tlm.errors import WorkloadError
from tlm.space.array_types import Cells, Floats


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
    kept = np.zeros(weights.size, bool)
    order = np.argsort(-magnitudes(weights).ravel(), kind="stable")
    kept[order[: round(density * weights.size)]] = True
    return np.where(kept.reshape(weights.shape), weights, weights.dtype.type(0))


def pruned_in_groups(weights: Cells, kept: int, group: int) -> Cells:
    """The ``kept`` largest weights [inputs, outputs] of every ``group`` inputs of each output."""
    inputs, outputs = weights.shape
    groups = np.pad(weights, ((0, -inputs % group), (0, 0))).reshape(-1, group, outputs)
    order = np.argsort(-magnitudes(groups), axis=1, kind="stable")[:, kept:]
    np.put_along_axis(groups, order, 0, 1)
    return groups.reshape(-1, outputs)[:inputs]

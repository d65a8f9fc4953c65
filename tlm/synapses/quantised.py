"""Weights as signed codes of a few bits: uniform, symmetric, with one scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tlm.errors import WorkloadError
from tlm.space.array_types import Cells, Floats, Ints
from tlm.synapses.matrix import WIDTHS
from tlm.synapses.pruning import magnitudes


@dataclass(frozen=True, eq=False)
class Quantised:
    """A weight is about ``scale`` times its code; codes reach from -(2^(b-1) - 1) to its opposite.

    A weight of 0 has code 0. So has any weight below half a ``scale``: no synapse is left of it.
    """

    codes: Ints
    scale: float

    @property
    def weights(self) -> Floats:
        """What the codes stand for."""
        return np.asarray(self.codes * self.scale)


def quantised(weights: Cells, width: int) -> Quantised:
    """Weights of any shape in ``width`` bits; the largest takes the largest code.

    Raises:
        WorkloadError: a width that no weight has, or a weight is no finite number.
    """
    if width not in WIDTHS:
        raise WorkloadError(f"a weight has {WIDTHS[0]} to {WIDTHS[-1]} bits, not {width}")
    largest = float(magnitudes(weights).max(initial=0.0))
    most = (1 << (width - 1)) - 1
    scale = largest / most
    # A scale too small for a number would divide by zero: nothing is left of such weights.
    codes = np.rint(weights.astype(np.float64) / scale) if scale else np.zeros(weights.shape)
    return Quantised(codes.astype(np.int64), scale)

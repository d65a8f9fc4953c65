"""How a rebuilt layer agrees with its recording."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tlm.workload.model import BoolArray
from tlm.workload.values import Numbers

TOLERANCE = 1e-5
"""Largest |rebuilt - recorded| / max |recorded| of a gradient in an exact file."""


@dataclass(frozen=True)
class Flip:
    """A spike rebuilt otherwise: its place (t, b, k, e, f), and ``distance``, H - threshold.

    GLM neurons have draws for thresholds: there it is the probability of a spike less the draw.
    """

    place: tuple[int, ...]
    distance: float


@dataclass(frozen=True)
class Agreement:
    """How one layer, rebuilt, agrees with its recording.

    ``flips`` are the spikes that differ although the layer reads recorded inputs; ``near`` of them
    lie so close to the threshold that rounding decides. Errors are relative to the largest recorded
    value: ``gradient_error`` of dI, ``parameter_errors`` of dW and the like (none where nothing was
    learnt). ``free_flips`` is the number of spikes that differ if the network runs free from its
    input.
    """

    layer: str
    neuron_steps: int
    flips: tuple[Flip, ...]
    near: int
    gradient_error: float | None
    parameter_errors: dict[str, float]
    free_flips: int

    def holds(self, tolerance: float = TOLERANCE) -> bool:
        """Whether only rounding separates the two."""
        return self.near == len(self.flips) and self.largest_error <= tolerance

    @property
    def largest_error(self) -> float:
        """The largest of all errors."""
        return max(self.gradient_error or 0.0, *self.parameter_errors.values(), 0.0)


def flips_of(rebuilt: BoolArray, recorded: BoolArray, distance: Numbers) -> tuple[Flip, ...]:
    """Where rebuilt spikes differ from recorded ones."""
    return tuple(
        Flip(tuple(map(int, at)), float(distance[tuple(at)]))
        for at in np.argwhere(rebuilt != recorded)
    )

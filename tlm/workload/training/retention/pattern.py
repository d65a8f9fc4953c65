"""The spatio-temporal pattern to retain: input spikes frozen for ever, target spikes in strokes.

Both are drawn here from a seed, so no file of others is needed. The input is Poisson-like: every
input spikes at every step with the same small probability. The target shows the letters T, L and M
written over time (left to right) and neurons (top to bottom): a spike stands at some of the points
that lie near a stroke.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tlm.workload.model import BoolArray
from tlm.workload.recipe import RetentionRecipe

STROKES = (
    ((0.05, 0.20), (0.33, 0.20)), ((0.19, 0.20), (0.19, 0.80)),
    ((0.40, 0.20), (0.40, 0.80)), ((0.40, 0.80), (0.60, 0.80)),
    ((0.67, 0.80), (0.67, 0.20)), ((0.67, 0.20), (0.81, 0.55)),
    ((0.81, 0.55), (0.95, 0.20)), ((0.95, 0.20), (0.95, 0.80)),
)  # fmt: skip
"""Ends (time, neuron) of the strokes of T, L and M, as shares of all steps and neurons."""

HALF_WIDTH = 0.012
"""Distance from a stroke, in the same shares, up to which a spike may stand: 3 of 250 (assumed)."""

SPIKE_SHARE = 0.3
"""Probability of a spike at a point near a stroke (assumed)."""


@dataclass(frozen=True, eq=False)
class Pattern:
    """Spikes of the input [T, 1, C] and of the target [T, 1, K]."""

    inputs: BoolArray
    target: BoolArray


def draw_pattern(recipe: RetentionRecipe) -> Pattern:
    """The pattern of ``recipe``; the same seed gives the same spikes."""
    draw = np.random.default_rng(recipe.pattern_seed)
    inputs, _, outputs = recipe.neurons
    probability = recipe.input_rate_hz * recipe.step_ms / 1e3
    shape = (recipe.steps, 1, inputs)
    frozen = draw.random(shape) < probability
    near = near_strokes(recipe.steps, outputs)
    target = near & (draw.random(near.shape) < SPIKE_SHARE)
    return Pattern(frozen, target[:, None, :])


def near_strokes(steps: int, neurons: int) -> BoolArray:
    """Points [T, K] within HALF_WIDTH of a stroke."""
    time, neuron = np.meshgrid(
        np.arange(steps) / steps, np.arange(neurons) / neurons, indexing="ij"
    )
    points = np.stack([time, neuron], axis=-1)
    distances = [_distance(points, np.array(start), np.array(end)) for start, end in STROKES]
    return np.asarray(np.min(distances, axis=0) <= HALF_WIDTH)


def _distance(
    points: NDArray[np.float64], start: NDArray[np.float64], end: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Distance of ``points`` [..., 2] from the segment between ``start`` and ``end``."""
    along = end - start
    share = np.clip((points - start) @ along / (along @ along), 0, 1)
    return np.asarray(np.linalg.norm(points - start - share[..., None] * along, axis=-1))

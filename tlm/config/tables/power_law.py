"""A power law through the points of a table: between and beyond its rows."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from math import exp, log


def power_law(x: float, xs: Sequence[float], ys: Sequence[float]) -> float:
    """y at ``x`` on the straight line in logarithms through the two nearest points."""
    right = min(max(bisect_right(xs, x), 1), len(xs) - 1)
    left = right - 1
    slope = log(ys[right] / ys[left]) / log(xs[right] / xs[left])
    return ys[left] * exp(slope * log(x / xs[left]))

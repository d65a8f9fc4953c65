"""A spike function -> its surrogate derivative, and the closed form it has, if it has one.

Surrogates of the frameworks are closures or modules without common parameters, so they are
measured: the derivative on a grid, by autograd, held against each shape of ``surrogate``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tlm.errors import WorkloadError
from tlm.workload.surrogate import COMPACT, SHAPES, Slope
from tlm.workload.values import Numbers

if TYPE_CHECKING:
    from torch import Tensor

SpikeFunction = Callable[["Tensor"], "Tensor"]

_REACH = 8.0
_POINTS = 6401  # step 1/400: zero and every width that is a multiple of 1/200 fall between points
_TOLERANCE = 1e-5

# Width of each shape from one point: u = shape^-1(value / peak), width = x / u.
_INVERSE: dict[str, Callable[[float], float]] = {
    "triangular": lambda share: (1 - share) / 2,
    "arctangent": lambda share: float(np.sqrt(1 / share - 1) / np.pi),
    "sigmoid": lambda share: float(np.arccosh(np.sqrt(1 / share)) / 2),
    "fast-sigmoid": lambda share: (share**-0.5 - 1) / 2,
    "gaussian": lambda share: float(np.sqrt(-np.log(share) / np.pi)),
}


@dataclass(frozen=True)
class Surrogate:
    """What was measured of a spike function; ``slope`` evaluates its derivative by autograd."""

    name: str
    width: float
    peak: float
    compact: bool
    fires_at_threshold: bool
    slope: Slope


def measure(where: str, spike: SpikeFunction | None) -> Surrogate:
    """Measure ``spike``, which maps H - threshold to 0 or 1; ``where`` names it in errors.

    Raises WorkloadError if it is no function of one tensor, no step at 0 or has no derivative
    there.
    """
    import torch

    if isinstance(spike, type) and issubclass(spike, torch.autograd.Function):
        raise WorkloadError(f"{where}: got a class; give its function, {spike.__name__}.apply")
    if not callable(spike):
        raise WorkloadError(f"{where}: expected a function of H - threshold, got {spike!r}")

    def slope(distance: Numbers) -> Numbers:
        leaf = torch.from_numpy(np.ascontiguousarray(distance)).requires_grad_()
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(spike(leaf).sum(), leaf)
        return np.asarray(gradient.numpy())

    try:
        ends = spike(torch.tensor([-1.0, 0.0, 1.0])).detach().tolist()
        peak = float(slope(np.zeros(1))[0])
    except Exception as error:  # the user's own code
        raise WorkloadError(
            f"{where}: called with one tensor, H - threshold, it ends in {type(error).__name__}: "
            f"{' '.join(str(error).split())}; give a function of that tensor alone"
        ) from error
    if ends[0] != 0 or ends[2] != 1 or not peak > 0:
        raise WorkloadError(
            f"{where}: expected a spike function that is 0 below and 1 above the threshold, with "
            f"a slope there, got {ends} at -1, 0, 1 and slope {peak:g}; declare the neuron with "
            "spike=FUNCTION(H - threshold)"
        )
    points = np.linspace(-_REACH, _REACH, _POINTS) + 1e-3 / 3
    values = slope(points)
    points, values = points[np.isfinite(values)], values[np.isfinite(values)]
    name, width = _closed_form(points, values, peak, slope)
    compact = COMPACT.get(name, not values[np.abs(points) > _REACH - 1].any())
    return Surrogate(name, width, peak, compact, ends[1] == 1, slope)


def _closed_form(points: Numbers, values: Numbers, peak: float, slope: Slope) -> tuple[str, float]:
    """Name and width of the shape that fits everywhere, else ("other", width of the support)."""
    for name, width in _candidates(points, values, peak, slope):
        if np.abs(SHAPES[name](points / width) * peak - values).max() <= _TOLERANCE * peak:
            return name, width
    return "other", float(2 * np.abs(points[values != 0]).max(initial=0.0))


def _candidates(
    points: Numbers, values: Numbers, peak: float, slope: Slope
) -> list[tuple[str, float]]:
    candidates: list[tuple[str, float]] = []
    edge = _edge(slope, peak)
    if edge is not None:
        closed = slope(np.array([edge]))[0] > 0
        candidates.append(("rectangular" if closed else "rectangular-open", 2 * edge))
    sloped = (points > 0) & (values > 0.3 * peak) & (values < 0.95 * peak)
    if sloped.any():
        at = int(np.argmax(sloped))
        share = float(values[at] / peak)
        candidates += [(name, points[at] / u(share)) for name, u in _INVERSE.items()]
    return [(name, float(f"{width:.6g}")) for name, width in candidates]


def _edge(slope: Slope, peak: float) -> float | None:
    """Half the width of a rectangle, to 7 digits, or None if the slope falls gradually."""
    low, high = 0.0, _REACH
    if slope(np.array([high]))[0] != 0:
        return None
    for _ in range(60):
        middle = (low + high) / 2
        value = float(slope(np.array([middle]))[0])
        if value not in (0.0, peak):
            return None
        low, high = (middle, high) if value else (low, middle)
    return float(f"{high:.7g}")

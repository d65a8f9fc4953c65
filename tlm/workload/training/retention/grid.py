"""Weights of few bits: their grid, rounding at random, and pruning by magnitude.

After WAGE (Wu et al., arXiv 1802.04680): the forward and backward pass use weights on a symmetric
grid, gradients pass the rounding as if it were not there (straight-through), and the weights that
are trained are kept on a finer grid, to which every update is rounded at random. A step of the
grid is a power of two, so that sums of weights are exact in 32 bits whatever their order.
"""

from __future__ import annotations

import torch
from torch import Tensor

KEPT_BITS = 16
"""Width of the weights while they are trained: WAGE's 16 bits of random rounding."""


def quantised(weights: Tensor, bits: int, limit: float) -> Tensor:
    """The nearest of 2^bits - 1 values, evenly spaced, zero among them, all within ``limit``."""
    step = limit / 2 ** (bits - 1)
    return torch.round(weights / step).mul_(step).clamp_(step - limit, limit - step)


def rounded_at_random(weights: Tensor, limit: float, generator: torch.Generator) -> Tensor:
    """``weights`` on the grid of KEPT_BITS: up or down with the probability that keeps the mean."""
    step = limit / 2 ** (KEPT_BITS - 1)
    drawn = torch.rand(weights.shape, generator=generator)
    return torch.floor(weights / step + drawn).mul_(step).clamp_(step - limit, limit - step)


def scheduled_density(final: float, progress: float, start: float, end: float) -> float:
    """Density at ``progress`` (0..1) of training: from 1 down to ``final``, fast at first.

    Source: Zhu and Gupta, arXiv 1710.01878, equation 1 (cubic).
    """
    share = min(1.0, max(0.0, (progress - start) / (end - start)))
    return final + (1 - final) * (1 - share) ** 3


def magnitude_mask(weights: Tensor, density: float) -> Tensor:
    """1 at the largest ``density`` of the weights by magnitude, else 0."""
    kept = round(density * weights.numel())
    mask = torch.zeros(weights.numel(), dtype=weights.dtype)
    mask[torch.argsort(weights.abs().flatten(), descending=True, stable=True)[:kept]] = 1
    return mask.reshape(weights.shape)

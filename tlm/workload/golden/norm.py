"""Batch normalisation in training mode, forward and backward.

I = scale (Y - mean) / sqrt(variance + epsilon) + shift, by channel, with the biased variance of
the mini-batch (Ioffe and Szegedy, arXiv 1502.03167). Its gradient is dense wherever dL/dI is not
zero throughout a channel: dL/dY = a (gI - mean(gI) - xhat mean(gI xhat)), a = scale / sqrt(...).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tlm.workload.model import Norm

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Normalised:
    """``current`` (I), ``standard`` (xhat), both [T, B, K, E, F], and 1 / deviation."""

    current: Array
    standard: Array
    inverse: Array


def normalise(norm: Norm, products: Array, scale: Array, shift: Array) -> Normalised:
    """Normalise ``products`` (Y) [T, B, K, E, F]; ``scale`` and ``shift`` are [K]."""
    axes = _axes(norm)
    mean = products.mean(axes, keepdims=True)
    inverse = 1 / np.sqrt(products.var(axes, keepdims=True) + norm.epsilon)
    standard = (products - mean) * inverse
    return Normalised(_wide(scale) * standard + _wide(shift), standard, inverse)


def norm_gradient(norm: Norm, found: Normalised, scale: Array, gradient: Array) -> Array:
    """dL/dY [T, B, K, E, F] from ``gradient``, dL/dI."""
    axes = _axes(norm)
    mean = gradient.mean(axes, keepdims=True)
    slope = (gradient * found.standard).mean(axes, keepdims=True)
    return np.asarray(_wide(scale) * found.inverse * (gradient - mean - found.standard * slope))


def scale_gradients(found: Normalised, gradient: Array) -> tuple[Array, Array]:
    """dL/dscale and dL/dshift, both [K]."""
    every = (0, 1, 3, 4)
    return (gradient * found.standard).sum(every), gradient.sum(every)


def _axes(norm: Norm) -> tuple[int, ...]:
    return (1, 3, 4) if norm.per_step else (0, 1, 3, 4)


def _wide(channel: Array) -> Array:
    return channel[:, None, None]

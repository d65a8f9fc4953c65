"""Batch normalisation in training mode, forward and backward.

I = scale (Y - mean) / sqrt(variance + epsilon) + shift, by channel, with the biased variance of
the mini-batch (Ioffe and Szegedy, arXiv 1502.03167). Its gradient is dense in every channel where
dI is not all zero: dY = a (dI - mean(dI) - xhat mean(dI xhat)), a = scale / sqrt(...).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tlm.workload.model import Norm
from tlm.workload.values import Numbers


@dataclass(frozen=True, eq=False)
class Normalised:
    """``current`` (I), ``standard`` (xhat), both [T, B, K, E, F], and 1 / deviation."""

    current: Numbers
    standard: Numbers
    inverse: Numbers


def normalise(norm: Norm, products: Numbers, scale: Numbers, shift: Numbers) -> Normalised:
    """Normalise ``products`` (Y) [T, B, K, E, F]; ``scale`` and ``shift`` are [K]."""
    axes = _axes(norm)
    mean = products.mean(axes, keepdims=True)
    inverse = 1 / np.sqrt(products.var(axes, keepdims=True) + norm.epsilon)
    standard = (products - mean) * inverse
    return Normalised(_wide(scale) * standard + _wide(shift), standard, inverse)


def norm_gradient(norm: Norm, normalised: Normalised, scale: Numbers, dI: Numbers) -> Numbers:
    """Gradient dY at the products from ``dI`` at the normalised ones, both [T, B, K, E, F]."""
    axes = _axes(norm)
    mean = dI.mean(axes, keepdims=True)
    slope = (dI * normalised.standard).mean(axes, keepdims=True)
    centred = dI - mean - normalised.standard * slope
    return np.asarray(_wide(scale) * normalised.inverse * centred)


def scale_gradients(normalised: Normalised, dI: Numbers) -> tuple[Numbers, Numbers]:
    """dL/dscale and dL/dshift, both [K]."""
    axes = (0, 1, 3, 4)
    return (dI * normalised.standard).sum(axes), dI.sum(axes)


def _axes(norm: Norm) -> tuple[int, ...]:
    return (1, 3, 4) if norm.per_step else (0, 1, 3, 4)


def _wide(channel: Numbers) -> Numbers:
    return channel[:, None, None]

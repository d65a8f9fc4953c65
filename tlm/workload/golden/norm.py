"""Batch normalisation in training mode, forward and backward.

I = scale (Y - mean) / sqrt(variance + epsilon) + shift, by channel, with the biased variance of
the mini-batch (Ioffe and Szegedy, arXiv 1502.03167). Its gradient is dense in every channel where
dI is not all zero: dY = a (dI - mean(dI) - xhat mean(dI xhat)), a = scale / sqrt(...).

Scale and shift may be those of each step (Kim and Panda, arXiv 2010.01729), or the result be
scaled by a number a step (Duan et al., "Temporal effective batch normalization in spiking neural
networks", NeurIPS 2022).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tlm.workload.model import Norm
from tlm.workload.values import Numbers, Parameters


@dataclass(frozen=True, eq=False)
class Normalised:
    """``current`` (I), ``standard`` (xhat), both [T, B, K, E, F], and 1 / deviation."""

    current: Numbers
    standard: Numbers
    inverse: Numbers


@dataclass(frozen=True, eq=False)
class NormGradients:
    """dY [T, B, K, E, F], and dL/dscale, dL/dshift, dL/dstep_scale of the parameters there are."""

    dY: Numbers
    scale: Numbers | None
    shift: Numbers | None
    step_scale: Numbers | None


def normalise(norm: Norm, products: Numbers, trained: Parameters) -> Normalised:
    """Normalise ``products`` (Y) [T, B, K, E, F] with the layer's ``trained`` scale and shift."""
    axes = _axes(norm)
    mean = products.mean(axes, keepdims=True)
    inverse = 1 / np.sqrt(products.var(axes, keepdims=True) + norm.epsilon)
    standard = (products - mean) * inverse
    current = _affine(standard, trained)
    if trained.step_scale is not None:
        current = _by_step(trained.step_scale) * current
    return Normalised(current, standard, inverse)


def norm_gradients(
    norm: Norm, normalised: Normalised, trained: Parameters, dI: Numbers
) -> NormGradients:
    """Gradients from ``dI`` [T, B, K, E, F] at the normalised products."""
    axes = _axes(norm)
    step_scale = None
    if trained.step_scale is not None:
        step_scale = (dI * _affine(normalised.standard, trained)).sum((1, 2, 3, 4))
        dI = _by_step(trained.step_scale) * dI
    dX = dI if trained.scale is None else _wide(trained.scale) * dI
    mean = dX.mean(axes, keepdims=True)
    slope = (dX * normalised.standard).mean(axes, keepdims=True)
    dY = np.asarray(normalised.inverse * (dX - mean - normalised.standard * slope))
    scale = shift = None
    if trained.scale is not None:
        scale = _summed(dI * normalised.standard, trained.scale)
    if trained.shift is not None:
        shift = _summed(dI, trained.shift)
    return NormGradients(dY, scale, shift, step_scale)


def _affine(standard: Numbers, trained: Parameters) -> Numbers:
    scaled = standard if trained.scale is None else _wide(trained.scale) * standard
    return scaled if trained.shift is None else scaled + _wide(trained.shift)


def _axes(norm: Norm) -> tuple[int, ...]:
    return (1, 3, 4) if norm.per_step else (0, 1, 3, 4)


def _wide(channel: Numbers) -> Numbers:
    """[K] or [T, K], to be multiplied with [T, B, K, E, F]."""
    return channel[..., None, :, None, None].astype(np.float64)


def _by_step(factor: Numbers) -> Numbers:
    """[T], to be multiplied with [T, B, K, E, F]."""
    return factor[:, None, None, None, None].astype(np.float64)


def _summed(gradient: Numbers, parameter: Numbers) -> Numbers:
    """``gradient`` [T, B, K, E, F] summed to [K], or to [T, K] as the ``parameter`` is."""
    return np.asarray(gradient.sum((1, 3, 4) if parameter.ndim == 2 else (0, 1, 3, 4)))

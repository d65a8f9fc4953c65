"""Batch normalisation in training mode, forward and backward.

I = scale (Y - mean) / sqrt(variance + epsilon) + shift, by channel, with the biased variance of
the mini-batch (Ioffe and Szegedy, arXiv 1502.03167). Its gradient is dense in every channel where
dI is not all zero: dY = a (dI - mean(dI) - xhat mean(dI xhat)), a = scale / sqrt(...).

Scale and shift may be those of each step (Kim and Panda, arXiv 2010.01729), or the result be
scaled by a number a step (Duan et al., "Temporal effective batch normalization in spiking neural
networks", NeurIPS 2022).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tlm.workload.golden.cache_blocks import cache_blocks
from tlm.workload.model import Norm
from tlm.workload.values import Numbers, Parameters

_BLOCK_ELEMENTS = 1 << 16


@dataclass(frozen=True, eq=False)
class Normalised:
    """``current`` (I) and the ``products`` (Y) that it was made of, both [T, B, K, E, F], their
    ``mean``, and 1 / deviation."""

    current: Numbers
    products: Numbers
    mean: Numbers
    inverse: Numbers

    def standard(self, channels: slice, precision: type[np.floating[Any]]) -> Numbers:
        """xhat of some channels."""
        products, mean, inverse = (
            each[:, :, channels].astype(precision, copy=False)
            for each in (self.products, self.mean, self.inverse)
        )
        return np.asarray((products - mean) * inverse)


@dataclass(frozen=True, eq=False)
class NormGradients:
    """dY [T, B, K, E, F], and dL/dscale, dL/dshift, dL/dstep_scale of the parameters there are."""

    dY: Numbers
    scale: Numbers | None
    shift: Numbers | None
    step_scale: Numbers | None


def normalise(norm: Norm, products: Numbers, trained: Parameters) -> Normalised:
    """Normalise ``products`` (Y) [T, B, K, E, F] with the layer's ``trained`` scale and shift.

    A few channels at a time, which stay in the cache.
    """
    axes = _axes(norm)
    current = np.empty_like(products)
    means, inverses = [], []
    for channels in _blocks(products):
        block = products[:, :, channels]
        mean = block.mean(axes, keepdims=True)
        centred = block - mean
        inverse = 1 / np.sqrt(np.square(centred).mean(axes, keepdims=True) + norm.epsilon)
        centred *= inverse
        of_block = _affine(centred, _of_channels(trained, channels))
        if trained.step_scale is not None:
            of_block = _by_step(trained.step_scale) * of_block
        current[:, :, channels] = of_block
        means.append(mean)
        inverses.append(inverse)
    return Normalised(current, products, np.concatenate(means, 2), np.concatenate(inverses, 2))


def norm_gradients(
    norm: Norm, normalised: Normalised, trained: Parameters, dI: Numbers
) -> NormGradients:
    """Gradients from ``dI`` [T, B, K, E, F] at the normalised products."""
    dY = np.empty_like(dI)
    parts = []
    for channels in _blocks(dI):
        part = _gradients(norm, normalised, trained, dI, channels)
        if _in_doubt(part.dY, _axes(norm)):
            part = _gradients(norm, normalised, trained, dI.astype(np.float64), channels)
        dY[:, :, channels] = part.dY
        parts.append(part)
    return NormGradients(
        dY,
        scale=_joined([part.scale for part in parts]),
        shift=_joined([part.shift for part in parts]),
        step_scale=_summed_up([part.step_scale for part in parts]),
    )


def _in_doubt(dY: Numbers, axes: tuple[int, ...]) -> bool:
    """Whether elements are zero among others that are not, which rounding in float32 may do."""
    if dY.dtype == np.float64:
        return False
    zeros = (dY == 0).sum(axes)
    return bool(((zeros > 0) & (zeros < dY.size / zeros.size)).any())


def _gradients(
    norm: Norm, normalised: Normalised, trained: Parameters, dI: Numbers, channels: slice
) -> NormGradients:
    """Those of some channels, in the precision of ``dI``."""
    axes = _axes(norm)
    standard = normalised.standard(channels, dI.dtype.type)
    inverse = normalised.inverse[:, :, channels].astype(dI.dtype)
    trained, dI = _of_channels(trained, channels), dI[:, :, channels]
    step_scale = None
    if trained.step_scale is not None:
        step_scale = (dI * _affine(standard, trained)).sum((1, 2, 3, 4))
        dI = _by_step(trained.step_scale) * dI
    dX = dI if trained.scale is None else _wide(trained.scale) * dI
    mean = dX.mean(axes, keepdims=True)
    slope = (dX * standard).mean(axes, keepdims=True)
    dY = np.asarray(inverse * (dX - mean - standard * slope))
    scale = shift = None
    if trained.scale is not None:
        scale = _summed(dI * standard, trained.scale)
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
    return channel[..., None, :, None, None]


def _by_step(factor: Numbers) -> Numbers:
    """[T], to be multiplied with [T, B, K, E, F]."""
    return factor[:, None, None, None, None]


def _summed(gradient: Numbers, parameter: Numbers) -> Numbers:
    """``gradient`` [T, B, K, E, F] summed to [K], or to [T, K] as the ``parameter`` is."""
    return np.asarray(gradient.sum((1, 3, 4) if parameter.ndim == 2 else (0, 1, 3, 4)))


def _of_channels(trained: Parameters, channels: slice) -> Parameters:
    """The scale and shift [K] or [T, K] of some channels."""
    scale, shift = (
        None if each is None else each[..., channels] for each in (trained.scale, trained.shift)
    )
    return replace(trained, scale=scale, shift=shift)


def _summed_up(parts: list[Numbers | None]) -> Numbers | None:
    """What the blocks of channels add up to, where it is known."""
    known = [part for part in parts if part is not None]
    return np.sum(known, axis=0) if known else None


def _joined(parts: list[Numbers | None]) -> Numbers | None:
    """What is known of each block of channels, as one array [K] or [T, K]."""
    known = [part for part in parts if part is not None]
    return np.concatenate(known, axis=-1) if known else None


def _blocks(tensor: Numbers) -> Iterator[slice]:
    """Channels of a tensor [T, B, K, E, F], as many at a time as stay in the cache."""
    channels = tensor.shape[2]
    return cache_blocks(channels, tensor.size // max(1, channels), _BLOCK_ELEMENTS)

"""Sums over all positions of planes, however their axes were arranged: tokens, rows and columns."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tlm.workload.capture.arranging import features_of
from tlm.workload.capture.factors import Terms, arranged
from tlm.workload.model import IntArray

if TYPE_CHECKING:
    from torch import Tensor

Numbered: TypeAlias = tuple[int, tuple[int, ...]]
"""The number of an origin's first element, and its shape."""


def over_planes(axes: Sequence[int], terms: Terms, origins: Sequence[Numbered]) -> Terms | None:
    """``terms`` as [N, C, H, W], if ``axes`` of them are all positions of planes of H x W.

    N are the steps and samples that the elements come from. None if the axes are others, so that
    elements of several steps, samples or channels are added up.
    """
    kept = [axis for axis in range(terms[0][0].places.ndim) if axis not in axes]

    def last(places: Tensor) -> Tensor:
        return places.permute(*kept, *axes).flatten(len(kept))

    moved = [arranged(term, last) for term in terms]
    maps = [factor.places.numpy() for term in moved for factor in term]
    rows, positions = zip(*(_located(elements, origins) for elements in maps), strict=True)
    planes = _planes(positions, origins)
    if planes is None or not all(_alike(values, len(kept)) for values in rows):
        return None
    shape = maps[0].shape
    split = next(at for at in range(len(kept) + 1) if all(_alike(each, at) for each in rows))
    whole = (prod(shape[:split]), prod(shape[split:-1]), *planes)
    return [arranged(term, lambda places: places.reshape(whole)) for term in moved]


def _located(elements: IntArray, origins: Sequence[Numbered]) -> tuple[IntArray, IntArray]:
    """By element the first of its row (step and sample), and its number there; -1 for none."""
    firsts = np.array([first for first, _ in origins], np.int64)
    sizes = np.array([prod(features_of(shape)) for _, shape in origins], np.int64)
    origin = np.searchsorted(firsts, elements, "right") - 1
    inside = (elements - firsts[origin]) % sizes[origin]
    known = elements >= 0
    return np.where(known, elements - inside, -1), np.where(known, inside, -1)


def _alike(rows: IntArray, axes: int) -> bool:
    """Whether all that lies behind the first ``axes`` is of one row."""
    together = rows.reshape(prod(rows.shape[:axes]), -1)
    return bool(((together == together.max(1, keepdims=True)) | (together < 0)).all())


def _planes(positions: Sequence[IntArray], origins: Sequence[Numbered]) -> tuple[int, ...] | None:
    """Rows and columns of an origin all of whose positions, in order, are the last axis."""
    area = positions[0].shape[-1]
    in_order = any(
        bool(((numbers % area == np.arange(area)) | (numbers < 0)).all())
        and bool(numbers.max() >= 0)
        for numbers in positions
    )
    sides = [features_of(shape)[1:] for _, shape in origins]
    return next(
        (side for side in sides if len(side) == 2 and prod(side) == area and in_order), None
    )

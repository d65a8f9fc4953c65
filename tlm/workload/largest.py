"""Masks of the largest scores: of all, or of every group; of equal ones those that come first."""

from __future__ import annotations

import numpy as np

from tlm.workload.model import BoolArray
from tlm.workload.values import Numbers


def largest(scores: Numbers, count: int) -> BoolArray:
    """The ``count`` largest scores of all."""
    mask = np.zeros(scores.size, np.bool_)
    mask[np.argsort(-scores.ravel(), kind="stable")[:count]] = True
    return mask.reshape(scores.shape)


def largest_of_groups(scores: Numbers, count: int, group: int) -> BoolArray:
    """The ``count`` largest of every ``group`` scores along axis 1; the last group may be short.

    No score is negative.
    """
    columns, others = scores.shape[1], ((0, 0),) * (scores.ndim - 2)
    padded = np.pad(scores, ((0, 0), (0, -columns % group), *others), constant_values=-1)
    grouped = padded.reshape(len(scores), -1, group, *scores.shape[2:])
    ranks = np.argsort(np.argsort(-grouped, axis=2, kind="stable"), axis=2, kind="stable")
    return np.asarray((ranks < count).reshape(padded.shape)[:, :columns])

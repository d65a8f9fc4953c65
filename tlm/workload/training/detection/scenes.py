"""Scenes to detect digits in: a recording of events somewhere in a larger frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tlm.workload.training.datasets import DataSplit

_SPARED_SHARE: Final = 0.02
"""Events outside of a box on each side: noise is no part of a digit."""


@dataclass(frozen=True, eq=False)
class Scenes:
    """Events [T, B, 2, S, S]; boxes [B, 4], centre (x, y) and size in shares of S; labels [B]."""

    events: Tensor
    boxes: Tensor
    labels: Tensor


def scenes(
    split: DataSplit, chosen: NDArray[np.int64] | slice, side: int, seed: tuple[int, ...]
) -> Scenes:
    """The ``chosen`` recordings, each in a frame of ``side`` S, half of them at half their size.

    Size and place are drawn from ``seed``.
    """
    recordings, labels = split.inputs[chosen], split.labels[chosen]
    draw = np.random.default_rng(seed)
    samples, steps, polarities = recordings.shape[:3]
    events = np.zeros((steps, samples, polarities, side, side), np.float32)
    boxes = np.zeros((samples, 4), np.float32)
    for sample, recording in enumerate(recordings):
        digit = _halved(recording) if draw.random() < 0.5 else recording
        row, column = draw.integers(side - np.array(digit.shape[-2:]) + 1)
        inside = np.s_[row : row + digit.shape[-2], column : column + digit.shape[-1]]
        events[:, sample, :, *inside] = digit
        boxes[sample] = _box(events[:, sample]) / side
    return Scenes(torch.from_numpy(events), torch.from_numpy(boxes), torch.from_numpy(labels))


def _halved(recording: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A pixel for each square of four, with an event if one of them has."""
    *lead, rows, columns = recording.shape
    squares = recording.reshape(*lead, rows // 2, 2, columns // 2, 2)
    halved: NDArray[np.uint8] = squares.max((-3, -1))
    return halved


def _box(events: NDArray[np.float32]) -> NDArray[np.float64]:
    """Centre (x, y) and size of the box that holds the events, in pixels."""
    rows, columns = np.nonzero(events)[-2:]
    low, high = np.quantile((columns, rows), (_SPARED_SHARE, 1 - _SPARED_SHARE), axis=1)
    return np.concatenate([(low + high + 1) / 2, high + 1 - low])

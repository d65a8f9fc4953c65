"""A mini-batch for each public network: real, from a folder of data sets, or drawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.workload.nets.catalogue import Published
from tests.workload.nets.parts import CLASSES
from tlm.workload.training.datasets import DataSet, load

_SETS = {
    "mnist": "mnist",
    "mnist spikes": "mnist",
    "nmnist": "nmnist",
    "boxes": "nmnist",
    "cifar10": "cifar10",
    "cifar10 spikes": "cifar10",
}
_NOISE = 0.01
"""Share of pixels that fire besides, in a frame to be separated from its noise."""


@dataclass(frozen=True, eq=False)
class Samples:
    """``inputs`` [T, B, ...], what the loss compares with, and the data set's ``title``."""

    inputs: Any
    target: Any
    title: str


def samples(net: Published, data: Path | None, small: bool) -> Samples:
    """A mini-batch for ``net``; small networks see drawn inputs, and so do all without ``data``."""
    generator = torch.Generator().manual_seed(0)
    name = _SETS.get(net.input)
    if small or data is None or name is None:
        shape = net.small if small else net.shape
        frames, labels = _drawn(net, shape, generator), torch.arange(net.batch) % CLASSES
        title = "drawn"
    else:
        dataset = _loaded(name, data, net.steps)
        frames, labels = _real(net, dataset, generator)
        title = dataset.title
    return Samples(*_with_target(net, frames, labels, generator), title)


@cache
def _loaded(name: Any, data: Path, steps: int) -> DataSet:
    return load(name, data, steps if name == "nmnist" else 0)


def _drawn(net: Published, shape: tuple[int, ...], generator: Any) -> Any:
    """Frames that stand still, or events; spike trains fire as channels of a cochlea do, rarely."""
    direct = net.input in ("mnist", "cifar10")
    frames = torch.rand(1 if direct else net.steps, net.batch, *shape, generator=generator)
    return frames.expand(net.steps, *frames.shape[1:]) if direct else (frames < 0.2).float()


def _real(net: Published, dataset: DataSet, generator: Any) -> tuple[Any, Any]:
    chosen = slice(net.batch)
    labels = torch.from_numpy(dataset.train.labels[chosen])
    stored = dataset.train.inputs[chosen]
    if dataset.title == "N-MNIST":  # [B, T, C, H, W]
        frames = torch.from_numpy(stored.swapaxes(0, 1).astype(np.float32))
        cut = frames[..., : net.shape[1], : net.shape[2]]  # a U-Net halves its frame thrice
        return cut, labels
    if net.input.endswith("spikes"):
        pixels = torch.from_numpy(stored.astype(np.float32) / 255)
        return (torch.rand(net.steps, *pixels.shape, generator=generator) < pixels).float(), labels
    pixels = torch.from_numpy((stored - np.float32(dataset.offset)) / np.float32(dataset.scale))
    return pixels.expand(net.steps, *pixels.shape), labels


def _with_target(net: Published, frames: Any, labels: Any, generator: Any) -> tuple[Any, Any]:
    if net.target == "pixels":
        noise = torch.rand(frames.shape, generator=generator) < _NOISE
        return frames.maximum(noise.float()), frames.any(0).any(1).long()
    if net.target == "boxes":
        return _placed(net, frames, labels, generator)
    return frames, labels


def _placed(net: Published, frames: Any, labels: Any, generator: Any) -> tuple[Any, Any]:
    """Each sample somewhere in a larger frame, and its box: centre and size in shares, class."""
    side, own = net.shape[-1], frames.shape[-1]
    if own == side or own == net.small[-1]:
        centre = torch.rand(len(labels), 2, generator=generator)
        return frames, torch.cat((centre, centre * 0.5, labels[:, None]), 1)
    placed = frames.new_zeros(*frames.shape[:2], *net.shape)
    corners = torch.randint(side - own + 1, (len(labels), 2), generator=generator)
    for sample, (row, column) in enumerate(corners.tolist()):
        placed[:, sample, :, row : row + own, column : column + own] = frames[:, sample]
    centre = (corners.flip(1) + own / 2) / side
    size = torch.full_like(centre, own / side)
    return placed, torch.cat((centre, size, labels[:, None]), 1)

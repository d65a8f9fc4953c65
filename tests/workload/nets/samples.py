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
from tlm.workload.training.datasets import DataSet, DataSplit, load
from tlm.workload.training.detection.scenes import scenes

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
        return _scenes(net, frames, labels)
    return frames, labels


def _scenes(net: Published, frames: Any, labels: Any) -> tuple[Any, Any]:
    """Each sample somewhere in a larger frame, and where it is."""
    recordings = frames.swapaxes(0, 1).numpy().astype(np.uint8)
    split = DataSplit(recordings, labels.numpy())
    seen = scenes(split, slice(len(labels)), net.shape[-1], (0,))
    return seen.events, seen

"""Short words to write a network with; plain data, so that a recipe needs no torch to be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Conv:
    """A square convolution of ``channels`` outputs with neurons behind it."""

    channels: int
    kernel: int = 3
    stride: int = 1
    padding: int = 1


@dataclass(frozen=True)
class Dense:
    """A linear layer of ``channels`` outputs with neurons behind it."""

    channels: int


@dataclass(frozen=True)
class Readout:
    """A linear layer of ``channels`` outputs without neurons, with a bias."""

    channels: int


@dataclass(frozen=True)
class MaxPool:
    """Max-pooling of spikes over ``size`` x ``size`` windows."""

    size: int


@dataclass(frozen=True)
class AvgPool:
    """Average-pooling of spikes over ``size`` x ``size`` windows."""

    size: int


@dataclass(frozen=True)
class Residual:
    """SEW block (Fang et al., arXiv 2102.04159) with ADD: two 3 x 3 convolutions and a shortcut.

    The spikes of the second are added to the block's input, or, where ``stride`` or ``channels``
    change its shape, to the spikes of a 1 x 1 convolution of it.
    """

    channels: int
    stride: int = 1


@dataclass(frozen=True)
class Attention:
    """Spiking self-attention (Zhou et al., arXiv 2209.15425) of ``heads``, added to its input.

    A token is a position. q, k, v and the layer behind their products are 1 x 1 convolutions of as
    many channels as the input.
    """

    heads: int


@dataclass(frozen=True)
class Perceptron:
    """Two layers over tokens, the first of ``ratio`` times the channels, added to their input."""

    ratio: int


Block: TypeAlias = Conv | Dense | Readout | MaxPool | AvgPool | Residual | Attention | Perceptron

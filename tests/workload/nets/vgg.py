"""VGG-like networks whose papers changed the norm or the loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from tests.workload.nets.parts import LIF, Over, conv, linear

POOL = 0
"""In a list of widths: an average pool of 2 x 2."""


class TEBN(nn.Module):
    """A norm over all steps, and a trained number a step (Duan et al., NeurIPS 2022)."""

    def __init__(self, channels: int, steps: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm3d(channels)
        self.p = nn.Parameter(torch.ones(steps, 1, 1, 1, 1))

    def forward(self, currents: Any) -> Any:
        """[T, B, C, H, W]."""
        return self.norm(currents.permute(1, 2, 0, 3, 4)).permute(2, 0, 1, 3, 4) * self.p


class VGG(nn.Module):
    """Convolutions of ``widths``, each with a norm and LIF neurons, and a linear read-out.

    ``norm`` makes the norm of so many channels; a ``hidden`` linear layer with neurons comes before
    the read-out, if it is not 0.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        widths: tuple[int, ...],
        norm: Callable[[int], Any],
        hidden: int = 0,
        classes: int = 10,
    ) -> None:
        super().__init__()
        channels, side = shape[0], shape[-1]
        layers: list[Any] = []
        for width in widths:
            if width == POOL:
                layers.append(Over(nn.AvgPool2d(2)))
                side //= 2
            else:
                layers += [Over(conv(channels, width, bias=False)), norm(width), LIF()]
                channels = width
        features = channels * side * side
        self.features = nn.Sequential(*layers)
        self.hidden = nn.Sequential(linear(features, hidden), LIF()) if hidden else nn.Identity()
        self.out = linear(hidden or features, classes)

    def forward(self, frames: Any) -> Any:
        """[T, B, classes]."""
        return self.out(self.hidden(self.features(frames).flatten(2)))


def over_all_steps(channels: int) -> Any:
    """tdBN: statistics of all steps together (Zheng et al., arXiv 2011.05280)."""
    return Over(nn.BatchNorm2d(channels))


def tet_loss(outputs: Any, labels: Any, share: float = 0.05, mean: float = 1.0) -> Any:
    """Cross-entropy at each step, and a pull to ``mean`` (Deng et al., arXiv 2202.11946)."""
    each = torch.stack([F.cross_entropy(output, labels) for output in outputs]).mean()
    return (1 - share) * each + share * (outputs - mean).square().mean()

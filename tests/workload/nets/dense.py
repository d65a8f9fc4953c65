"""A network that answers at each pixel: a U-Net."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from tests.workload.nets.currents import normed
from tests.workload.nets.parts import LIF, Over, conv


class Twice(nn.Sequential):
    """Two convolutions with norm and neurons."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(normed(inputs, outputs), LIF(), normed(outputs, outputs), LIF())


class UNet(nn.Module):
    """Down by max-pools, up by nearest neighbours, joined by channels at each size.

    As Ronneberger et al., arXiv 1505.04597, with LIF neurons, and with a convolution behind a
    nearest neighbour in place of a transposed one; ``levels`` sizes below the first.
    """

    def __init__(self, inputs: int, width: int, levels: int, classes: int) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(levels + 1)]
        self.down = nn.ModuleList(
            Twice(a, b) for a, b in zip([inputs, *widths], widths, strict=False)
        )
        self.pool, self.larger = Over(nn.MaxPool2d(2)), Over(nn.Upsample(scale_factor=2))
        steps = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.narrow = nn.ModuleList(nn.Sequential(normed(a, b), LIF()) for a, b in steps)
        self.up = nn.ModuleList(Twice(2 * b, b) for _, b in steps)
        self.out = Over(conv(width, classes, 1))

    def forward(self, frames: Any) -> Any:
        """[T, B, classes, H, W]."""
        kept, spikes = [], frames
        for level, block in enumerate(self.down):
            spikes = block(self.pool(spikes) if level else spikes)
            kept.append(spikes)
        for narrow, block, skip in zip(self.narrow, self.up, kept[-2::-1], strict=True):
            spikes = block(torch.cat((skip, narrow(self.larger(spikes))), 2))
        return self.out(spikes)


def pixel_loss(outputs: Any, classes: Any) -> Any:
    """Cross-entropy at each pixel of the mean output; ``classes`` [B, H, W]."""
    return F.cross_entropy(outputs.mean(0), classes)

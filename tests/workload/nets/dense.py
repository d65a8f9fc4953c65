"""Networks that answer at each pixel or cell: a U-Net and a detector with a feature pyramid."""

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


class Detector(nn.Module):
    """Boxes at two sizes of cells, with a top-down pyramid between them.

    A backbone that halves four times, the last two stages joined as in Lin et al., arXiv
    1612.03144, heads as in Redmon and Farhadi, arXiv 1804.02767, on spikes of events as in
    SpikeFPN (Zhang et al., arXiv 2307.12900). A cell answers objectness, box and class.
    """

    def __init__(self, inputs: int, width: int, classes: int) -> None:
        super().__init__()
        widths = [width, 2 * width, 4 * width, 8 * width]
        self.stages = nn.ModuleList(
            nn.Sequential(normed(a, b, stride=2), LIF(), normed(b, b), LIF())
            for a, b in zip([inputs, *widths], widths, strict=False)
        )
        self.lateral = nn.Sequential(normed(widths[2], widths[2], 1), LIF())
        self.top = nn.Sequential(normed(widths[3], widths[2], 1), LIF())
        self.larger = Over(nn.Upsample(scale_factor=2))
        self.merge = nn.Sequential(normed(2 * widths[2], widths[2]), LIF())
        self.small = Over(conv(widths[2], 5 + classes, 1))
        self.large = Over(conv(widths[3], 5 + classes, 1))

    def forward(self, frames: Any) -> Any:
        """Cells of both sizes, [T, B, 5 + classes, H, W] each, the smaller ones first."""
        spikes = frames
        kept = []
        for stage in self.stages:
            spikes = stage(spikes)
            kept.append(spikes)
        joined = torch.cat((self.lateral(kept[2]), self.larger(self.top(kept[3]))), 2)
        return self.small(self.merge(joined)), self.large(kept[3])


def box_loss(outputs: Any, boxes: Any) -> Any:
    """Objectness, box and class of the cell that holds a box's centre, at each size of cells.

    ``boxes`` [B, 5] are centre, size (shares of the frame) and class.
    """
    total = 0.0
    for cells in (output.mean(0) for output in outputs):
        side = cells.shape[-1]
        samples = torch.arange(len(boxes))
        row, column = ((boxes[:, at] * side).long().clamp(max=side - 1) for at in (1, 0))
        objects = torch.zeros_like(cells[:, 0])
        objects[samples, row, column] = 1
        at_box = cells[samples, :, row, column]
        total = total + F.binary_cross_entropy_with_logits(cells[:, 0], objects)
        total = total + F.mse_loss(at_box[:, 1:5], boxes[:, :4])
        total = total + F.cross_entropy(at_box[:, 5:], boxes[:, 4].long())
    return total

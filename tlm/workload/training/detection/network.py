"""A detector of spikes: a backbone, a feature pyramid, and a head for each size of cells."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from tlm.workload.model import Neuron
from tlm.workload.training.lif import LIF, Unfolded

ANSWERS = 5
"""What a cell says beside its classes: objectness, and a box of four numbers."""


class Detector(nn.Module):
    """Boxes from cells of two sizes, the larger ones' features handed down to the smaller ones.

    Four stages that halve the frame; the last two meet in a top-down pyramid (Lin et al., arXiv
    1612.03144) and answer by cells (Redmon and Farhadi, arXiv 1804.02767), on spikes of events as
    in SpikeFPN (Zhang et al., arXiv 2307.12900). Batches are folded to [T * B, ...] inside.
    """

    def __init__(self, inputs: int, width: int, classes: int, neuron: Neuron, steps: int) -> None:
        super().__init__()
        self._neuron, self._steps = neuron, steps
        widths = [width, 2 * width, 4 * width, 8 * width]
        self.stages = nn.ModuleList(
            nn.Sequential(*self._layer(before, after, stride=2), *self._layer(after, after))
            for before, after in pairwise([inputs, *widths])
        )
        self.lateral = nn.Sequential(*self._layer(widths[2], widths[2], kernel=1))
        self.top = nn.Sequential(*self._layer(widths[3], widths[2], kernel=1))
        self.larger = nn.Upsample(scale_factor=2)
        self.merge = nn.Sequential(*self._layer(2 * widths[2], widths[2]))
        self.small_cells = nn.Conv2d(widths[2], ANSWERS + classes, 1)
        self.large_cells = nn.Conv2d(widths[3], ANSWERS + classes, 1)

    def forward(self, events: Tensor) -> tuple[Tensor, Tensor]:
        """[T, B, C, S, S] -> answers, averaged over the steps, of the small and the large cells.

        They are [B, 5 + classes, S / 8, S / 8] and half of it.
        """
        spikes = events.flatten(0, 1)
        for stage in self.stages[:3]:
            spikes = stage(spikes)
        top = self.stages[3](spikes)
        pyramid = torch.cat((self.lateral(spikes), self.larger(self.top(top))), 1)
        return self._mean(self.small_cells(self.merge(pyramid))), self._mean(self.large_cells(top))

    def _layer(self, before: int, after: int, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
        conv = nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False)
        return [conv, nn.BatchNorm2d(after), Unfolded(self._steps, LIF(self._neuron))]

    def _mean(self, folded: Tensor) -> Tensor:
        return folded.unflatten(0, (self._steps, -1)).mean(0)

"""A recurrent network on spike trains."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from tests.workload.nets.parts import StepLIF, linear


class RecurrentSNN(nn.Module):
    """One hidden layer that reads its own spikes of the step before, and a read-out.

    As Cramer et al., arXiv 1910.07407, for the 700 channels of SHD, with LIF neurons.
    """

    def __init__(self, inputs: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.cell, self.neurons = linear(inputs + hidden, hidden), StepLIF()
        self.out, self.hidden = linear(hidden, classes), hidden

    def forward(self, trains: Any) -> Any:
        """Spike trains [T, B, inputs] -> [T, B, classes]."""
        self.neurons.start()
        spikes = trains.new_zeros(trains.shape[1], self.hidden)
        answers = []
        for now in trains:
            spikes = self.neurons(self.cell(torch.cat((now, spikes), 1)))
            answers.append(self.out(spikes))
        return torch.stack(answers)

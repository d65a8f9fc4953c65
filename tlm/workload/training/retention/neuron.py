"""Current-based LIF neurons as a torch module: both loops over time in one autograd function.

The equations are those of ``tlm/workload/golden/neuron.py``, soft reset, detached: a current that
decays is charged by the input, and charges the membrane. Source: Neftci, Mostafa, Zenke, IEEE
Signal Processing Magazine 36(6), 2019, equations 3 to 5.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tlm.workload.model import Neuron


class _Neurons(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, neuron: Neuron) -> Tensor:
        """Spikes of input currents [T, B, N]; a steep surrogate needs the state in 64 bits."""
        currents = inputs.double()
        distances, spikes = torch.empty_like(currents), torch.empty_like(currents)
        current, membrane = torch.zeros_like(currents[0]), torch.zeros_like(currents[0])
        for now, distance, spike in zip(currents, distances, spikes, strict=True):
            current.mul_(neuron.current_decay).add_(now)
            membrane.mul_(neuron.decay).add_(current, alpha=neuron.gain)
            torch.sub(membrane, neuron.threshold, out=distance)
            torch.ge(distance, 0, out=spike)
            membrane.sub_(spike, alpha=neuron.reset_value)
        ctx.save_for_backward(distances)
        ctx.neuron = neuron
        return spikes.to(inputs.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """dI of dS: through the surrogate, the membrane and the current, back in time."""
        neuron: Neuron = ctx.neuron
        (distances,) = ctx.saved_tensors
        slopes = distances.abs().mul_(2 / neuron.surrogate_width).add_(1).square_().reciprocal_()
        from_spikes = gradients[0] * slopes.mul_(neuron.surrogate_peak)
        dI = torch.empty_like(from_spikes)
        dU, later = torch.zeros_like(dI[0]), torch.zeros_like(dI[0])
        for step in reversed(range(len(dI))):
            dU.mul_(neuron.decay).add_(from_spikes[step])
            later.mul_(neuron.current_decay).add_(dU, alpha=neuron.gain)
            dI[step] = later
        return dI.to(gradients[0].dtype), None


class CurrentLIF(nn.Module):
    """Neurons of one layer, at rest before the first step: currents [T, B, N] -> spikes."""

    def __init__(self, neuron: Neuron) -> None:
        super().__init__()
        self.neuron = neuron

    def forward(self, inputs: Tensor) -> Tensor:
        """Spikes, 0 or 1, differentiable by the surrogate gradient."""
        spikes: Tensor = _Neurons.apply(inputs, self.neuron)
        return spikes

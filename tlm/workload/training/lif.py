"""Leaky integrate-and-fire neurons as a torch module, over all time steps of a mini-batch."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor, nn

from tlm.errors import WorkloadError
from tlm.workload.model import Neuron
from tlm.workload.surrogate import lif_neuron


class Spike(torch.autograd.Function):
    """1 where H >= threshold, else 0; backward multiplies by the surrogate's derivative."""

    @staticmethod
    def forward(ctx: Any, distance: Tensor, neuron: Neuron) -> Tensor:
        """Spikes of ``distance`` = H - threshold."""
        ctx.save_for_backward(distance)
        ctx.neuron = neuron
        return (distance >= 0).to(distance.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """dL/dS times the surrogate's derivative."""
        (distance,) = ctx.saved_tensors
        slope = _SLOPES[ctx.neuron.surrogate]
        return gradients[0] * slope(distance.abs(), ctx.neuron.surrogate_width), None


def _rectangular(size: Tensor, width: float) -> Tensor:
    return (size <= width / 2).to(size.dtype).mul_(1 / width)


def _triangular(size: Tensor, width: float) -> Tensor:
    return size.mul_(-2 / width).add_(1).clamp_(min=0).mul_(2 / width)


def _arctangent(size: Tensor, width: float) -> Tensor:
    return size.mul_(torch.pi / width).square_().add_(1).reciprocal_().mul_(1 / width)


_SLOPES: Final = {
    "rectangular": _rectangular,
    "triangular": _triangular,
    "arctangent": _arctangent,
}
"""Derivatives of |H - threshold|, in place, by the formulas of ``tlm.workload.surrogate``."""


def _plain(neuron: Neuron) -> Neuron:
    """What ``lif_neuron`` makes of a neuron's main parameters."""
    return lif_neuron(
        surrogate=neuron.surrogate,
        width=neuron.surrogate_width,
        decay=neuron.decay,
        gain=neuron.gain,
        threshold=neuron.threshold,
        reset="soft" if neuron.reset == "soft" else "hard",
        detach_reset=neuron.detach_reset,
    )


class LIF(nn.Module):
    """Neurons of one layer: input currents [T, B, ...] -> spikes, same shape.

    ``H[t] = decay V[t-1] + gain I[t]`` from V[-1] = 0, so that no state outlives a call; a hard
    reset sets V to 0, a soft one subtracts the threshold. Raises WorkloadError for a neuron that
    does anything else.
    """

    def __init__(self, neuron: Neuron) -> None:
        super().__init__()
        if neuron.surrogate not in _SLOPES or neuron != _plain(neuron):
            raise WorkloadError(
                f"LIF: expected a neuron made by lif_neuron(...), with one of the surrogates "
                f"{', '.join(_SLOPES)}, got {neuron}"
            )
        self.neuron = neuron

    def forward(self, current: Tensor) -> Tensor:
        """Spikes, 0 or 1, differentiable by the surrogate gradient."""
        neuron = self.neuron
        spikes = []
        membrane: Tensor | None = None
        for now in current.unbind(0):
            charged = neuron.gain * now
            if membrane is not None:
                charged = charged + neuron.decay * membrane
            distance = charged - neuron.threshold
            spike = Spike.apply(distance, neuron)
            reset = spike.detach() if neuron.detach_reset else spike
            hard = neuron.reset == "hard"
            membrane = charged * (1 - reset) if hard else charged - neuron.threshold * reset
            spikes.append(spike)
        return torch.stack(spikes)


class Unfolded(nn.Module):
    """``neurons`` for layers that see folded batches: [T * B, ...], step by step."""

    def __init__(self, steps: int, neurons: LIF) -> None:
        super().__init__()
        self.steps, self.neurons = steps, neurons

    def forward(self, folded: Tensor) -> Tensor:
        """Spikes [T * B, ...]."""
        spikes: Tensor = self.neurons(folded.reshape(self.steps, -1, *folded.shape[1:]))
        return spikes.flatten(0, 1)

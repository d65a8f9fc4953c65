"""The layers of a workload in torch: forward over all time steps, differentiable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tlm.errors import WorkloadError
from tlm.workload.model import Layer, Neuron
from tlm.workload.surrogate import derivative

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Tap:
    """A neuron layer's boundary: its input current and its spikes, [T, B, K, E, F].

    After ``backward()`` their ``grad`` is dL/dI, and dL/dS of the edge to the next layer alone.
    """

    current: Tensor
    spikes: Tensor


def require_torch() -> None:
    """Raise WorkloadError naming the extra to install if torch is missing."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise WorkloadError(
            "recording needs torch: install the extra 'capture' (pip install 'snn-tlm[capture]')"
        ) from error


def initial_weights(layers: Sequence[Layer], seed: int) -> list[Tensor]:
    """Kaiming-uniform weights (He et al., arXiv 1502.01852), one tensor per layer."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    weights = []
    for layer in layers:
        fan_in = layer.in_shape[0] * layer.kernel[0] * layer.kernel[1]
        bound = (3 / fan_in) ** 0.5
        shape = (layer.out_shape[0], layer.in_shape[0], *layer.kernel)
        drawn = torch.rand(shape, generator=generator) * (2 * bound) - bound
        weights.append(drawn.requires_grad_())
    return weights


def forward(
    layers: Sequence[Layer],
    weights: Sequence[Tensor],
    images: Tensor,
    steps: int,
    taps: list[Tap] | None = None,
) -> Tensor:
    """Mean spike rate [B, K] of the last layer for ``images`` [B, C, H, W], directly coded.

    With ``taps`` a list, one Tap per layer is appended to it.
    """
    signal = images
    for layer, weight in zip(layers, weights, strict=True):
        current = layer_current(layer, weight, signal, steps)
        signal = pooled(layer, _neurons(layer.neuron, current, taps))
    return signal.mean(0).flatten(1)


def layer_current(layer: Layer, weight: Tensor, signal: Tensor, steps: int) -> Tensor:
    """Input current [T, B, K, E, F] from ``signal``, [B, ...] if analog, else [T, B, ...]."""
    from torch.nn.functional import conv2d

    folded = signal.reshape(-1, *layer.in_shape)
    product = conv2d(folded, weight, stride=layer.stride, padding=layer.padding)
    if layer.input_kind == "analog":
        return product.unsqueeze(0).expand(steps, *product.shape)
    return product.reshape(steps, -1, *layer.out_shape)


def pooled(layer: Layer, spikes: Tensor) -> Tensor:
    """Spikes [T, B, ...] after the layer's max-pooling; the first of equals gets the gradient."""
    from torch.nn.functional import max_pool2d

    if layer.pool is None:
        return spikes
    flat = max_pool2d(spikes.flatten(0, 1), layer.pool.size, layer.pool.stride)
    return flat.reshape(*spikes.shape[:2], *flat.shape[1:])


def _neurons(neuron: Neuron, current: Tensor, taps: list[Tap] | None) -> Tensor:
    if taps is None:
        return lif(neuron, current)
    current = current.clone()
    # A clone, so that its gradient is that of this edge and not of the reset path as well.
    spikes = lif(neuron, current).clone()
    current.retain_grad()
    spikes.retain_grad()
    taps.append(Tap(current, spikes))
    return spikes


def lif(neuron: Neuron, current: Tensor) -> Tensor:
    """Spikes [T, ...] of leaky integrate-and-fire neurons with v_reset = 0, differentiable."""
    import torch

    membrane = torch.zeros_like(current[0])
    spikes = []
    for now in current:
        charged = neuron.decay * membrane + neuron.gain * now
        spike = _fire(neuron, charged)
        seen = spike.detach() if neuron.detach_reset else spike
        hard = neuron.reset == "hard"
        membrane = (1 - seen) * charged if hard else charged - seen * neuron.threshold
        spikes.append(spike)
    return torch.stack(spikes)


def _fire(neuron: Neuron, charged: Tensor) -> Tensor:
    """Exactly 0 or 1, with the surrogate's slope as its gradient."""
    import torch

    distance = charged - neuron.threshold
    slope = torch.from_numpy(derivative(neuron, distance.detach().numpy()))
    return (distance >= 0).to(charged.dtype) + slope * (distance - distance.detach())

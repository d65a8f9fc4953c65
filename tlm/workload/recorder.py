"""One training iteration in torch -> Recording, verified against the NumPy golden model.

Recorded are the boundaries of each neuron layer (I, S, dL/dS); spikes, mask and dL/dI are
rebuilt from them, so what is stored follows from equations that can be read in ``replay``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tlm.errors import WorkloadError
from tlm.workload.model import Layer, Recording
from tlm.workload.network import Tap, forward
from tlm.workload.replay import Replay, replay, verify

if TYPE_CHECKING:
    from torch import Tensor


def record_iteration(
    layers: Sequence[Layer],
    weights: Sequence[Tensor],
    images: Tensor,
    labels: Tensor,
    steps: int,
    iteration: int,
) -> Recording:
    """Run one forward and backward pass and keep which elements of its tensors are non-zero.

    ``images`` [B, C, H, W], ``labels`` [B]; the weights' gradients are left in place.
    Raises WorkloadError if the replay disagrees or a layer is dead.
    """
    from torch.autograd import backward

    taps: list[Tap] = []
    backward(loss(forward(layers, weights, images, steps, taps), labels))
    rebuilt = [_rebuild(layer, tap) for layer, tap in zip(layers, taps, strict=True)]
    return Recording(
        iteration=iteration,
        inputs=images.numpy() != 0,
        spikes=tuple(one.spikes for one in rebuilt),
        masks=tuple(one.mask for one in rebuilt),
        gradients=tuple(one.current_gradient != 0 for one in rebuilt),
    )


def loss(rate: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy on the mean output spikes, averaged over the batch."""
    from torch.nn.functional import cross_entropy

    return cross_entropy(rate, labels)


def _rebuild(layer: Layer, tap: Tap) -> Replay:
    spike_gradient = _gradient(layer, tap.spikes)
    current_gradient = _gradient(layer, tap.current)
    rebuilt = replay(layer.neuron, tap.current.detach().numpy(), spike_gradient)
    verify(layer, rebuilt, tap.spikes.detach().numpy() != 0, current_gradient)
    if not rebuilt.spikes.any() or not rebuilt.current_gradient.any():
        raise WorkloadError(
            f"layer {layer.index} ({layer.name}) is dead (no spike or no gradient in the whole "
            "mini-batch): a recording of it would look 100 % sparse; raise the recipe's "
            "current_std, or train for fewer epochs"
        )
    return rebuilt


def _gradient(layer: Layer, tensor: Tensor) -> NDArray[np.float32]:
    if tensor.grad is None:
        raise WorkloadError(f"layer {layer.index} ({layer.name}) received no gradient")
    gradient: NDArray[np.float32] = tensor.grad.numpy()
    return gradient

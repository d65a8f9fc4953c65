"""Initial weights scaled to the data: without a norm, a compact surrogate never fires otherwise.

Source: LSUV (Mishkin and Matas, arXiv 1511.06422), with the input currents of the neurons in
place of the layers' outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from tlm.workload.recipe import Scaling
from tlm.workload.training.lif import Unfolded
from tlm.workload.training.torchnet import RecipeNetwork


def scale_weights(network: RecipeNetwork, inputs: Tensor, scaling: Scaling, seed: int) -> None:
    """Draw Kaiming-uniform weights (arXiv 1502.01852) and scale them, layer by layer, in place.

    The currents of a last layer with neurons are centred on the threshold as well: with a
    compact surrogate a class that starts far from it never receives a gradient and stays
    silent. A read-out is left as torch initialised it.
    """
    modules = [*network]
    layers = [
        (module, after.neurons.neuron.threshold)
        for module, after in pairwise(modules)
        if isinstance(module, nn.Conv2d | nn.Linear) and isinstance(after, Unfolded)
    ]
    _draw([layer for layer, _ in layers], seed)
    with torch.no_grad():
        for layer, threshold in layers:
            signal, current = network.around(inputs, layer)
            if layer is modules[-2]:
                _centre(layer, signal, 0.0)
                layer.weight.mul_(scaling.output_std / network.around(inputs, layer)[1].std())
                _centre(layer, signal, threshold)
            else:
                layer.weight.mul_(scaling.current_std / current.std())


def _draw(layers: Sequence[nn.Conv2d | nn.Linear], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for layer in layers:
        weight = layer.weight.detach()
        bound = (3 / weight[0].numel()) ** 0.5
        weight.copy_(torch.rand(weight.shape, generator=generator) * (2 * bound) - bound)


def _centre(layer: nn.Conv2d | nn.Linear, signal: Tensor, target: float) -> None:
    """Move each row of the weights along the mean input until its mean current is ``target``."""
    rows = layer.weight.flatten(1)
    mean = signal.reshape(-1, rows.shape[1]).mean(0)
    missing = target - rows @ mean
    rows.add_(missing.outer(mean) / mean.dot(mean))

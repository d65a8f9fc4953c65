"""A job's layer graph as a torch module: any recorded network, without its recipe (torch).

Time is folded into the batch: layers see [T B, ...], step by step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, dropout, max_pool2d

from tlm.errors import WorkloadError
from tlm.workload.model import NETWORK_INPUT, Layer, Neuron, Pool, Workload
from tlm.workload.readers import adds_output, heads
from tlm.workload.values import Parameters

MakeNeurons: TypeAlias = Callable[[Neuron], nn.Module]
"""Neuron -> module over folded batches, [T B, ...] -> the same."""

_CURRENT_STD = 2.0  # as the bundled recipes scale: a compact surrogate never fires otherwise


class JobNetwork(nn.Module):
    """The layers of a job, with torch's initial weights; ``spike_rates`` are the last pass's."""

    def __init__(self, workload: Workload, neurons: MakeNeurons) -> None:
        super().__init__()
        _check(workload)
        self.steps, self.layers = workload.steps, workload.layers
        self.products = nn.ModuleList(_product(layer) for layer in self.layers)
        self.norms = nn.ModuleList(_norm(layer, self.steps) for layer in self.layers)
        self.neurons = nn.ModuleList(
            neurons(layer.neuron) if isinstance(layer.neuron, Neuron) else nn.Identity()
            for layer in self.layers
        )
        self.spike_rates: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        """Mean output over time, [B, K], of [T B, C, H, W]."""
        return self._walk(images, scale=False)

    def scale(self, images: Tensor) -> None:
        """Scale weights that no norm follows until their layer's currents spread enough to fire.

        Layer by layer (LSUV, Mishkin and Matas, arXiv 1511.06422).
        """
        with torch.no_grad():
            self._walk(images, scale=True)

    def load(self, parameters: tuple[Parameters, ...]) -> None:
        """Take a recording's weights, biases, scales and shifts."""
        with torch.no_grad():
            for product, norm, values in zip(self.products, self.norms, parameters, strict=True):
                _copy(getattr(product, "weight", None), values.weights)
                _copy(getattr(product, "bias", None), values.bias)
                _copy(getattr(norm, "weight", None), values.scale)
                _copy(getattr(norm, "bias", None), values.shift)

    def _walk(self, images: Tensor, *, scale: bool) -> Tensor:
        outputs: list[Tensor] = []
        currents: list[Tensor] = []
        self.spike_rates = []
        modules = zip(self.layers, self.products, self.norms, self.neurons, strict=True)
        for layer, product, norm, neurons in modules:
            current = product(_signal(layer, images, outputs))
            if scale and layer.weighted and layer.norm is None and layer.neuron is not None:
                factor = _CURRENT_STD / current.std()
                product.weight.mul_(factor)
                current = current * factor
            current = norm(current)
            for each in layer.shortcuts:
                output = adds_output(each, self.layers)
                added = (outputs if output else currents)[each.layer]
                current = current + _pooled(each.pool, added).reshape(current.shape)
            currents.append(_pooled(layer.current_pool, current))
            spikes = neurons(currents[-1])
            if layer.neuron is not None:
                self.spike_rates.append(spikes.detach().mean())
            outputs.append(_pooled(layer.pool, spikes))
        last = outputs[-1]
        return last.reshape(self.steps, -1, *last.shape[1:]).mean(0)


class PerStepNorm(nn.Module):
    """Batch normalisation with the statistics of each time step."""

    def __init__(self, norm: nn.Module, steps: int) -> None:
        super().__init__()
        self.norm, self.steps = norm, steps

    def forward(self, folded: Tensor) -> Tensor:
        """Normalise [T B, ...] step by step."""
        return torch.cat([self.norm(step) for step in folded.chunk(self.steps)])


def _check(workload: Workload) -> None:
    """Refuse what is not built here: it would be another network that is measured."""
    layers = workload.layers
    for layer in layers:
        if what := _not_built(layer):
            raise WorkloadError(
                f"{workload.name}: layer {layer.name} {what}, which is not measured; name a job "
                "without such layers, or see the model alone (tlm gpu)"
            )
    outputs = [layers[index].name for index in heads(layers)]
    if len(outputs) > 1:
        raise WorkloadError(
            f"{workload.name}: has {len(outputs)} outputs ({', '.join(outputs)}), of which one "
            "alone is measured; name a job with one output, or see the model alone (tlm gpu)"
        )


def _not_built(layer: Layer) -> str | None:
    if layer.operand is not None:
        return "reads parts put together, or gates"
    if layer.held is not None:
        return "multiplies what two layers leave"
    if layer.membrane_output:
        return "puts out its membrane potential"
    if layer.learnt:
        return "has neurons that learn a number of their own"
    if layer.channel_constants:
        return "has neurons whose constants differ from channel to channel"
    if layer.norm is not None and not layer.norm.foldable:
        return "has a norm with numbers of each step"
    return None


def _product(layer: Layer) -> nn.Module:
    if layer.kind == "identity":
        return nn.Identity()
    if layer.kind == "linear":
        return nn.Linear(layer.in_shape[0], layer.out_shape[0], bias=layer.bias)
    shape = layer.in_shape[0], layer.out_shape[0], layer.kernel, layer.stride, layer.padding
    return nn.Conv2d(*shape, layer.dilation, layer.groups, bias=layer.bias)


def _norm(layer: Layer, steps: int) -> nn.Module:
    if layer.norm is None:
        return nn.Identity()
    kind = nn.BatchNorm1d if layer.kind == "linear" else nn.BatchNorm2d
    norm = kind(layer.out_shape[0], eps=layer.norm.epsilon)
    return PerStepNorm(norm, steps) if layer.norm.per_step else norm


def _signal(layer: Layer, images: Tensor, outputs: list[Tensor]) -> Tensor:
    """A layer's input: its sources added up in order, pooled, dropped, flattened if linear."""
    first, *others = (
        images if source == NETWORK_INPUT else outputs[source] for source in layer.sources
    )
    signal = first
    for other in others:
        signal = signal + other
    signal = dropout(_pooled(layer.input_pool, signal), layer.dropout)
    return signal.flatten(1) if layer.kind == "linear" else signal


def _pooled(pool: Pool | None, signal: Tensor) -> Tensor:
    if pool is None:
        return signal
    if pool.kind == "max":
        up = any(pool.overhang)
        return max_pool2d(signal, pool.size, pool.stride, pool.padding, ceil_mode=up)
    divisor = 1 if pool.kind == "sum" else None
    return avg_pool2d(signal, pool.size, pool.stride, pool.padding, divisor_override=divisor)


def _copy(target: Tensor | None, values: object) -> None:
    if target is not None and values is not None:
        target.copy_(torch.as_tensor(values).reshape(target.shape))

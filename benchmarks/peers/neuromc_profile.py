"""A training iteration under SpikingJelly's NeuroMC profiler: ``python neuromc_profile.py FILE``.

The profiler runs forward and backward in PyTorch and turns the shapes that it sees into energies.
It refuses max-pooling, cross-entropy and the gradient of a difference: spikes are pooled by sums
and products, the loss is a mean square, and the neurons do not leak. Weights are PyTorch's initial
ones, as its counts rest on shapes alone. The amount is the multiply-accumulates that it counts of
modules: SpikingJelly 2.0.0 counts the gradients of a linear layer again where it traces matrix
products.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import torch
from spikingjelly.activation_based import neuron, surrogate
from spikingjelly.activation_based.op_counter.neuromc import estimate_neuromc_runtime_energy
from torch import Tensor, nn

LEARNING_RATE = 1e-3


class Chain(nn.Module):
    """Layers in a row, neurons behind each: [T B, C, H, W] -> mean output [B, K]."""

    def __init__(self, job: dict[str, Any]) -> None:
        super().__init__()
        self.steps, self.layers = job["steps"], job["layers"]
        self.products = nn.ModuleList(map(_product, self.layers))
        slope = surrogate.Sigmoid()
        self.neurons = nn.ModuleList(
            neuron.IFNode(surrogate_function=slope, detach_reset=True, step_mode="m")
            for _ in self.layers
        )

    def forward(self, signal: Tensor) -> Tensor:
        """Time is folded into the batch but for the neurons."""
        for layer, product, neurons in zip(self.layers, self.products, self.neurons, strict=True):
            current = product(signal.flatten(1) if layer["kind"] == "linear" else signal)
            spikes = neurons(current.reshape(self.steps, -1, *current.shape[1:])).flatten(0, 1)
            signal = _either_of_four(spikes) if layer["max_pool"] == 2 else spikes
        return signal.reshape(self.steps, -1, *signal.shape[1:]).mean(0)


def _product(layer: dict[str, Any]) -> nn.Module:
    channels = layer["inputs"][0], layer["outputs"][0]
    if layer["kind"] == "linear":
        return nn.Linear(*channels, bias=False)
    return nn.Conv2d(*channels, layer["kernel"], layer["stride"], layer["padding"], bias=False)


def _either_of_four(spikes: Tensor) -> Tensor:
    """Max-pooling of 0 and 1 in squares of 2 x 2."""
    for axis in (2, 3):
        first, second = spikes.unflatten(axis, (-1, 2)).unbind(axis + 1)
        spikes = first + second * (1 - first.detach())
    return spikes


def images(job: dict[str, Any]) -> Tensor:
    """Recorded input events, [T B, C, H, W], step after step."""
    first = job["layers"][0]
    events = torch.tensor([[float(event) for event in train] for train in first["events"]])
    by_sample = events.T.reshape(job["batch"], job["steps"], *first["inputs"])
    return by_sample.swapaxes(0, 1).flatten(0, 1)


def main(file: str) -> None:
    """Build the network, profile an iteration."""
    torch.set_num_threads(1)
    loading = time.process_time()
    with open(file, encoding="ascii") as stream:
        job = json.load(stream)
    for number, layer in enumerate(job["layers"]):
        if layer["sources"] != [number - 1] or layer["max_pool"] > 2:
            raise SystemExit(f"{file}: not a chain of layers with pools of 2 x 2")
    network, inputs = Chain(job), images(job)
    target = torch.zeros(job["batch"], job["layers"][-1]["outputs"][0])
    optimizer = torch.optim.SGD(network.parameters(), lr=LEARNING_RATE)
    began = time.process_time()
    report = estimate_neuromc_runtime_energy(
        network, inputs, target=target, loss_fn=nn.functional.mse_loss, optimizer=optimizer
    )
    ended = time.process_time()
    amount = sum(part["mac_count"] for part in report.mapping_summary if part["source"] == "module")
    figures = {"amount": amount, "cpu_s": ended - began, "built_cpu_s": ended - loading}
    print(json.dumps(figures, allow_nan=False))


if __name__ == "__main__":
    main(*sys.argv[1:])

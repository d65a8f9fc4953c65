"""Train a recipe's network to make the van Rossum distance to its pattern small."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2

import torch
from torch import Tensor, nn

from tlm.workload.recipe import RetentionRecipe
from tlm.workload.training.loop import Progress, Recorder
from tlm.workload.training.retention.grid import (
    magnitude_mask,
    quantised,
    rounded_at_random,
    scheduled_density,
)
from tlm.workload.training.retention.neuron import CurrentLIF
from tlm.workload.training.retention.pattern import draw_pattern

PRUNING = (0.1, 0.6)
"""Shares of training between which weights are pruned; a pruned weight never returns (assumed)."""

PRUNING_EPOCHS = 10
"""Epochs from one pruning to the next (assumed)."""


@dataclass(eq=False)
class Synapses:
    """Weights of one layer: ``kept`` is trained, ``layer`` computes with its quantised form."""

    layer: nn.Linear
    kept: Tensor
    limit: float
    mask: Tensor

    def load(self, bits: int) -> None:
        """Give the layer the quantised weights."""
        self.layer.weight.data = quantised(self.kept, bits, self.limit) * self.mask

    @property
    def density(self) -> float:
        """Share of the layer's weights that are not zero."""
        return float((self.layer.weight != 0).float().mean())


class Distance:
    """Van Rossum distance sqrt(sum (x - y)^2 / tau) of spikes filtered by exp(-t / tau).

    Source: van Rossum, Neural Computation 13(4), 2001, with a step of 1 in time.
    """

    def __init__(self, target: Tensor, filter_steps: float) -> None:
        steps = torch.arange(len(target), dtype=torch.float32)
        later = steps[:, None] - steps
        self._filter = torch.exp(-later / filter_steps).tril()
        self._filter_steps = filter_steps
        self._target = self._filter @ target.flatten(1)

    def __call__(self, spikes: Tensor) -> Tensor:
        """Distance of ``spikes`` [T, B, K] to the target."""
        difference = self._filter @ spikes.flatten(1) - self._target
        return (difference.square().sum() / self._filter_steps).sqrt()


class RetentionTraining:
    """A network, its pattern and its optimizer; deterministic (one thread, seeded)."""

    def __init__(self, recipe: RetentionRecipe) -> None:
        torch.set_num_threads(1)
        self.recipe = recipe
        self.generator = torch.Generator().manual_seed(recipe.seed)
        pattern = draw_pattern(recipe)
        self.inputs = torch.from_numpy(pattern.inputs).float()
        target = torch.from_numpy(pattern.target).float()
        self.distance = Distance(target, recipe.filter_ms / recipe.step_ms)
        self.silence = float(self.distance(torch.zeros_like(target)))
        self.synapses = [self._synapses(layer) for layer in range(2)]
        self.network = nn.Sequential()
        for number, synapses in enumerate(self.synapses):
            self.network.add_module(f"fc{number}", synapses.layer)
            self.network.add_module(f"lif{number}", CurrentLIF(recipe.neuron))
        self.optimizer = torch.optim.Adamax(
            [synapses.kept for synapses in self.synapses], lr=recipe.learning_rate
        )

    def epoch(self, number: int) -> float:
        """One pass and one update; returns the distance before the update."""
        recipe = self.recipe
        distance = self.forward_backward()
        for synapses in self.synapses:
            synapses.kept.grad = synapses.layer.weight.grad
        self.optimizer.step()
        for synapses in self.synapses:
            kept = rounded_at_random(synapses.kept, synapses.limit, self.generator)
            synapses.kept.copy_(kept * synapses.mask)
        if number % PRUNING_EPOCHS == 0:
            density = scheduled_density(recipe.density, number / recipe.epochs, *PRUNING)
            self._prune(density)
        for synapses in self.synapses:
            synapses.load(recipe.weight_bits)
        return distance

    def forward_backward(self) -> float:
        """Forward and backward pass with the weights as they are now; returns the distance."""
        self.network.zero_grad()
        distance = self.distance(self.network(self.inputs))
        distance.backward()
        return float(distance.detach())

    def _synapses(self, number: int) -> Synapses:
        inputs, outputs = self.recipe.neurons[number : number + 2]
        layer = nn.Linear(inputs, outputs, bias=False)
        largest = inputs**-0.5
        drawn = torch.rand(layer.weight.shape, generator=self.generator)
        kept = (2 * drawn - 1) * largest
        limit = 2.0 ** ceil(log2(largest))
        synapses = Synapses(layer, kept, limit, torch.ones_like(kept))
        synapses.load(self.recipe.weight_bits)
        return synapses

    def _prune(self, density: float) -> None:
        """Leave the share ``density`` of each layer's weights, the largest."""
        for synapses in self.synapses:
            if density < float(synapses.mask.mean()):
                synapses.mask = magnitude_mask(synapses.kept, density)
                synapses.kept.mul_(synapses.mask)


def train(training: RetentionTraining, recorder: Recorder, progress: Progress | None) -> None:
    """Train for all epochs, recording the pass of the first, the middle and the last one."""
    total = training.recipe.epochs
    for number in range(total):
        if number in (0, total // 2, total - 1):
            with recorder.at(number):
                training.forward_backward()
        training.epoch(number)
        if progress is not None:
            progress(number + 1, total)

"""Input spikes of a data set, and training a GLM network on them (numpy, one thread)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from tlm.workload.glm.arrays import Array, Classes
from tlm.workload.glm.basis import raised_cosines
from tlm.workload.glm.devices import best_step, quantised
from tlm.workload.glm.network import GLMNetwork
from tlm.workload.glm.rules import Rule, loss_and_gradient
from tlm.workload.recipe import GLMRecipe
from tlm.workload.training.datasets import DataSet, DataSplit


class Adam:
    """Adam (Kingma, Ba, arXiv 1412.6980) with its usual constants, on arrays in place."""

    def __init__(self, arrays: tuple[Array, ...]) -> None:
        self._arrays = arrays
        self._means = [np.zeros_like(array) for array in arrays]
        self._squares = [np.zeros_like(array) for array in arrays]
        self._count = 0

    def update(self, gradients: tuple[Array, ...], learning_rate: float) -> None:
        """One step of every array against its gradient."""
        self._count += 1
        scale = learning_rate * (1 - 0.999**self._count) ** 0.5 / (1 - 0.9**self._count)
        places = zip(self._arrays, self._means, self._squares, gradients, strict=True)
        for array, mean, square, gradient in places:
            mean += 0.1 * (gradient - mean)
            square += 0.001 * (gradient**2 - square)
            array -= scale * mean / (np.sqrt(square) + 1e-8)


@dataclass(frozen=True)
class Devices:
    """Weights of ``count`` binary devices: tuned for ``epochs`` after training in float64."""

    count: int
    epochs: int


def input_spikes(dataset: DataSet, split: DataSplit, steps: int, seed: tuple[int, ...]) -> Array:
    """Input S [T, B, N]: each value of ``split`` is a probability of a spike, drawn every step.

    Values [N, C, H, W] hold at all steps, values [N, T, C, H, W] at their own.
    """
    values = split.inputs.reshape(len(split.labels), -1, *split.inputs.shape[-3:])
    chances = values.reshape(*values.shape[:2], -1).swapaxes(0, 1) / np.float32(dataset.scale)
    shape = (steps, *chances.shape[1:])
    draw = np.random.default_rng(seed).random(shape, dtype=np.float32)
    return (draw < chances).astype(np.float64)


def train(recipe: GLMRecipe, rule: Rule, dataset: DataSet) -> GLMNetwork:
    """A network trained from zero weights, silent at first: one spike in the T steps expected."""
    inputs = prod(dataset.train.inputs.shape[-3:])
    weights = np.zeros((inputs, recipe.outputs, recipe.functions))
    bias = np.full(recipe.outputs, -np.log(recipe.outputs * recipe.steps - 1))
    network = GLMNetwork(raised_cosines(recipe.taps, recipe.functions), weights, bias)
    adam = Adam((network.weights, network.bias))
    for S, labels, progress in mini_batches(recipe, dataset, recipe.epochs):
        gradients = _gradients(network, rule, S, labels)
        adam.update(gradients, recipe.learning_rate * (1 + np.cos(np.pi * progress)) / 2)
    return network


def tuned(
    recipe: GLMRecipe, rule: Rule, dataset: DataSet, network: GLMNetwork, devices: Devices
) -> GLMNetwork:
    """``network`` in weights of few devices.

    Weights are rounded in the forward pass while float64 ones are trained on (straight-through);
    the bias stays in float64: it is a register of the neuron, not a synapse. The step between
    values is chosen once.
    """
    kept, bias = network.weights.copy(), network.bias.copy()
    step = device_step(dataset, network, devices.count)
    adam = Adam((kept, bias))
    for S, labels, progress in mini_batches(recipe, dataset, devices.epochs):
        rounded = GLMNetwork(network.basis, quantised(kept, devices.count, step), bias)
        gradients = _gradients(rounded, rule, S, labels)
        adam.update(gradients, recipe.learning_rate * (1 - progress) / 2)
    return GLMNetwork(network.basis, quantised(kept, devices.count, step), bias)


def device_step(dataset: DataSet, network: GLMNetwork, devices: int) -> float:
    """Step between the values of devices, by how often each input spikes in training."""
    use = dataset.train.inputs.reshape(-1, len(network.weights)).mean(0)[:, None, None]
    return best_step(network.weights, devices, use)


def mini_batches(
    recipe: GLMRecipe, dataset: DataSet, epochs: int
) -> Iterator[tuple[Array, Classes, float]]:
    """Mini-batches S and labels of all epochs, and the share of training that is behind."""
    train = dataset.train
    for epoch in range(epochs):
        rng = np.random.default_rng((recipe.seed, epoch))
        order = rng.permutation(len(train.labels))
        for number, start in enumerate(range(0, len(order), recipe.training_batch)):
            chosen = order[start : start + recipe.training_batch]
            batch = DataSplit(train.inputs[chosen], train.labels[chosen])
            S = input_spikes(dataset, batch, recipe.steps, (recipe.seed, epoch, number))
            yield S, batch.labels, (epoch + start / len(order)) / epochs


def _gradients(network: GLMNetwork, rule: Rule, S: Array, labels: Classes) -> tuple[Array, Array]:
    """Mean gradients of weights and bias over the mini-batch."""
    _, dU = loss_and_gradient(rule, network.potentials(S), labels)
    return network.gradient(S, dU / len(labels))

"""Train a recipe on MNIST and record three of its iterations: start, middle and end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import cos, pi
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tlm.workload.dataset import Digits
from tlm.workload.model import Layer, Recording
from tlm.workload.network import forward, initial_weights, layer_current, lif, pooled
from tlm.workload.recipe import Recipe
from tlm.workload.recorder import loss, record_iteration

if TYPE_CHECKING:
    from torch import Tensor

Progress: TypeAlias = Callable[[int, int], None]
"""Called with (iterations done, iterations in all)."""

_SCALE_BATCHES = 4
_TEST_BATCH = 250


@dataclass(frozen=True, eq=False)
class Trained:
    """What a training run leaves: its recordings and the test accuracy (0..1)."""

    recordings: tuple[Recording, ...]
    accuracy: float


def train(recipe: Recipe, digits: Digits, progress: Progress | None = None) -> Trained:
    """Train with Adam and a cosine learning rate; deterministic (one thread, seeded)."""
    import torch

    torch.set_num_threads(1)
    weights = initial_weights(recipe.layers, recipe.seed)
    images = torch.from_numpy(digits.train_images).reshape(-1, *recipe.layers[0].in_shape)
    labels = torch.from_numpy(digits.train_labels)
    batches = _batches(recipe, len(labels))
    scale_weights(
        recipe, weights, images[torch.from_numpy(np.concatenate(batches[:_SCALE_BATCHES]))]
    )
    recordings = _run(recipe, weights, images, labels, batches, progress)
    return Trained(recordings, _accuracy(recipe, weights, digits))


def scale_weights(recipe: Recipe, weights: Sequence[Tensor], images: Tensor) -> None:
    """Scale the layers in place to the input currents the recipe asks for (LSUV).

    The last layer's currents are centred on the threshold as well: with a compact surrogate
    a class that starts far from it never receives a gradient and stays silent.
    """
    import torch

    signal = images
    with torch.no_grad():
        for layer, weight in zip(recipe.layers, weights, strict=True):
            last = layer is recipe.layers[-1]
            if last:
                _shift_mean(weight, signal, 0.0)
            current = layer_current(layer, weight, signal, recipe.steps)
            weight.mul_((recipe.output_std if last else recipe.current_std) / current.std())
            if last:
                _shift_mean(weight, signal, layer.neuron.threshold)
            current = layer_current(layer, weight, signal, recipe.steps)
            signal = pooled(layer, lif(layer.neuron, current))


def _shift_mean(weight: Tensor, signal: Tensor, target: float) -> None:
    """Move each row of a linear ``weight`` along the mean input until its mean current fits."""
    rows = weight.flatten(1)
    mean = signal.reshape(-1, rows.shape[1]).mean(0)
    missing = target - rows @ mean
    rows.add_(missing.outer(mean) / mean.dot(mean))


def _batches(recipe: Recipe, samples: int) -> list[NDArray[np.int64]]:
    """Sample indices of every iteration, a new order each epoch; a short rest is left out."""
    generator = np.random.default_rng(recipe.seed)
    size = recipe.training_batch
    used = samples // size * size
    orders = [generator.permutation(samples)[:used] for _ in range(recipe.epochs)]
    return list(np.concatenate(orders).reshape(-1, size))


def _run(
    recipe: Recipe,
    weights: Sequence[Tensor],
    images: Tensor,
    labels: Tensor,
    batches: Sequence[NDArray[np.int64]],
    progress: Progress | None,
) -> tuple[Recording, ...]:
    import torch

    total = len(batches)
    recorded = {0, total // 2, total - 1}
    optimizer = torch.optim.Adam(list(weights), lr=recipe.learning_rate)
    recordings = []
    for iteration, batch in enumerate(batches):
        chosen = torch.from_numpy(batch)
        if iteration in recorded:
            few = chosen[: recipe.batch]
            pair = images[few], labels[few]
            recordings.append(
                record_iteration(recipe.layers, weights, *pair, recipe.steps, iteration)
            )
        optimizer.param_groups[0]["lr"] = recipe.learning_rate * _cosine(iteration, total)
        optimizer.zero_grad()
        rate = forward(recipe.layers, weights, images[chosen], recipe.steps)
        torch.autograd.backward(loss(rate, labels[chosen]))
        optimizer.step()
        if progress is not None:
            progress(iteration + 1, total)
    return tuple(recordings)


def _cosine(iteration: int, total: int) -> float:
    return (1 + cos(pi * iteration / total)) / 2


def _accuracy(recipe: Recipe, weights: Sequence[Tensor], digits: Digits) -> float:
    import torch

    layers: Sequence[Layer] = recipe.layers
    images = torch.from_numpy(digits.test_images).reshape(-1, *layers[0].in_shape)
    labels = torch.from_numpy(digits.test_labels)
    right = 0
    with torch.no_grad():
        for first in range(0, len(labels), _TEST_BATCH):
            part = slice(first, first + _TEST_BATCH)
            rate = forward(layers, weights, images[part], recipe.steps)
            right += int((rate.argmax(1) == labels[part]).sum())
    return right / len(labels)

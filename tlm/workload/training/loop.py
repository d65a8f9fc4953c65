"""Train a recipe's network, with its first, middle and last iteration recorded on the way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import cos, pi
from typing import Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tlm.workload.blocks import Attention
from tlm.workload.recipe import Recipe, TrainedRecipe
from tlm.workload.training.attention import NORMS_START
from tlm.workload.training.datasets import DataSet, DataSplit, coded
from tlm.workload.training.scaling import scale_weights
from tlm.workload.training.torchnet import build

Progress: TypeAlias = Callable[[int, int], None]
"""Called with (iterations done, iterations in all)."""

DEFAULT_START = "torch's default"
_SCALE_BATCHES = 4
_TEST_BATCH = 250


class Recorder(Protocol):
    """What brackets the forward and backward pass of a recorded iteration."""

    def at(self, iteration: int) -> AbstractContextManager[object]:
        """Context in which exactly one forward and backward pass runs."""


@dataclass(frozen=True, eq=False)
class TrainingJob(ABC):
    """A network ready to be trained on its data, and the samples of every iteration."""

    recipe: TrainedRecipe
    dataset: DataSet
    network: nn.Module
    batches: Sequence[NDArray[np.int64]]

    @property
    def recorded(self) -> tuple[int, int, int]:
        """The first, the middle and the last iteration."""
        return 0, len(self.batches) // 2, len(self.batches) - 1

    @property
    @abstractmethod
    def start(self) -> str:
        """How the initial weights were made, in words."""

    @property
    @abstractmethod
    def aim(self) -> str:
        """What the loss is, in words."""

    @abstractmethod
    def loss(self, chosen: NDArray[np.int64], iteration: int) -> Tensor:
        """Loss of a forward pass of the ``chosen`` samples for training, in ``iteration``."""

    @abstractmethod
    def accuracy(self) -> float:
        """Share of the test part that is answered right, 0..1."""


@dataclass(frozen=True, eq=False)
class Classification(TrainingJob):
    """A network that learns to name the class of a sample."""

    recipe: Recipe
    aim = "cross-entropy on the mean output over all steps"

    @property
    def start(self) -> str:
        """How the initial weights were made, in words."""
        scaling = self.recipe.scaling
        if scaling is None:
            attends = any(isinstance(block, Attention) for block in self.recipe.blocks)
            return f"{DEFAULT_START}, {NORMS_START}" if attends else DEFAULT_START
        return f"LSUV, input current std {scaling.current_std:g}, last layer {scaling.output_std:g}"

    def inputs(self, split: DataSplit, chosen: NDArray[np.int64] | slice, *seed: int) -> Tensor:
        """Coded input of the ``chosen`` samples; rate coding draws from ``seed``."""
        recipe = self.recipe
        drawn = coded(
            self.dataset, split, chosen, recipe.encoding, recipe.steps, (recipe.seed, *seed)
        )
        layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
        return torch.from_numpy(drawn).contiguous(memory_format=layout)

    def loss(self, chosen: NDArray[np.int64], iteration: int) -> Tensor:
        """Cross-entropy of the mean output."""
        labels = torch.from_numpy(self.dataset.train.labels[chosen])
        outputs = self.network(self.inputs(self.dataset.train, chosen, 1, iteration))
        return cross_entropy(outputs, labels)

    def accuracy(self) -> float:
        """Share of the test samples that are classified right, 0..1."""
        network, test = self.network, self.dataset.test
        network.eval()
        right = 0
        with torch.no_grad():
            for first in range(0, len(test.labels), _TEST_BATCH):
                part = slice(first, first + _TEST_BATCH)
                labels = torch.from_numpy(test.labels[part])
                outputs = network(self.inputs(test, part, 2, first))
                right += int((outputs.argmax(1) == labels).sum())
        network.train()
        return right / len(test.labels)


def prepare(recipe: Recipe, dataset: DataSet) -> Classification:
    """The recipe's network with initial weights; deterministic (one thread, seeded)."""
    torch.set_num_threads(1)
    torch.manual_seed(recipe.seed)
    in_shape = dataset.train.inputs.shape[-3:]
    network = build(recipe.blocks, in_shape, recipe.steps, recipe.neuron, recipe.norm)
    job = Classification(recipe, dataset, network, batches(recipe, len(dataset.train.labels)))
    if recipe.scaling is not None:
        first = np.concatenate(job.batches[:_SCALE_BATCHES])
        scale_weights(network, job.inputs(dataset.train, first, 0), recipe.scaling, recipe.seed)
    if recipe.channels_last:
        for weights in (tensor for tensor in network.parameters() if tensor.dim() == 4):
            weights.data = weights.data.contiguous(memory_format=torch.channels_last)
    return job


def train(job: TrainingJob, recorder: Recorder, progress: Progress | None = None) -> None:
    """Train with Adam and a cosine learning rate, recording what ``job.recorded`` names."""
    recipe, total = job.recipe, len(job.batches)
    optimizer = torch.optim.Adam(job.network.parameters(), lr=recipe.learning_rate)
    for iteration in range(total):
        if iteration in job.recorded:
            record_iteration(job, recorder, iteration)
        optimizer.param_groups[0]["lr"] = recipe.learning_rate * _cosine(iteration, total)
        train_iteration(job, optimizer, iteration)
        if progress is not None:
            progress(iteration + 1, total)


def train_iteration(job: TrainingJob, optimizer: torch.optim.Optimizer, iteration: int) -> None:
    """One forward and backward pass of an iteration's mini-batch, and the update."""
    optimizer.zero_grad()
    torch.autograd.backward(job.loss(job.batches[iteration], iteration))
    optimizer.step()


def record_iteration(job: TrainingJob, recorder: Recorder, iteration: int) -> None:
    """Record the pass of the first B samples of an iteration's mini-batch.

    Training is not affected: running statistics of the norms are put back.
    """
    samples = job.batches[iteration][: job.recipe.batch]
    kept = [buffer.clone() for buffer in job.network.buffers()]
    with recorder.at(iteration):
        torch.autograd.backward(job.loss(samples, iteration))
    for buffer, before in zip(job.network.buffers(), kept, strict=True):
        buffer.copy_(before)


def batches(recipe: TrainedRecipe, samples: int) -> list[NDArray[np.int64]]:
    """Sample indices of every iteration, a new order each epoch; a short rest is left out."""
    generator = np.random.default_rng(recipe.seed)
    size = recipe.training_batch
    used = samples // size * size
    orders = [generator.permutation(samples)[:used] for _ in range(recipe.epochs)]
    return list(np.concatenate(orders).reshape(-1, size))


def _cosine(iteration: int, total: int) -> float:
    return (1 + cos(pi * iteration / total)) / 2

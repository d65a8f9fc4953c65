"""The training of a detection recipe."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tlm.workload.recipe import DetectionRecipe
from tlm.workload.training.datasets import DataSet
from tlm.workload.training.detection.loss import box_loss, detections
from tlm.workload.training.detection.network import Detector
from tlm.workload.training.detection.scenes import scenes
from tlm.workload.training.loop import DEFAULT_START, TrainingJob, batches

_EVENT_POLARITIES, _DIGITS = 2, 10


@dataclass(frozen=True, eq=False)
class Detection(TrainingJob):
    """A detector that learns to say where a digit is, and which."""

    recipe: DetectionRecipe
    start = DEFAULT_START
    aim = "objectness, box and class of cells, by their mean answers over all steps"

    def loss(self, chosen: NDArray[np.int64], iteration: int) -> Tensor:
        """Loss of the answers; each iteration sees the recordings at other places."""
        recipe = self.recipe
        seen = scenes(self.dataset.train, chosen, recipe.side, (recipe.seed, 1, iteration))
        return box_loss(self.network(seen.events), seen)

    def accuracy(self) -> float:
        """Share of the test scenes whose digit is named and placed right: one a recording."""
        recipe, test = self.recipe, self.dataset.test
        seen = scenes(test, slice(len(test.labels)), recipe.side, (recipe.seed, 2))
        self.network.eval()
        with torch.no_grad():
            right = detections(self.network(seen.events)).right(seen)
        self.network.train()
        return float(right.double().mean())


def prepare_detection(recipe: DetectionRecipe, dataset: DataSet) -> Detection:
    """The recipe's detector with initial weights; deterministic (one thread, seeded)."""
    torch.set_num_threads(1)
    torch.manual_seed(recipe.seed)
    network = Detector(_EVENT_POLARITIES, recipe.width, _DIGITS, recipe.neuron, recipe.steps)
    return Detection(recipe, dataset, network, batches(recipe, len(dataset.train.labels)))

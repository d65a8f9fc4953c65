"""Rounds of FedAvg beside what they must equal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tlm.workload.federated import Compression, FederatedSplit, WorkerData
from tlm.workload.recipe import FederatedRecipe
from tlm.workload.training.datasets import load

torch = pytest.importorskip("torch", reason="needs the extra 'capture'")


def ignore(iterations: int) -> None:
    """What training calls to say how far it is."""


def split_of(parts: list[np.ndarray], iterations: int, rounds: int) -> FederatedSplit:
    """Workers of ``parts``, whose classes no training reads."""
    workers = tuple(WorkerData(len(part), (len(part),), (iterations,) * rounds) for part in parts)
    return FederatedSplit("iid", None, workers, (1,))


def test_one_worker_is_plain_training(recipe: FederatedRecipe, data: Path) -> None:
    """A round of one worker leaves the weights, and the accuracy, of an Adam loop of its own."""
    from torch.nn.functional import cross_entropy

    from tlm.workload.training.federated.averaging import federate, train_federated, weights_of
    from tlm.workload.training.loop import prepare

    dataset = load("mnist", data, 3)
    job = prepare(recipe.local, dataset)
    part = np.arange(160)
    federation = federate(job, split_of([part], 12, 1), [part])
    reached = train_federated(federation, Compression.of("none"), [{}], ignore)
    averaged = weights_of(job)

    plain = prepare(recipe.local, dataset)
    assert torch.equal(weights_of(plain), federation.initial)
    assert plain.accuracy() == reached[0]
    optimizer = torch.optim.Adam(plain.network.parameters(), lr=recipe.local.learning_rate)
    for batch in federation.jobs[0].batches:
        optimizer.zero_grad()
        images = torch.from_numpy(dataset.train.inputs[batch] / np.float32(255))
        cross_entropy(
            plain.network(images), torch.from_numpy(dataset.train.labels[batch])
        ).backward()
        optimizer.step()
    # Start + (end - start) is rounded twice.
    assert torch.allclose(averaged, weights_of(plain), rtol=0, atol=1e-7)
    assert plain.accuracy() == reached[1]
    assert reached[1] > reached[0]


def test_a_round_is_the_weighted_mean_of_its_workers(recipe: FederatedRecipe, data: Path) -> None:
    """Each worker trained alone from the same start; their weights averaged by samples."""
    from tlm.workload.training.federated.averaging import (
        federate,
        set_weights,
        train_federated,
        weights_of,
    )
    from tlm.workload.training.loop import prepare, train_iteration

    dataset = load("mnist", data, 3)
    parts = [np.arange(40), np.arange(40, 160)]
    job = prepare(recipe.local, dataset)
    together = federate(job, split_of(parts, 5, 1), parts)
    train_federated(together, Compression.of("none"), [{}, {}], ignore)
    averaged = weights_of(job)

    alone = []
    for worker in together.jobs:
        set_weights(job, together.initial)
        optimizer = torch.optim.Adam(job.network.parameters(), lr=recipe.local.learning_rate)
        for iteration in range(5):
            train_iteration(worker, optimizer, iteration)
        alone.append(weights_of(job))
    assert not torch.equal(alone[0], alone[1])
    assert torch.allclose(averaged, (alone[0] + 3 * alone[1]) / 4, rtol=0, atol=1e-6)


def test_equal_weights_give_the_mean() -> None:
    """And a worker of more samples counts more."""
    from tlm.workload.training.federated.averaging import weighted_mean

    differences = [torch.tensor([1.0, 3.0]), torch.tensor([3.0, -1.0])]
    assert weighted_mean(differences, [7, 7]).tolist() == [2.0, 1.0]
    assert weighted_mean(differences, [1, 3]).tolist() == [2.5, 0.0]


def test_compression_changes_the_course(recipe: FederatedRecipe, data: Path) -> None:
    """Sending a tenth reaches something else than sending all, and learns too."""
    from tlm.workload.training.federated.averaging import federate, train_federated, weights_of
    from tlm.workload.training.loop import prepare

    dataset = load("mnist", data, 3)
    parts = [np.arange(0, 160, 2), np.arange(1, 160, 2)]
    job = prepare(recipe.local, dataset)
    federation = federate(job, split_of(parts, 10, 3), parts)
    ends = []
    for name in ("none", "fp16", "top-0.1", "none"):
        reached = train_federated(federation, Compression.of(name), [{}, {}], ignore)
        assert reached[-1] > reached[0] + 0.2
        ends.append(weights_of(job))
    assert torch.equal(ends[0], ends[3])  # the same again: nothing is left of other variants
    assert not torch.equal(ends[0], ends[1])
    assert torch.allclose(ends[0], ends[1], rtol=0, atol=0.1)
    assert torch.equal(ends[2], ends[2].half().float())

"""Workers that train in rounds, and the server's mean of what they send."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tlm.workload.federated.compression import Compression
from tlm.workload.federated.model import FederatedSplit
from tlm.workload.training.federated.split import Samples, worker_batches
from tlm.workload.training.federated.upload import Uplink, rounded_download
from tlm.workload.training.loop import (
    Recorder,
    TrainingJob,
    record_iteration,
    train_iteration,
)


@dataclass(frozen=True, eq=False)
class Federation:
    """A split, ready to be trained: a job for each worker, which all share one network module.

    A job's batches are those of all rounds. ``initial`` [parameters] are the weights to start
    from.
    """

    split: FederatedSplit
    jobs: Sequence[TrainingJob]
    initial: Tensor


def federate(job: TrainingJob, split: FederatedSplit, parts: Sequence[Samples]) -> Federation:
    """The workers of ``split``, with ``parts`` of the data of ``job``.

    They start from the weights that its network has now.
    """
    batches = [
        worker_batches(part, job.recipe.training_batch, sum(data.iterations), (job.recipe.seed, at))
        for at, (part, data) in enumerate(zip(parts, split.workers, strict=True))
    ]
    jobs = [replace(job, batches=of_worker) for of_worker in batches]
    return Federation(split, jobs, weights_of(job))


def train_federated(
    federation: Federation,
    compression: Compression,
    recorders: Sequence[Mapping[int, Sequence[Recorder]]],
    on_trained: Callable[[int], None],
) -> tuple[float, ...]:
    """Accuracy of the global model before the first and after each round.

    ``recorders`` says by worker and iteration who records it; ``on_trained`` is called with the
    iterations that a worker has trained in a round.
    """
    split, job = federation.split, federation.jobs[0]
    weights = federation.initial
    uplinks = [Uplink(compression, len(weights)) for _ in federation.jobs]
    samples = [worker.samples for worker in split.workers]
    model = rounded_download(weights, compression)
    reached = [_reached(job, model)]
    for number in range(1, len(split.workers[0].iterations) + 1):
        sent = []
        for worker, uplink in enumerate(uplinks):
            set_weights(federation.jobs[worker], model)
            _train_round(federation, worker, number, recorders[worker])
            sent.append(uplink.sent(weights_of(federation.jobs[worker]) - model))
            on_trained(split.workers[worker].iterations[number - 1])
        weights = weights + weighted_mean(sent, samples)
        model = rounded_download(weights, compression)
        reached.append(_reached(job, model))
    return tuple(reached)


def weighted_mean(differences: Sequence[Tensor], samples: Sequence[int]) -> Tensor:
    """Mean of the workers' differences, each weighted by its samples."""
    total = torch.zeros_like(differences[0])
    for difference, count in zip(differences, samples, strict=True):
        total += difference * (count / sum(samples))
    return total


def weights_of(job: TrainingJob) -> Tensor:
    """All that is trained, as one vector: a copy."""
    return torch.cat([weights.detach().reshape(-1) for weights in job.network.parameters()])


def set_weights(job: TrainingJob, vector: Tensor) -> None:
    """Put the numbers of ``vector`` into the network, in the order of :func:`weights_of`."""
    parameters = list(job.network.parameters())
    pieces = vector.split([weights.numel() for weights in parameters])
    with torch.no_grad():
        for weights, piece in zip(parameters, pieces, strict=True):
            weights.copy_(piece.reshape(weights.shape))


def _train_round(
    federation: Federation, worker: int, number: int, recorders: Mapping[int, Sequence[Recorder]]
) -> None:
    """The local iterations of one worker; Adam's state is new, the learning rate constant."""
    job, split = federation.jobs[worker], federation.split
    optimizer = torch.optim.Adam(job.network.parameters(), lr=job.recipe.learning_rate)
    first = split.first_iteration(worker, number)
    for iteration in range(first, split.first_iteration(worker, number + 1)):
        for recorder in recorders.get(iteration, ()):
            record_iteration(job, recorder, iteration)
        train_iteration(job, optimizer, iteration)


def _reached(job: TrainingJob, weights: Tensor) -> float:
    set_weights(job, weights)
    return job.accuracy()

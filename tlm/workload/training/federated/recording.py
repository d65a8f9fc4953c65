"""Train every variant of a federated recipe and write its folder."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from shutil import rmtree

import numpy as np

from tlm.errors import WorkloadError, write_errors
from tlm.workload.capture.capture import versions
from tlm.workload.federated.compression import Compression, download_nbytes, upload_nbytes
from tlm.workload.federated.model import (
    NON_IID,
    FederatedSplit,
    FederatedVariant,
    SplitName,
    WorkerData,
)
from tlm.workload.federated.read import FILE_NAME, SCHEMA, SCHEMA_VERSION, read_federated
from tlm.workload.recipe import FederatedRecipe
from tlm.workload.training.datasets import DataSet, DataSplit, load
from tlm.workload.training.federated.averaging import Federation, federate, train_federated
from tlm.workload.training.federated.jobs import RECORDED, WorkerCaptures
from tlm.workload.training.federated.split import Samples, dirichlet_split, iid_split
from tlm.workload.training.loop import Progress, TrainingJob, prepare

UNCOMPRESSED = "none"
"""The variant of which iterations are recorded."""


def record_federated(
    recipe: FederatedRecipe, data: Path | None, out: Path, progress: Progress | None = None
) -> Path:
    """Train all variants of ``recipe`` and write the folder ``out``, whole or not at all.

    Raises WorkloadError if ``out`` exists or cannot be written, if the data are missing, or if the
    recipe has a norm, no variant without compression, or rounds to record that are not trained.
    """
    if out.exists():
        raise WorkloadError(f"{out} exists; give another folder, or remove it")
    _check(recipe)
    dataset = _shortened(recipe, load(recipe.local.dataset, data, recipe.local.steps))
    job = prepare(recipe.local, dataset)
    with _whole_folder(out) as folder:
        _train_all(recipe, job, folder, progress)
        read_federated(folder)
    return out


def _shortened(recipe: FederatedRecipe, dataset: DataSet) -> DataSet:
    """The data set with ``recipe.test_samples`` of its test part."""
    test, count = dataset.test, recipe.test_samples
    if count is None or count >= len(test.labels):
        return dataset
    chosen = np.random.default_rng(recipe.local.seed).permutation(len(test.labels))[:count]
    return replace(dataset, test=DataSplit(test.inputs[chosen], test.labels[chosen]))


@contextmanager
def _whole_folder(out: Path) -> Iterator[Path]:
    """A folder beside ``out`` to write to, which becomes ``out`` in the end."""
    part = out.with_name(f".{out.name}.{secrets.token_hex(4)}")
    with write_errors(out, WorkloadError):
        part.mkdir(parents=True)
        try:
            yield part
            part.rename(out)
        except BaseException:
            rmtree(part)
            raise


def _check(recipe: FederatedRecipe) -> None:
    """Refuse what would end in no folder, before anything is trained."""
    names = [Compression.of(name).name for name in recipe.compressions]
    if UNCOMPRESSED not in names or len(set(names)) < len(names):
        raise WorkloadError(f"{recipe.name}: expected compressions none and others, each once")
    for rounds in (recipe.recorded, recipe.recorded_iid):
        if rounds[:1] != (1,) or [*rounds] != sorted({*rounds}) or rounds[-1] > recipe.rounds:
            raise WorkloadError(
                f"{recipe.name}: expected recorded rounds that rise from 1 to at most "
                f"{recipe.rounds}, got {rounds}"
            )
    if recipe.round_iterations < 1:
        raise WorkloadError(f"{recipe.name}: expected 1 or more iterations of the first round")
    if recipe.local.norm:  # running statistics are not sent: they have no mean
        raise WorkloadError(f"{recipe.name}: expected a network without batch normalisation")


def _train_all(
    recipe: FederatedRecipe, job: TrainingJob, folder: Path, progress: Progress | None
) -> None:
    federations = [
        federate(job, _described(recipe, job.dataset, name, parts), parts)
        for name, parts in _splits(recipe, job.dataset).items()
    ]
    count = _counter(recipe, federations, progress)
    variants = []
    for federation in federations:
        first = federation is federations[0]
        captures = WorkerCaptures(federation, recipe.round_iterations if first else 0)
        for name in recipe.compressions:
            compression, recorded = Compression.of(name), name == UNCOMPRESSED
            recorders = captures.recorders() if recorded else [{} for _ in federation.jobs]
            accuracy = train_federated(federation, compression, recorders, count)
            variants.append(_variant(federation, compression, accuracy))
            if recorded:
                words = _provenance(recipe, job.dataset)
                captures.save(folder, recipe.name, accuracy[-1], words)
    _write(folder / FILE_NAME, recipe, federations, variants)


def _splits(recipe: FederatedRecipe, dataset: DataSet) -> dict[SplitName, list[Samples]]:
    """Parts of the training data by split; both are drawn from the recipe's seed."""
    labels, seed = dataset.train.labels, (recipe.local.seed,)
    least = recipe.local.training_batch
    return {
        NON_IID: dirichlet_split(labels, recipe.workers, recipe.alpha, least, seed),
        "iid": iid_split(len(labels), recipe.workers, seed),
    }


def _described(
    recipe: FederatedRecipe, dataset: DataSet, name: SplitName, parts: Sequence[Samples]
) -> FederatedSplit:
    labels, local = dataset.train.labels, recipe.local
    classes = int(labels.max()) + 1
    workers = []
    for part in parts:
        whole = local.epochs * (len(part) // local.training_batch)
        counts = (recipe.local_iterations or whole,) * recipe.rounds
        histogram = np.bincount(labels[part], minlength=classes)
        workers.append(WorkerData(len(part), tuple(histogram.tolist()), counts))
    if name == NON_IID:
        return FederatedSplit(name, recipe.alpha, tuple(workers), recipe.recorded)
    return FederatedSplit(name, None, tuple(workers), recipe.recorded_iid)


def _counter(
    recipe: FederatedRecipe, federations: Sequence[Federation], progress: Progress | None
) -> Callable[[int], None]:
    """What adds up the iterations trained, for ``progress``."""
    workers = [worker for federation in federations for worker in federation.split.workers]
    total = sum(sum(worker.iterations) for worker in workers) * len(recipe.compressions)
    done = 0

    def count(iterations: int) -> None:
        nonlocal done
        done += iterations
        if progress is not None:
            progress(done, total)

    return count


def _variant(
    federation: Federation, compression: Compression, accuracy: tuple[float, ...]
) -> FederatedVariant:
    parameters = len(federation.initial)
    return FederatedVariant(
        split=federation.split.name,
        compression=compression,
        accuracy=accuracy,
        upload_nbytes=upload_nbytes(parameters, compression),
        download_nbytes=download_nbytes(parameters, compression),
    )


def _write(
    path: Path,
    recipe: FederatedRecipe,
    federations: Sequence[Federation],
    variants: Sequence[FederatedVariant],
) -> None:
    dataset = federations[0].jobs[0].dataset
    content = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "name": recipe.name,
        "dataset": dataset.title,
        "licence": dataset.licence,
        "network": recipe.local.name,
        "parameters": len(federations[0].initial),
        "workers": recipe.workers,
        "rounds": recipe.rounds,
        "splits": [asdict(federation.split) for federation in federations],
        "variants": [
            {**asdict(variant), "compression": variant.compression.name} for variant in variants
        ],
        "provenance": {**_provenance(recipe, dataset), "versions": versions()},
    }
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _provenance(recipe: FederatedRecipe, dataset: DataSet) -> dict[str, str]:
    local = recipe.local
    length = (
        f"local epochs {local.epochs}"
        if recipe.local_iterations is None
        else f"local iterations {recipe.local_iterations}"
    )
    started = (
        "torch's default"
        if local.scaling is None
        else f"LSUV, input current std {local.scaling.current_std:g}, last layer "
        f"{local.scaling.output_std:g}, on samples of all workers"
    )
    return {
        "recipe": recipe.name,
        "data": dataset.source,
        "pixel scaling": f"(pixel - {dataset.offset:g}) / {dataset.scale:g}",
        "training": (
            f"FedAvg, {recipe.workers} workers, {recipe.rounds} rounds, in each {length} with "
            f"mini-batches of {local.training_batch}; Adam, learning rate "
            f"{local.learning_rate:g}, its state new in each round; seed {local.seed}; "
            "cross-entropy on the mean output over all steps"
        ),
        "mean": "differences weighted by the samples of each worker, in FP32",
        "recorded": RECORDED,
        "initial weights": started,
        "accuracy": f"{len(dataset.test.labels)} test samples, the model that workers receive",
    }

"""A small recorded federated run with random tensors: two layers, a few workers, three rounds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from tests.workload.conftest import random_recording
from tlm.workload import Workload, write_workload
from tlm.workload.builder import Builder
from tlm.workload.federated import Compression, download_nbytes, upload_nbytes
from tlm.workload.model import Layer
from tlm.workload.surrogate import lif_neuron

PARAMETERS = 20 * 30 + 30 * 10
ROUNDS = 4
RECORDED = (1, 2)
COMPRESSIONS = ("none", "fp16", "top-0.1")
SMALL_CHIP = """extends: neuromc-20
name: {name}
cores: 4
mesh: {{columns: 2, rows: 2}}
core: {{clock: {clock} MHz}}
noc: {{clock: {clock} MHz}}
"""


def layers() -> tuple[Layer, ...]:
    """Two linear layers without biases."""
    net = Builder((20, 1, 1), lif_neuron(), analog=False)
    net.linear(30)
    net.linear(10)
    return tuple(net.layers)


def counts(worker: int, split: str) -> list[int]:
    """Local iterations of each round: more for a higher number, alike if identical."""
    return [3 + (worker if split == "dirichlet" else 0)] * ROUNDS


def write_recording(folder: Path, workers: int = 3) -> Path:
    """The recording's folder."""
    folder.mkdir(parents=True)
    splits = []
    for split, alpha in (("dirichlet", 0.3), ("iid", None)):
        (folder / split).mkdir()
        rows = []
        for worker in range(workers):
            each = counts(worker, split)
            middles = tuple(sum(each[: r - 1]) + each[r - 1] // 2 for r in RECORDED)
            write_job(folder / split / f"worker{worker}.h5", middles, worker)
            samples = 16 * each[0]
            rows.append({"samples": samples, "classes": [samples], "iterations": each})
        splits.append({"name": split, "alpha": alpha, "recorded": list(RECORDED), "workers": rows})
    write_job(folder / "worker0-round1.h5", (0, 2), 0)
    content = {
        "schema": "tlm-federated", "schema_version": 1, "name": folder.name, "dataset": "random",
        "licence": "CC0", "network": "small", "parameters": PARAMETERS, "workers": workers,
        "rounds": ROUNDS, "splits": splits, "variants": list(map(variant, pairs())),
        "provenance": {"written by": "a test"},
    }  # fmt: skip
    (folder / "federated.json").write_text(json.dumps(content, allow_nan=False))
    return folder


def pairs() -> list[tuple[str, str]]:
    """Splits and compressions."""
    return [(split, name) for split in ("dirichlet", "iid") for name in COMPRESSIONS]


def variant(pair: tuple[str, str]) -> dict[str, object]:
    """One trained variant: its accuracy rises."""
    compression = Compression.of(pair[1])
    return {
        "split": pair[0],
        "compression": pair[1],
        "accuracy": [0.1 + 0.2 * number for number in range(ROUNDS + 1)],
        "upload_nbytes": upload_nbytes(PARAMETERS, compression),
        "download_nbytes": download_nbytes(PARAMETERS, compression),
    }


def write_job(path: Path, iterations: tuple[int, ...], seed: int) -> Workload:
    """A job of random masks that go by ``seed``."""
    job = Workload(
        path=path, name=path.stem, layers=layers(), steps=3, batch=4, dataset="random",
        licence="CC0", accuracy=0.5, optimizer="adam", encoding="rate", iterations=iterations,
        levels=("bits",) * len(iterations), provenance={"written by": "a test"}, sha256="",
    )  # fmt: skip
    recordings = [random_recording(job, number + 1000 * seed) for number in iterations]
    recordings = [
        replace(recording, iteration=number)
        for recording, number in zip(recordings, iterations, strict=True)
    ]
    return write_workload(job, recordings)


def write_chip(path: Path, clock: int = 500) -> Path:
    """A chip of four cores."""
    path.write_text(SMALL_CHIP.format(name=path.stem, clock=clock))
    return path

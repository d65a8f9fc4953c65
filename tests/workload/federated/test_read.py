"""The folder of a federated run: opened whole, or refused on one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.workload.conftest import random_recording
from tlm.errors import WorkloadError
from tlm.workload import Workload, write_workload
from tlm.workload.federated import open_federated
from tlm.workload.model import Layer

PARAMETERS = 3 * 9 + 4 * 3 * 3 * 2


def content() -> dict[str, Any]:
    """Two workers, three rounds: what ``federated.json`` holds."""
    workers = [
        {"samples": 9, "classes": [9, 0], "iterations": [4, 4, 4]},
        {"samples": 5, "classes": [2, 3], "iterations": [1, 2, 2]},
    ]
    accuracy = [0.1, 0.5, 0.75, 1.0]
    variants = [
        {"split": "dirichlet", "compression": "none", "accuracy": accuracy,
         "upload_nbytes": 4 * PARAMETERS, "download_nbytes": 4 * PARAMETERS},
        {"split": "dirichlet", "compression": "fp16", "accuracy": accuracy,
         "upload_nbytes": 2 * PARAMETERS, "download_nbytes": 2 * PARAMETERS},
    ]  # fmt: skip
    return {
        "schema": "tlm-federated",
        "schema_version": 1,
        "name": "small",
        "dataset": "random",
        "licence": "CC0",
        "network": "c3-4",
        "parameters": PARAMETERS,
        "workers": 2,
        "rounds": 3,
        "splits": [{"name": "dirichlet", "alpha": 0.5, "recorded": [1, 3], "workers": workers}],
        "variants": variants,
        "provenance": {"written by": "a test"},
    }


def write_job(job: Workload, path: Path, iterations: tuple[int, ...]) -> None:
    """``job`` with random masks at ``iterations``."""
    path.parent.mkdir(exist_ok=True)
    levels = ("bits",) * len(iterations)
    placed = replace(job, path=path, iterations=iterations, levels=levels)
    write_workload(placed, [random_recording(job, at) for at in iterations])


@pytest.fixture
def folder(job: Workload, tmp_path: Path) -> Path:
    """A federated run whose jobs hold random masks."""
    run = tmp_path / "small"
    run.mkdir()
    (run / "federated.json").write_text(json.dumps(content()))
    write_job(job, run / "dirichlet" / "worker0.h5", (2, 10))
    write_job(job, run / "dirichlet" / "worker1.h5", (0, 4))
    write_job(job, run / "worker0-round1.h5", (0, 2, 3))
    return run


def test_a_run_says_which_iteration_stands_for_a_round(folder: Path) -> None:
    """The middle of the round, or of the latest recorded one before it."""
    run = open_federated(str(folder))
    assert (run.name, run.parameters, run.workers, run.rounds) == ("small", PARAMETERS, 2, 3)
    assert [run.iteration_of(0, number) for number in (1, 2, 3)] == [2, 2, 10]
    assert [run.iteration_of(1, number) for number in (1, 2, 3)] == [0, 0, 4]
    for worker in range(2):
        assert all(
            run.iteration_of(worker, number) in run.job(worker).iterations for number in (1, 2, 3)
        )
    assert run.variant("dirichlet", "fp16").upload_nbytes == 2 * PARAMETERS
    assert run.round_job.iterations == (0, 2, 3)


def test_what_is_not_there_is_named(folder: Path) -> None:
    """Workers, rounds, splits and compressions."""
    run = open_federated(str(folder))
    with pytest.raises(WorkloadError, match=r"no worker 2; expected 0\.\.1"):
        run.job(2)
    with pytest.raises(WorkloadError, match=r"no round 0; expected 1\.\.3"):
        run.iteration_of(0, 0)
    with pytest.raises(WorkloadError, match="no split 'iid'; there are: dirichlet"):
        run.job(0, "iid")
    with pytest.raises(WorkloadError, match=r"no compression 'top-0\.1'; there are: none, fp16"):
        run.variant("dirichlet", "top-0.1")
    with pytest.raises(WorkloadError, match='unknown federated run "fed-mnst"'):
        open_federated("fed-mnst")
    with pytest.raises(WorkloadError, match="expected the folder of a federated run"):
        open_federated("no/folder")


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda run: run.update(schema_version=2), "schema_version: expected 1, got 2"),
        (lambda run: run.update(schema="tlm-workload"), 'schema: expected "tlm-federated"'),
        (lambda run: run.update(more=1), "expected no key but"),
        (lambda run: run.pop("rounds"), 'expected a key "rounds"'),
        (lambda run: run.update(workers=0), "workers: expected a whole number"),
        (lambda run: run.update(workers=3), r"splits\[0\].workers: expected a list of 3, got 2"),
        (lambda run: run.update(parameters=98), "upload_nbytes: expected 392"),
        (lambda run: run["variants"].clear(), "variants: expected a list of one or more"),
        (lambda run: run["variants"].append(run["variants"][0]), "dirichlet none twice"),
        (lambda run: run["splits"].append(run["splits"][0]), "dirichlet twice"),
        (lambda run: run["variants"][0].update(split="iid"), 'split: expected "dirichlet"'),
        (lambda run: run["variants"][1].update(compression="fp8"), "expected none, fp16 or top-S"),
        (lambda run: run["variants"][1].update(upload_nbytes=1), "upload_nbytes: expected 198"),
        (lambda run: run["variants"][0]["accuracy"].pop(), "accuracy: expected a list of 4"),
        (lambda run: run["variants"][0]["accuracy"].__setitem__(2, 1.5), r"shares in 0\.\.1"),
        (lambda run: run["variants"][0]["accuracy"].__setitem__(2, -0.5), "number >= 0"),
        (lambda run: run["splits"][0].update(alpha=None), "alpha: expected dirichlet's alpha"),
        (lambda run: run["splits"][0].update(recorded=[2, 3]), "expected rising rounds from 1"),
        (lambda run: run["splits"][0].update(recorded=[1, 4]), r"a whole number in 1\.\.3"),
        (lambda run: run["splits"][0]["workers"][1].update(samples=6), "the sum of its classes"),
        (lambda run: run["splits"][0]["workers"][1]["classes"].append(0), "equally many classes"),
        (lambda run: run["splits"][0]["workers"][1]["iterations"].pop(), "expected a list of 3"),
        (lambda run: run["provenance"].update(host="a\tb"), "printable characters"),
    ],
)  # fmt: skip
def test_a_field_that_is_not_as_it_should_be(folder: Path, change: Change, text: str) -> None:
    """One line that names file, field, what was expected and what came."""
    changed = content()
    change(changed)
    (folder / "federated.json").write_text(json.dumps(changed))
    with pytest.raises(WorkloadError, match=text) as refusal:
        open_federated(str(folder))
    assert "\n" not in str(refusal.value)


def test_jobs_that_do_not_belong_together(folder: Path, job: Workload) -> None:
    """Missing, of another network, of other iterations, of another round."""

    def refused(text: str) -> None:
        with pytest.raises(WorkloadError, match=text) as refusal:
            open_federated(str(folder))
        assert "\n" not in str(refusal.value)

    worker = folder / "dirichlet" / "worker1.h5"
    write_job(job, worker, (0, 5))
    refused(r"worker1.h5: iterations: expected \[0, 4\], got \[0, 5\]")
    other: Layer = replace(job.layers[0], name="other")
    write_job(replace(job, layers=(other, *job.layers[1:])), worker, (0, 4))
    refused("worker1.h5: layers: expected that of .*worker0.h5, got another")
    write_job(replace(job, batch=4), worker, (0, 4))
    refused("worker1.h5: batch: expected that of")
    worker.unlink()
    refused("worker1.h5")
    write_job(job, worker, (0, 4))
    write_job(job, folder / "worker0-round1.h5", (0, 4))
    refused("worker0-round1.h5: iterations: expected iterations below 4")
    (folder / "federated.json").write_text("{")
    refused("not readable as JSON")
    (folder / "federated.json").unlink()
    refused("no such file")


def test_parameters_are_those_of_the_jobs(folder: Path) -> None:
    """Bytes on the wire follow from the network that is trained."""
    changed = content()
    changed["parameters"] = 98
    for variant, width in zip(changed["variants"], (4, 2), strict=True):
        variant["upload_nbytes"] = variant["download_nbytes"] = width * 98
    (folder / "federated.json").write_text(json.dumps(changed))
    with pytest.raises(WorkloadError, match=f"parameters: expected {PARAMETERS} as in its jobs"):
        open_federated(str(folder))

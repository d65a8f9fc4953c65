"""Recording a federated run: the folder it leaves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tlm.errors import WorkloadError
from tlm.workload.federated import open_federated
from tlm.workload.recipe import FederatedRecipe
from tlm.workload.training.record import record_recipe

pytest.importorskip("torch", reason="needs the extra 'capture'")


def test_a_folder_that_opens_and_repeats(recipe: FederatedRecipe, data: Path) -> None:
    """Workers learn, jobs hold the middle iterations, and the same recipe leaves the same bytes."""
    moved: list[tuple[int, int]] = []
    first = record_recipe(recipe, data, data / "run", lambda *at: moved.append(at))
    second = record_recipe(recipe, data, data / "again")
    names = sorted(path.relative_to(first) for path in first.rglob("*.*"))
    assert len(names) == 1 + 1 + 2 * 3
    assert names == sorted(path.relative_to(second) for path in second.rglob("*.*"))
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)
    assert moved[-1][0] == moved[-1][1]

    run = open_federated(str(first))
    assert (run.workers, run.rounds, run.parameters) == (3, 3, 784 * 24 + 24 * 10)
    assert run.variant("iid", "none").accuracy[-1] > 0.5
    assert [split.recorded for split in run.splits] == [(1, 2), (1, 3)]
    for split in run.splits:
        assert sum(worker.samples for worker in split.workers) == 160
        for at, worker in enumerate(split.workers):
            assert worker.iterations == (worker.samples // 8,) * 3
            count = worker.iterations[0]
            middles = [(round_ - 1) * count + count // 2 for round_ in split.recorded]
            assert run.job(at, split.name).iterations == tuple(middles)
    assert run.round_job.iterations[0] == 0
    assert run.job(0).iterations[0] in run.round_job.iterations


def test_the_same_iteration_is_recorded_the_same(recipe: FederatedRecipe, data: Path) -> None:
    """A worker's job and the job of its first round agree on the iteration that both hold."""
    run = open_federated(str(record_recipe(recipe, data, data / "run")))
    of_worker = run.job(0).load(0)
    place = run.round_job.iterations.index(of_worker.iteration)
    of_round = run.round_job.load(place)
    assert all((a == b).all() for a, b in zip(of_worker.dU, of_round.dU, strict=True))
    assert (of_worker.inputs == of_round.inputs).all()


def test_what_cannot_be_recorded_is_refused(recipe: FederatedRecipe, data: Path) -> None:
    """Before anything is trained, and nothing is left behind."""
    (data / "taken").mkdir()
    with pytest.raises(WorkloadError, match="exists; give another folder"):
        record_recipe(recipe, data, data / "taken")
    norm = replace(recipe, local=replace(recipe.local, norm=True, scaling=None))
    with pytest.raises(WorkloadError, match="without batch normalisation"):
        record_recipe(norm, data, data / "run")
    with pytest.raises(WorkloadError, match="expected compressions none and others"):
        record_recipe(replace(recipe, compressions=("fp16",)), data, data / "run")
    with pytest.raises(WorkloadError, match="unknown compression 'fp8'"):
        record_recipe(replace(recipe, compressions=("none", "fp8")), data, data / "run")
    for recorded in ((), (2,), (1, 4), (1, 3, 2)):
        with pytest.raises(WorkloadError, match="rounds that rise from 1 to at most 3"):
            record_recipe(replace(recipe, recorded=recorded), data, data / "run")
    many = replace(recipe, workers=40)
    with pytest.raises(WorkloadError, match="160 samples over 40 workers"):
        record_recipe(many, data, data / "run")
    assert {path.name for path in data.iterdir() if path.is_dir()} == {"taken"}

"""The federated runs in the box."""

from __future__ import annotations

import pytest

from tlm.workload.federated import FederatedRun, federated_names, open_federated
from tlm.workload.recipe import FederatedRecipe
from tlm.workload.report.density import densities
from tlm.workload.training.record import load_recipe

NAMES = federated_names()
LEAST_ACCURACY = {"fed-cifar": (0.3, 0.4), "fed-mnist": (0.85, 0.88)}  # non-IID, IID
CHANCE = 0.03
MOST_NBYTES = {"fed-cifar": 5e6, "fed-mnist": 4e6}


@pytest.fixture(params=NAMES)
def run(request: pytest.FixtureRequest) -> FederatedRun:
    """Each bundled run."""
    return open_federated(request.param)


def test_there_is_one_of_each_data_set() -> None:
    """And each of them is judged here."""
    assert set(NAMES) == set(LEAST_ACCURACY)


def test_a_run_is_what_its_recipe_says(run: FederatedRun) -> None:
    """So that it can be recorded again; it is small enough to ship."""
    recipe = load_recipe(run.name)
    assert isinstance(recipe, FederatedRecipe)
    assert (run.workers, run.rounds, run.network) == (
        recipe.workers,
        recipe.rounds,
        recipe.local.name,
    )
    pairs = [(variant.split, variant.compression.name) for variant in run.variants]
    assert pairs == [(split.name, name) for split in run.splits for name in recipe.compressions]
    assert run.split("dirichlet").alpha == recipe.alpha
    assert run.split("dirichlet").recorded == recipe.recorded
    assert run.split("iid").recorded == recipe.recorded_iid
    assert len(run.round_job.iterations) == recipe.round_iterations
    job = run.job(0)
    assert (job.batch, job.steps) == (recipe.local.training_batch, recipe.local.steps)
    nbytes = sum(path.stat().st_size for path in run.folder.rglob("*") if path.is_file())
    assert nbytes < MOST_NBYTES[run.name]


def test_every_variant_learned(run: FederatedRun) -> None:
    """From the same start; sending less, or unlike data, is never better by more than chance."""
    uneven, even = LEAST_ACCURACY[run.name]
    assert run.variant("dirichlet", "none").accuracy[-1] > uneven
    assert run.variant("iid", "none").accuracy[-1] > even
    for variant in run.variants:
        assert variant.accuracy[0] == pytest.approx(run.variants[0].accuracy[0], abs=0.01)
        assert variant.accuracy[-1] > variant.accuracy[0] + 0.05
        for split, name in ((variant.split, "none"), ("iid", variant.compression.name)):
            better = run.variant(split, name).accuracy[-1]
            assert variant.accuracy[-1] < better + CHANCE


def test_workers_differ_as_their_split_says(run: FederatedRun) -> None:
    """All samples are somewhere; the non-identical split is uneven, the other even."""
    sizes = {split.name: [worker.samples for worker in split.workers] for split in run.splits}
    assert sum(sizes["dirichlet"]) == sum(sizes["iid"])
    assert max(sizes["iid"]) - min(sizes["iid"]) <= 1
    assert max(sizes["dirichlet"]) > 2 * min(sizes["dirichlet"])


def test_every_worker_is_alive(run: FederatedRun) -> None:
    """A dead layer would make every engine look infinitely fast."""
    jobs = [job for jobs in run.jobs.values() for job in jobs]
    for job in (*jobs, run.round_job):
        for position in range(len(job.iterations)):
            measured = densities(job.load(position))
            assert measured.spikes.mean(1).min() > 0.005
            assert measured.dU.mean(1).min() > 0.005

"""A small federated recipe, and its data."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workload.idx import write_idx
from tlm.workload.blocks import Dense
from tlm.workload.recipe import LIF, FederatedRecipe, Recipe, Scaling


@pytest.fixture
def recipe() -> FederatedRecipe:
    """Three workers, three rounds of one pass each, of a network that is quickly trained."""
    local = Recipe(
        name="small-fc",
        dataset="mnist",
        encoding="direct",
        blocks=(Dense(24), Dense(10)),
        neuron=LIF,
        norm=False,
        scaling=Scaling(current_std=2.0, output_std=1.0),
        steps=3,
        batch=8,
        training_batch=8,
        epochs=1,
        learning_rate=5e-3,
        levels=("bits", "bits", "bits"),
        seed=3,
    )
    return FederatedRecipe(
        name="small-fed",
        local=local,
        workers=3,
        rounds=3,
        local_iterations=None,
        alpha=0.5,
        compressions=("none", "top-0.1"),
        recorded=(1, 2),
        recorded_iid=(1, 3),
        round_iterations=4,
        test_samples=30,
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of 160 striped digits to train on and 40 to test."""
    write_idx(tmp_path, "train", 160)
    write_idx(tmp_path, "t10k", 40)
    return tmp_path

"""Recording: the data it reads, the network it trains, the file it leaves."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.workload.idx import write_idx
from tlm.errors import WorkloadError
from tlm.running.runner import run_job
from tlm.workload import Workload, open_workload
from tlm.workload.blocks import (
    Attention,
    AvgPool,
    Block,
    Conv,
    Dense,
    MaxPool,
    Perceptron,
    Readout,
    Residual,
)
from tlm.workload.model import Encoding
from tlm.workload.recipe import LIF, FederatedRecipe, Recipe, Scaling
from tlm.workload.training.datasets import DataSet
from tlm.workload.training.datasets.mnist import load_mnist
from tlm.workload.training.record import load_recipe, recipe_names, record, record_recipe

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="needs the extra 'capture'"
)

RECIPE = Recipe(
    name="stripes",
    dataset="mnist",
    encoding="direct",
    blocks=(Conv(4, kernel=5, padding=2), MaxPool(4), Dense(10)),
    neuron=LIF,
    norm=False,
    scaling=Scaling(current_std=2.0, output_std=1.0),
    steps=3,
    batch=4,
    training_batch=8,
    epochs=6,
    learning_rate=5e-3,
    levels=("bits", "value", "exact"),
    seed=3,
)


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recording without torch is one line, not a traceback."""
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(WorkloadError, match="extra 'capture'"):
        record("mnist-fc", None, None)


@pytest.mark.parametrize("name", recipe_names())
def test_recipes_need_no_torch_to_be_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe is plain data, named as its file is."""
    monkeypatch.setitem(sys.modules, "torch", None)
    recipe = load_recipe(name)
    assert recipe.name == name
    network = recipe.local if isinstance(recipe, FederatedRecipe) else recipe
    assert not isinstance(network, Recipe) or network.norm == (network.scaling is None)


@pytest.fixture
def stripes(tmp_path: Path) -> DataSet:
    """Eighty striped digits that any network can tell apart."""
    write_idx(tmp_path, "train", 80)
    write_idx(tmp_path, "t10k", 40)
    return load_mnist(tmp_path)


class ListRecorder:
    """A recorder that lists the iterations it is to record."""

    def __init__(self) -> None:
        self.iterations: list[int] = []

    @contextmanager
    def at(self, iteration: int) -> Iterator[None]:
        """Keep ``iteration``."""
        self.iterations.append(iteration)
        yield


@needs_torch
@pytest.mark.parametrize("encoding", ["direct", "rate"])
def test_a_run_learns_and_repeats(encoding: Encoding, stripes: DataSet) -> None:
    """Start, middle and end are recorded; the same recipe gives the same weights."""
    from tlm.workload.training.loop import prepare, train

    jobs = [prepare(replace(RECIPE, encoding=encoding), stripes) for _ in range(2)]
    for job in jobs:
        recorder = ListRecorder()
        train(job, recorder)
        assert recorder.iterations == [0, 30, 59]
    assert jobs[0].accuracy() > 0.6
    for first, second in zip(*(job.network.parameters() for job in jobs), strict=True):
        assert first.equal(second)


@needs_torch
def test_recording_leaves_training_as_it_was(stripes: DataSet) -> None:
    """Neither weights nor running statistics of the norms move."""
    from tlm.workload.training.loop import prepare, record_iteration

    job = prepare(replace(RECIPE, norm=True, scaling=None), stripes)
    before = {name: weights.clone() for name, weights in job.network.state_dict().items()}
    record_iteration(job, ListRecorder(), 0)
    assert all(weights.equal(before[name]) for name, weights in job.network.state_dict().items())


def live(tmp_path: Path, blocks: tuple[Block, ...], norm: bool, data: Path) -> Workload:
    """Train striped digits with a recipe of these blocks, and the file it leaves."""
    scaling = None if norm else RECIPE.scaling
    recipe = replace(RECIPE, blocks=blocks, norm=norm, scaling=scaling)
    return open_workload(str(record_recipe(recipe, data, tmp_path / "job.h5")))


@needs_torch
@pytest.mark.parametrize(
    ("blocks", "norm"),
    [
        ((Conv(4, kernel=5, padding=2), MaxPool(4), Dense(10)), False),
        ((Conv(4, stride=2), AvgPool(2), Dense(16), Readout(10)), False),
        ((Conv(4, stride=2), Residual(4), Residual(6, stride=2), AvgPool(7), Readout(10)), True),
        ((Conv(16, stride=4), Attention(2), Perceptron(2), AvgPool(7), Readout(10)), True),
    ],
    ids=["max-pool", "average-pool", "residual", "attention"],
)
def test_every_block_is_recorded(
    blocks: tuple[Block, ...], norm: bool, stripes: DataSet, tmp_path: Path
) -> None:
    """Training leaves a file that opens, with a layer for each convolution, linear or product."""
    job = live(tmp_path, blocks, norm, tmp_path)
    assert job.iterations == (0, 30, 59)
    products = {Conv: 1, Dense: 1, Readout: 1, Residual: 2, Attention: 6, Perceptron: 2}
    least = sum(products.get(type(block), 0) for block in blocks)
    assert len(job.layers) >= least
    normed = [layer for layer in job.layers if layer.neuron and layer.weighted]
    assert all((layer.norm is not None) == norm for layer in normed)
    held = [layer for layer in job.layers if layer.held]
    assert len(held) == 2 * sum(isinstance(block, Attention) for block in blocks)
    assert all(layer.norm is None for layer in held)


@needs_torch
@pytest.mark.live
def test_digits_live(tmp_path: Path) -> None:
    """The digits recipe as the command runs it: it learns, verifies itself, and simulates."""
    pytest.importorskip("sklearn")
    path = record("digits", None, tmp_path / "digits.h5")
    assert open_workload(str(path)).accuracy > 0.85
    assert run_job(str(path), out=tmp_path / "run", trace="off").summary

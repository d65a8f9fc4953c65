"""CIFAR-10: one ``.npz`` of JPEG images, or image files in folders by class."""

from __future__ import annotations

import io
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tlm.errors import WorkloadError
from tlm.workload.training.datasets.samples import (
    DataSet,
    DataSplit,
    digest,
    need_folder,
    read_arrays,
)

_LICENCE = "CIFAR-10 (Krizhevsky 2009): no formal licence; this file holds none of its pixels"
_SIDE = 32
_FILE = "cifar10.npz"
_CENTRE, _SCALE = 127.5, 63.75  # pixels 0..255 -> -2..2, about unit variance


def load_cifar10(data: Path | None) -> DataSet:
    """CIFAR-10 from folder ``data``; decoding needs Pillow.

    Read is ``cifar10.npz`` (per split: ``_jpeg`` all bytes, ``_offset`` [N + 1], ``_label``), or
    else ``train/<class>/*`` and ``test/<class>/*`` image files, classes numbered by name and
    files ordered by name. Raises WorkloadError if there is neither.
    """
    folder = need_folder(data, f"{_FILE}, or with train/<class>/*.jpg and test/<class>/*.jpg")
    read = _from_npz if (folder / _FILE).exists() else _from_images
    (train, train_digest), (test, _) = read(folder, "train"), read(folder, "test")
    source = f"{folder.name}, sha256 of the training pixels {train_digest}"
    return DataSet("CIFAR-10", _LICENCE, source, train, test, _CENTRE, _SCALE)


def _from_npz(folder: Path, part: str) -> tuple[DataSplit, str]:
    names = (f"{part}_jpeg", f"{part}_offset", f"{part}_label")
    content, offset, label = read_arrays(folder / _FILE, names)
    raw, bounds = content.tobytes(), [int(at) for at in offset]
    images = _decoded(raw[first:end] for first, end in pairwise(bounds))
    return DataSplit(images, label.astype(np.int64)), digest(images.tobytes())


def _from_images(folder: Path, part: str) -> tuple[DataSplit, str]:
    classes = sorted(path for path in (folder / part).glob("*") if path.is_dir())
    files = [(path, at) for at, images in enumerate(classes) for path in sorted(images.iterdir())]
    if not files:
        raise WorkloadError(f"{folder}: expected {_FILE}, or {part}/<class>/*.jpg; found neither")
    images = _decoded(path.read_bytes() for path, _ in files)
    return DataSplit(images, np.array([at for _, at in files], np.int64)), digest(images.tobytes())


def _decoded(files: Iterable[bytes]) -> NDArray[np.uint8]:
    """Images [N, 3, 32, 32] of encoded files."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise WorkloadError(
            "CIFAR-10 needs Pillow: install the extra 'capture' (pip install 'snn-tlm[capture]')"
        ) from error
    try:
        pixels: list[Any] = [
            np.asarray(Image.open(io.BytesIO(content)).convert("RGB")) for content in files
        ]
    except UnidentifiedImageError as error:
        raise WorkloadError(f"CIFAR-10: expected image files: {error}") from error
    images = np.stack(pixels)
    if images.shape[1:] != (_SIDE, _SIDE, 3):
        raise WorkloadError(f"CIFAR-10: expected images of 32 x 32 pixels, got {images.shape[1:]}")
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))

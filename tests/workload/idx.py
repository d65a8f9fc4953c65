"""Small MNIST-like data sets in the original IDX files."""

import gzip
from pathlib import Path

import numpy as np


def write_idx(folder: Path, part: str, count: int) -> None:
    """Write ``count`` striped digits, labelled by their stripe, as IDX files."""
    labels = (np.arange(count) % 10).astype(np.uint8)
    images = np.zeros((count, 28, 28), np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 * label : 2 * label + 4] = 255
    write_raw(folder / f"{part}-images-idx3-ubyte.gz", images)
    write_raw(folder / f"{part}-labels-idx1-ubyte.gz", labels)


def write_raw(path: Path, array: np.ndarray) -> None:
    """Write bytes as an IDX file: magic 0 0 8 rank, big-endian sizes, data."""
    header = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes()
    path.write_bytes(gzip.compress(header + array.tobytes()))

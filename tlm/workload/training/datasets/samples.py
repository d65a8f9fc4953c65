"""What a loaded data set is, and how its samples become a network's input."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tlm.errors import WorkloadError
from tlm.workload.model import Encoding

_SPLIT_SEED = 0
_TEST_SHARE = 5


@dataclass(frozen=True, eq=False)
class DataSplit:
    """Samples as they are stored, [N, C, H, W] pixels or [N, T, C, H, W] events, and labels [N]."""

    inputs: NDArray[np.uint8]
    labels: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class DataSet:
    """A data set in memory; a network sees (pixel - ``offset``) / ``scale``.

    ``title`` names it in a workload file, ``source`` says where it was read from.
    """

    title: str
    licence: str
    source: str
    train: DataSplit
    test: DataSplit
    offset: float
    scale: float


def coded(
    dataset: DataSet,
    split: DataSplit,
    chosen: NDArray[np.int64] | slice,
    encoding: Encoding,
    steps: int,
    seed: tuple[int, ...],
) -> NDArray[np.float32]:
    """Input of the ``chosen`` samples: [B, C, H, W] if direct, else [T, B, C, H, W] of 0 and 1.

    With rate coding a pixel of value p spikes with probability p at each step, drawn from
    ``seed``.
    """
    stored = split.inputs[chosen]
    if encoding == "events":
        return np.ascontiguousarray(stored.swapaxes(0, 1)).astype(np.float32)
    # Offset and scale are float32 and a subtraction of 0 is exact: x / 255 stays x / 255.
    values = (stored - np.float32(dataset.offset)) / np.float32(dataset.scale)
    if encoding == "direct":
        return values
    draw = np.random.default_rng(seed).random((steps, *values.shape), dtype=np.float32)
    return (draw < values).astype(np.float32)


def split_by_seed(
    inputs: NDArray[np.uint8], labels: NDArray[np.int64]
) -> tuple[DataSplit, DataSplit, str]:
    """A fifth for testing by a fixed seed, the rest for training, and a text that says so."""
    order = np.random.default_rng(_SPLIT_SEED).permutation(len(labels))
    test, train = np.split(order, [len(order) // _TEST_SHARE])
    named = f"{len(train)} to train, {len(test)} to test, split by seed {_SPLIT_SEED}"
    return DataSplit(inputs[train], labels[train]), DataSplit(inputs[test], labels[test]), named


def digest(raw: bytes) -> str:
    """SHA-256 of ``raw`` in hexadecimal."""
    return hashlib.sha256(raw).hexdigest()


def need_folder(data: Path | None, holding: str) -> Path:
    """``data``, or a WorkloadError that says what folder ``--data`` should name."""
    if data is None:
        raise WorkloadError(f"no training data: give --data a folder with {holding}")
    return data


def read_arrays(path: Path, names: tuple[str, ...]) -> list[NDArray[np.generic]]:
    """Arrays ``names`` of an ``.npz`` file; WorkloadError if it is not one or lacks one."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return [stored[name] for name in names]
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise WorkloadError(
            f"{path}: expected an .npz file with {', '.join(names)}: {error}"
        ) from error

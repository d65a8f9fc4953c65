"""N-MNIST: event recordings of digits, binned into time steps."""

from __future__ import annotations

from pathlib import Path

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

_LICENCE = "N-MNIST (Orchard, Jayawant, Cohen, Thakor 2015): CC BY-SA 4.0"
_SIDE, _POLARITIES = 34, 2
_DURATION_US = 300_000
"""Three saccades of 100 ms (Orchard et al., "Converting static image datasets", 2015)."""


def load_nmnist(data: Path | None, steps: int) -> DataSet:
    """N-MNIST from the one ``nmnist*.npz`` of folder ``data``, as ``steps`` binary frames.

    Per split the file holds ``_x``, ``_y``, ``_p``, ``_t_us`` of all events, ``_offset`` [N + 1]
    and ``_label``. A pixel of a frame is 1 if it had at least one event of that polarity in the
    bin; events after 300 ms are left out. Raises WorkloadError if the file is not there.
    """
    folder = need_folder(data, "nmnist*.npz")
    files = sorted(folder.glob("nmnist*.npz"))
    if len(files) != 1:
        raise WorkloadError(f"{folder}: expected one nmnist*.npz, found {len(files)}")
    train, test = _split(files[0], "train", steps), _split(files[0], "test", steps)
    source = f"{files[0].name}, sha256 of the training frames {digest(train.inputs.tobytes())}"
    return DataSet("N-MNIST", _LICENCE, source, train, test, offset=0.0, scale=1.0)


def _split(path: Path, part: str, steps: int) -> DataSplit:
    names = tuple(f"{part}_{key}" for key in ("x", "y", "p", "t_us", "offset", "label"))
    x, y, polarity, time, offset, label = (one.astype(np.int64) for one in read_arrays(path, names))
    sample = np.repeat(np.arange(len(label)), np.diff(offset))
    step = time * steps // _DURATION_US
    seen = step < steps
    return DataSplit(_frames(sample, step, polarity, y, x, seen, len(label), steps), label)


def _frames(
    sample: NDArray[np.int64],
    step: NDArray[np.int64],
    polarity: NDArray[np.int64],
    y: NDArray[np.int64],
    x: NDArray[np.int64],
    seen: NDArray[np.bool_],
    samples: int,
    steps: int,
) -> NDArray[np.uint8]:
    """Binary frames [N, T, 2, 34, 34] of the events that are ``seen``."""
    frames = np.zeros((samples, steps, _POLARITIES, _SIDE, _SIDE), np.uint8)
    frames[sample[seen], step[seen], polarity[seen], y[seen], x[seen]] = 1
    return frames

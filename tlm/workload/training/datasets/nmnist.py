"""N-MNIST: event recordings of digits, binned into time steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np

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
    """One part of the file as binary frames [N, T, 2, 34, 34] and labels [N]."""
    names = tuple(f"{part}_{key}" for key in ("x", "y", "p", "t_us", "offset", "label"))
    x, y, polarity, time_us, offset, label = (
        array.astype(np.int64) for array in read_arrays(path, names)
    )
    sample = np.repeat(np.arange(len(label)), np.diff(offset))
    step = time_us * steps // _DURATION_US
    frames = np.zeros((len(label), steps, _POLARITIES, _SIDE, _SIDE), np.uint8)
    events = np.stack([sample, step, polarity, y, x])[:, step < steps]
    frames[tuple(events)] = 1
    return DataSplit(frames, label)

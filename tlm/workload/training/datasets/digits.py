"""The 1,797 digits of 8 x 8 pixels that scikit-learn ships."""

from __future__ import annotations

import numpy as np

from tlm.errors import WorkloadError
from tlm.workload.training.datasets.samples import DataSet, digest, split_by_seed

_LICENCE = "Optical recognition of handwritten digits (Alpaydin, Kaynak; UCI): CC BY 4.0"


def load_digits() -> DataSet:
    """Images of 17 grey levels, 0..16, split 4:1; raises WorkloadError without scikit-learn."""
    try:
        from sklearn.datasets import load_digits as from_wheel
    except ImportError as error:
        raise WorkloadError(
            "no training data: 'pip install scikit-learn', it ships them"
        ) from error
    bunch = from_wheel()
    images = bunch.images.astype(np.uint8).reshape(-1, 1, 8, 8)
    train, test, named = split_by_seed(images, bunch.target.astype(np.int64))
    source = f"scikit-learn wheel, load_digits, sha256 of its bytes {digest(images.tobytes())}"
    return DataSet("digits (scikit-learn)", _LICENCE, f"{source}; {named}", train, test, 0.0, 16.0)

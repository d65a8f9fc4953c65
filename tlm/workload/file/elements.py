"""The elements of one dataset, held against its checksum."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import h5py
from numpy.typing import NDArray

from tlm.workload.file.fault import DAMAGED, fault
from tlm.workload.file.layout import Expected


def read_elements(path: Path, file: h5py.File, expected: Expected) -> NDArray[Any]:
    """A dataset's elements once its checksum has been verified."""
    dataset = file[expected.name]
    elements: NDArray[Any] = dataset[...]
    stated = dataset.attrs["sha256"]
    stated = stated.decode("ascii") if isinstance(stated, bytes) else str(stated)
    digest = hashlib.sha256(elements.tobytes()).hexdigest()
    if digest != stated.lower():
        raise fault(path, f"/{expected.name}", f"sha256 {stated[:12]}...", digest[:12], DAMAGED)
    return elements

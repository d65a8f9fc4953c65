"""Workload file -> Workload and Recording."""

from __future__ import annotations

import hashlib
from math import prod
from pathlib import Path

import h5py
import numpy as np

from tlm.errors import WorkloadError
from tlm.workload import schema
from tlm.workload.check import Expected, check_file, expected_datasets, opened
from tlm.workload.fault import fault
from tlm.workload.model import BoolArray, Layer, Recording, Workload

_DAMAGED = "the file is damaged: copy or record it again"
_HASH_BLOCK = 1 << 20


def read_workload(path: Path) -> Workload:
    """Check a whole file and read its header; tensors stay on disk until ``load``.

    Raises WorkloadError on one line naming file, key, what was expected and what to do.
    """
    with opened(path) as file:
        return check_file(path, file, _file_digest(path))


def read_recording(workload: Workload, which: int) -> Recording:
    """The recording at position ``which``; its checksums and its logic are checked.

    Raises WorkloadError if there is none, if the file changed since it was opened, if a checksum
    is wrong, or if a gradient is non-zero where the mask and the later steps leave none.
    """
    if not 0 <= which < len(workload.iterations):
        have = ", ".join(f"{at} (iteration {n})" for at, n in enumerate(workload.iterations))
        raise WorkloadError(f"{workload.path}: there is no recording {which}; there are {have}")
    if _file_digest(workload.path) != workload.sha256:
        raise WorkloadError(f"{workload.path}: the file changed since it was opened; open it again")
    with opened(workload.path) as file:
        arrays = {
            key: _read(workload.path, file, wanted)
            for key, wanted in expected_datasets(workload, which).items()
        }
    for layer in workload.layers:
        _check_carry(workload, layer, which, arrays)
    return Recording(
        iteration=workload.iterations[which],
        inputs=arrays[schema.INPUTS],
        spikes=tuple(arrays[f"{layer.index}/spikes"] for layer in workload.layers),
        masks=tuple(arrays[f"{layer.index}/masks"] for layer in workload.layers),
        gradients=tuple(arrays[f"{layer.index}/gradients"] for layer in workload.layers),
    )


def _file_digest(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_HASH_BLOCK):
                digest.update(block)
    except OSError as error:
        raise WorkloadError(f"{path}: cannot be read: {error.strerror}") from error
    return digest.hexdigest()


def _read(path: Path, file: h5py.File, wanted: Expected) -> BoolArray:
    """Unpack one dataset after its checksum has been verified."""
    dataset = file[wanted.name]
    packed = dataset[...]
    stated = dataset.attrs["sha256"]
    stated = stated.decode("ascii") if isinstance(stated, bytes) else str(stated)
    found = hashlib.sha256(packed.tobytes()).hexdigest()
    if found != stated.lower():
        raise fault(path, f"/{wanted.name}", f"sha256 {stated[:12]}...", found[:12], _DAMAGED)
    count = prod(wanted.shape)
    if count % 8 and packed[-1] & (0xFF >> count % 8):
        raise fault(path, f"/{wanted.name}", "zero padding bits at the end", "ones", _DAMAGED)
    return np.unpackbits(packed, count=count).view(np.bool_).reshape(wanted.shape)


def _check_carry(
    workload: Workload, layer: Layer, which: int, arrays: dict[str, BoolArray]
) -> None:
    """A gradient is non-zero only by its mask, or carried from the step after it.

    gH[t] = gS[t] d[t] + decay gH[t+1] r[t], where a hard reset lets nothing past a spike.
    """
    key = f"{layer.index}/gradients"
    gradients, masks = arrays[key], arrays[f"{layer.index}/masks"]
    carried = np.zeros_like(gradients)
    carried[:-1] = gradients[1:]
    if layer.neuron.reset == "hard":
        carried &= ~arrays[f"{layer.index}/spikes"]
    wrong = int(np.count_nonzero(gradients & ~masks & ~carried))
    if wrong:
        name = expected_datasets(workload, which)[key].name
        expected = "zero where neither the mask nor the next step feeds it"
        remedy = "store dL/dI and the surrogate mask of the same iteration"
        raise fault(workload.path, f"/{name}", expected, f"{wrong} others", remedy)

"""Workload file -> Workload, Recording and Values."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from tlm.errors import WorkloadError
from tlm.workload.file import schema
from tlm.workload.file.check import check_file, opened
from tlm.workload.file.fault import fault
from tlm.workload.file.layout import Expected, expected_bits, expected_values, parameter_shapes
from tlm.workload.model import BoolArray, Layer, Recording, Workload
from tlm.workload.values import FloatArray, Parameters, Values

_DAMAGED = "the file is damaged: copy or record it again"
_HASH_BLOCK = 1 << 20


def read_workload(path: Path) -> Workload:
    """Check a whole file and read its header; tensors stay on disk until ``load``.

    Raises WorkloadError on one line naming file, key, what was expected and what to do.
    """
    with opened(path) as file:
        return replace(check_file(path, file, _file_digest(path)), tensors=FileTensors())


@dataclass(frozen=True)
class FileTensors:
    """Tensors of a recorded job, read from the job's file each time."""

    activity: str = "recorded"
    seed: None = None

    def recording(self, workload: Workload, position: int) -> Recording:
        """As :func:`read_recording`."""
        return read_recording(workload, position)

    def values(self, workload: Workload, position: int) -> Values:
        """As :func:`read_values`."""
        return read_values(workload, position)


def read_recording(workload: Workload, position: int) -> Recording:
    """The masks at ``position`` of ``iterations``; their checksums and their logic are checked.

    Raises WorkloadError if there are none, if the file changed since it was opened, if a checksum
    is wrong, or if a gradient is non-zero where the mask and the later steps leave none.
    """
    _check_position(workload, position)
    with opened(workload.path) as file:
        arrays = _read_masks(workload, file, position)
    for layer in workload.layers:
        if layer.neuron is not None:
            _check_carry(workload, layer, position, arrays)
    return Recording(
        iteration=workload.iterations[position],
        inputs=arrays[schema.INPUTS],
        spikes=_every(workload, schema.SPIKES, arrays),
        masks=_every(workload, schema.MASKS, arrays),
        dU=_every(workload, schema.GRADIENTS, arrays),
        dY=tuple(arrays[f"{layer.index}/{_product_kind(layer)}"] for layer in workload.layers),
    )


def read_values(workload: Workload, position: int) -> Values:
    """The numbers at ``position`` of ``iterations``; checksums are checked.

    Raises WorkloadError as :func:`read_recording` does, if the recording's level is "bits", or if
    a number is NaN or infinite.
    """
    _check_position(workload, position)
    if workload.levels[position] == "bits":
        raise WorkloadError(
            f'{workload.path}: iteration {workload.iterations[position]} is of level "bits" and '
            'holds no numbers; record it with level "value" or "exact"'
        )
    with opened(workload.path) as file:
        masks = _read_masks(workload, file, position)
        found = {
            key: _read_floats(workload.path, file, wanted, masks)
            for key, wanted in expected_values(workload, position).items()
        }
    inputs = found.get(schema.INPUT_VALUES)
    return Values(
        inputs=masks[schema.INPUTS].astype(np.float32) if inputs is None else inputs,
        dI=tuple(found[f"{layer.index}/{schema.GRADIENT_VALUES}"] for layer in workload.layers),
        parameters=tuple(_parameters(layer, found, "") for layer in workload.layers),
        parameter_gradients=tuple(
            _parameters(layer, found, schema.PARAMETER_GRADIENTS) for layer in workload.layers
        ),
        loss_gradient=found.get(schema.LOSS_GRADIENT),
    )


def _check_position(workload: Workload, position: int) -> None:
    if not 0 <= position < len(workload.iterations):
        have = ", ".join(f"{at} (iteration {n})" for at, n in enumerate(workload.iterations))
        raise WorkloadError(f"{workload.path}: there is no recording {position}; there are {have}")
    if _file_digest(workload.path) != workload.sha256:
        raise WorkloadError(f"{workload.path}: the file changed since it was opened; open it again")


def _file_digest(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_HASH_BLOCK):
                digest.update(block)
    except OSError as error:
        raise WorkloadError(f"{path}: cannot be read: {error.strerror}") from error
    return digest.hexdigest()


def _read_masks(workload: Workload, file: h5py.File, position: int) -> dict[str, BoolArray]:
    return {
        key: _read_bits(workload.path, file, wanted)
        for key, wanted in expected_bits(workload, position).items()
    }


def _every(workload: Workload, kind: str, arrays: Mapping[str, BoolArray]) -> tuple[BoolArray, ...]:
    """One array a layer; a read-out, which has neither spikes nor masks, has ones."""
    return tuple(
        arrays[key]
        if (key := f"{layer.index}/{kind}") in arrays
        else np.ones(workload.neuron_shape(layer), np.bool_)
        for layer in workload.layers
    )


def _product_kind(layer: Layer) -> str:
    return schema.GRADIENTS if layer.product_is_current else schema.OUTPUT_GRADIENTS


def _read_bits(path: Path, file: h5py.File, wanted: Expected) -> BoolArray:
    """Unpack one dataset after its checksum has been verified."""
    packed = _read(path, file, wanted)
    count = prod(wanted.shape)
    if count % 8 and packed[-1] & (0xFF >> count % 8):
        raise fault(path, f"/{wanted.name}", "zero padding bits at the end", "ones", _DAMAGED)
    return np.unpackbits(packed, count=count).view(np.bool_).reshape(wanted.shape)


def _read_floats(
    path: Path, file: h5py.File, wanted: Expected, masks: Mapping[str, BoolArray]
) -> FloatArray:
    """Numbers in float32, in their logical shape."""
    stored = _read(path, file, wanted)
    exponent = int(np.ravel(file[wanted.name].attrs["exponent"])[0])
    with np.errstate(over="ignore"):  # refused below, not warned of
        values = np.ldexp(stored.astype(np.float32), exponent)
    if not np.isfinite(values).all():
        raise fault(path, f"/{wanted.name}", "finite numbers", "NaN or infinity", _DAMAGED)
    if wanted.form == "floats":
        return values.reshape(wanted.shape)
    bits = masks[wanted.bits_of]
    count = int(np.count_nonzero(bits))
    if count != len(values):
        expected = f"{count} numbers, as many as bits are set"
        raise fault(path, f"/{wanted.name}", expected, len(values), _DAMAGED)
    full = np.zeros(wanted.shape, np.float32)
    full[bits] = values
    return full


def _read(path: Path, file: h5py.File, wanted: Expected) -> NDArray[Any]:
    """A dataset's elements once its checksum has been verified."""
    dataset = file[wanted.name]
    elements: NDArray[Any] = dataset[...]
    stated = dataset.attrs["sha256"]
    stated = stated.decode("ascii") if isinstance(stated, bytes) else str(stated)
    found = hashlib.sha256(elements.tobytes()).hexdigest()
    if found != stated.lower():
        raise fault(path, f"/{wanted.name}", f"sha256 {stated[:12]}...", found[:12], _DAMAGED)
    return elements


def _parameters(layer: Layer, found: Mapping[str, FloatArray], ending: str) -> Parameters:
    arrays = {name: found[f"{layer.index}/{name}{ending}"] for name in parameter_shapes(layer)}
    return Parameters(
        weights=arrays["weights"],
        bias=arrays.get("bias"),
        scale=arrays.get("scale"),
        shift=arrays.get("shift"),
    )


def _check_carry(
    workload: Workload, layer: Layer, position: int, arrays: Mapping[str, BoolArray]
) -> None:
    """A gradient is non-zero only by its mask, or carried from the step after it.

    gH[t] = gS[t] d[t] + decay gH[t+1] r[t], where a hard reset lets nothing past a spike.
    """
    assert layer.neuron is not None
    key = f"{layer.index}/{schema.GRADIENTS}"
    gradients, masks = arrays[key], arrays[f"{layer.index}/{schema.MASKS}"]
    carried = np.zeros_like(gradients)
    carried[:-1] = gradients[1:]
    if layer.neuron.reset == "hard":
        carried &= ~arrays[f"{layer.index}/{schema.SPIKES}"]
    wrong = int(np.count_nonzero(gradients & ~masks & ~carried))
    if wrong:
        name = expected_bits(workload, position)[key].name
        expected = "zero where neither the mask nor the next step feeds it"
        remedy = "store dL/dI and the surrogate mask of the same iteration"
        raise fault(workload.path, f"/{name}", expected, f"{wrong} others", remedy)

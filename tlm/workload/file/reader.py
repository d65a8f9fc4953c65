"""Workload file -> Workload, Recording and Values."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import h5py
import numpy as np

from tlm.errors import WorkloadError
from tlm.workload.file import schema
from tlm.workload.file.check import check_file, opened
from tlm.workload.file.elements import read_elements
from tlm.workload.file.fault import DAMAGED, fault
from tlm.workload.file.header import read_mode
from tlm.workload.file.inference import checked_answers, checked_glm, read_integers
from tlm.workload.file.layout import (
    Expected,
    expected_bits,
    expected_values,
    loss_gradient_key,
    parameter_shapes,
)
from tlm.workload.learnt import LEARNT
from tlm.workload.model import BoolArray, Layer, Neuron, Recording, RunMode, Workload
from tlm.workload.packed import packed
from tlm.workload.readers import has_dY, heads
from tlm.workload.values import FloatArray, Parameters, Values

_HASH_BLOCK = 1 << 20


def read_workload(path: Path) -> Workload:
    """Check a whole file and read its header; tensors stay on disk until ``load``.

    Raises WorkloadError on one line naming file, key, what was expected and what to do.
    """
    with opened(path) as file:
        return replace(check_file(path, file, _file_digest(path)), tensors=FileTensors())


def stated_mode(path: Path) -> RunMode:
    """What the job in a file says that it was recorded for; no more of it is read.

    Raises WorkloadError if it is no HDF5 file, or says something else.
    """
    with opened(path) as file:
        return read_mode(path, file)


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
        integers = read_integers(workload, file, position)
    spikes = _per_layer(workload, schema.SPIKES, arrays)
    if workload.mode == "inference":
        return Recording(
            workload.iterations[position],
            arrays[schema.INPUTS],
            spikes,
            *((), (), ()),
            answers=checked_answers(workload, position, spikes[-1], integers),
        )
    for layer in workload.layers:
        if layer.neuron is not None:
            _check_carry(workload, layer, position, arrays)
    return Recording(
        iteration=workload.iterations[position],
        inputs=arrays[schema.INPUTS],
        spikes=packed(spikes),
        masks=packed(_per_layer(workload, schema.MASKS, arrays)),
        dU=packed(_per_layer(workload, schema.GRADIENTS, arrays)),
        dY=packed(
            arrays[f"{layer.index}/{_product_kind(workload, layer)}"] for layer in workload.layers
        ),
        kept={
            layer.index: arrays[f"{layer.index}/{schema.KEPT}"]
            for layer in workload.layers
            if layer.dropout
        },
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
        arrays = {
            key: _read_floats(workload.path, file, expected, masks)
            for key, expected in expected_values(workload, position).items()
        }
        integers = read_integers(workload, file, position)
    stored = arrays.get(schema.INPUT_VALUES)
    inputs = masks[schema.INPUTS].astype(np.float32) if stored is None else stored
    parameters = tuple(_parameters(workload, layer, arrays, "") for layer in workload.layers)
    if workload.mode == "inference":
        registers = checked_glm(workload, position, parameters, integers)
        return Values(inputs, (), parameters, (), {}, registers)
    return Values(
        inputs=inputs,
        dI=tuple(arrays[f"{layer.index}/{schema.GRADIENT_VALUES}"] for layer in workload.layers),
        parameters=parameters,
        parameter_gradients=tuple(
            _parameters(workload, layer, arrays, schema.PARAMETER_GRADIENTS)
            for layer in workload.layers
        ),
        loss_gradients={
            head: arrays[key]
            for head in heads(workload.layers)
            if (key := loss_gradient_key(workload, head)) in arrays
        },
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
        key: _read_bits(workload.path, file, expected)
        for key, expected in expected_bits(workload, position).items()
    }


def _per_layer(
    workload: Workload, kind: str, arrays: Mapping[str, BoolArray]
) -> tuple[BoolArray, ...]:
    """One array per layer; all true for a read-out, which stores neither spikes nor masks."""
    return tuple(
        arrays[key]
        if (key := f"{layer.index}/{kind}") in arrays
        else np.ones(workload.neuron_shape(layer), np.bool_)
        for layer in workload.layers
    )


def _product_kind(workload: Workload, layer: Layer) -> str:
    return schema.OUTPUT_GRADIENTS if has_dY(layer, workload.layers) else schema.GRADIENTS


def _read_bits(path: Path, file: h5py.File, expected: Expected) -> BoolArray:
    """Unpack one dataset after its checksum has been verified."""
    packed = read_elements(path, file, expected)
    count = prod(expected.shape)
    if count % 8 and packed[-1] & (0xFF >> count % 8):
        raise fault(path, f"/{expected.name}", "zero padding bits at the end", "ones", DAMAGED)
    return np.unpackbits(packed, count=count).view(np.bool_).reshape(expected.shape)


def _read_floats(
    path: Path, file: h5py.File, expected: Expected, masks: Mapping[str, BoolArray]
) -> FloatArray:
    """Numbers in float32, in their logical shape."""
    stored = read_elements(path, file, expected)
    exponent = int(np.ravel(file[expected.name].attrs["exponent"])[0])
    with np.errstate(over="ignore"):  # refused below, not warned of
        values = np.ldexp(stored.astype(np.float32), exponent)
    if not np.isfinite(values).all():
        raise fault(path, f"/{expected.name}", "finite numbers", "NaN or infinity", DAMAGED)
    if expected.form == "floats":
        return values.reshape(expected.shape)
    bits = masks[expected.bits_of]
    count = int(np.count_nonzero(bits))
    if count != len(values):
        numbers = f"{count} numbers, as many as bits are set"
        raise fault(path, f"/{expected.name}", numbers, len(values), DAMAGED)
    full = np.zeros(expected.shape, np.float32)
    full[bits] = values
    return full


def _parameters(
    workload: Workload, layer: Layer, every: Mapping[str, FloatArray], ending: str
) -> Parameters:
    names = parameter_shapes(layer, workload.steps)
    arrays = {name: every[f"{layer.index}/{name}{ending}"] for name in names}
    return Parameters(
        weights=arrays.get("weights", np.zeros(layer.weight_shape, np.float32)),
        bias=arrays.get("bias"),
        scale=arrays.get("scale"),
        shift=arrays.get("shift"),
        step_scale=arrays.get("step_scale"),
        constants={name: arrays[name] for name in names if name in LEARNT},
    )


def _check_carry(
    workload: Workload, layer: Layer, position: int, arrays: Mapping[str, BoolArray]
) -> None:
    """Check that dU is non-zero only where the mask is set or the next step's dU reaches it.

    dU[t] = dS[t] d[t] + decay dU[t+1] r[t], where a hard reset lets nothing past a spike; through
    a synaptic current the gradient passes it.
    """
    assert isinstance(layer.neuron, Neuron)
    key = f"{layer.index}/{schema.GRADIENTS}"
    dU, masks = arrays[key], arrays[f"{layer.index}/{schema.MASKS}"]
    carried = np.zeros_like(dU)
    carried[:-1] = dU[1:]
    if layer.neuron.reset == "hard" and not layer.neuron.current_decay:
        carried &= ~arrays[f"{layer.index}/{schema.SPIKES}"]
    wrong = int(np.count_nonzero(dU & ~masks & ~carried))
    if wrong:
        name = expected_bits(workload, position)[key].name
        expected = "zero where neither the mask nor the next step feeds it"
        remedy = "store dL/dI and the surrogate mask of the same iteration"
        raise fault(workload.path, f"/{name}", expected, f"{wrong} others", remedy)

"""Workload and recordings -> file: atomic, and the same bytes for the same content."""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from tlm.errors import WorkloadError
from tlm.files import whole_file
from tlm.workload.file import schema
from tlm.workload.file.graph import layers_to_json
from tlm.workload.file.header import read_header
from tlm.workload.file.layout import (
    Expected,
    expected_bits,
    expected_integers,
    expected_values,
    loss_gradient_key,
)
from tlm.workload.file.reader import read_workload
from tlm.workload.file.storing import set_attribute, store
from tlm.workload.model import BoolArray, Recording, Workload
from tlm.workload.values import FloatArray, Values

_FP16_EXPONENT = 15  # scaled to just below 2^15: fp16 ends at 65504


def write_workload(
    workload: Workload, recordings: Sequence[Recording], values: Sequence[Values | None] = ()
) -> Workload:
    """Write ``workload.path`` and return the workload as read back and checked.

    ``workload.iterations`` and ``workload.sha256`` are taken from the recordings and the file;
    ``values`` are needed where ``workload.levels`` says more than "bits".
    A reader never sees half a file.

    Raises:
        WorkloadError: shapes do not fit, or the file cannot be written.
        DiskFullError: there is no room for it.
    """
    path = workload.path
    with whole_file(path, WorkloadError) as part:
        try:
            _write(part, workload, recordings, values)
        except RuntimeError as error:  # how HDF5 says that it cannot write what it has in memory
            number = re.search(r"errno = (\d+)", str(error))
            raise OSError(int(number[1]) if number else errno.EIO, str(error)) from error
        try:
            checked = read_workload(part)
        except WorkloadError as error:
            raise WorkloadError(str(error).replace(str(part), str(path))) from error
    return replace(checked, path=path)


def check_header(workload: Workload) -> None:
    """Raise WorkloadError if a reader would refuse the job's header; nothing is written.

    So that a job which no file can hold is refused before more of it is recorded.
    """
    with h5py.File(workload.path.name, "w", driver="core", backing_store=False) as file:
        _write_header(file, workload, list(workload.iterations))
        read_header(workload.path, file, workload.sha256)


def _write(
    part: Path,
    workload: Workload,
    recordings: Sequence[Recording],
    values: Sequence[Values | None],
) -> None:
    # A fixed format version: files do not depend on the HDF5 library's own newest one. Made in
    # memory and then written at once: HDF5 crashes the process after a write that failed halfway.
    with h5py.File(part, "w", libver=("v110", "v110"), driver="core") as file:
        _write_header(file, workload, [recording.iteration for recording in recordings])
        for position, recording in enumerate(recordings):
            masks = _masks(recording)
            for key, expected in expected_bits(workload, position).items():
                _check_shape(workload, expected, masks[key].shape)
                store(file, expected.name, np.packbits(masks[key]), masks[key].shape)
            its_values = values[position] if values else None
            if workload.levels[position] != "bits":
                numbers = _numbers(workload, its_values)
                _write_values(file, workload, position, masks, numbers)
            integers = _integers(recording, its_values)
            for key, expected in expected_integers(workload, position).items():
                _check_shape(workload, expected, integers[key].shape)
                stored = integers[key].astype(schema.INTEGER_TYPE)
                store(file, expected.name, stored, expected.shape)


def _write_values(
    file: h5py.File,
    workload: Workload,
    position: int,
    masks: dict[str, BoolArray],
    numbers: dict[str, FloatArray],
) -> None:
    for key, expected in expected_values(workload, position).items():
        _check_shape(workload, expected, numbers[key].shape)
        array = numbers[key]
        if expected.form == "nonzeros":
            array = array[masks[expected.bits_of]]
        exponent = _exponent(array) if workload.levels[position] == "value" else 0
        stored = np.ldexp(array, -exponent).astype(schema.FLOAT_TYPES[workload.levels[position]])
        dataset = store(file, expected.name, stored.reshape(-1), array.shape)
        set_attribute(dataset, "exponent", np.int64(exponent))


def _exponent(array: FloatArray) -> int:
    """Power of two that brings the largest number to the top of fp16's range."""
    largest = float(np.abs(array).max(initial=0.0))
    exponent = int(np.frexp(largest)[1]) - _FP16_EXPONENT if largest else 0
    return max(-schema.MAX_EXPONENT, min(schema.MAX_EXPONENT, exponent))


def _check_shape(workload: Workload, expected: Expected, shape: tuple[int, ...]) -> None:
    if shape != expected.shape:
        raise WorkloadError(
            f"{workload.path}: {expected.name}: expected shape {expected.shape}, "
            f"got {shape}; record with the workload's own T, B and layers"
        )


def _masks(recording: Recording) -> dict[str, BoolArray]:
    """Arrays by the keys of ``expected_bits``; those of read-outs and without norm are extra."""
    arrays = {schema.INPUTS: recording.inputs}
    tensors: dict[str, Sequence[BoolArray]] = {
        schema.SPIKES: recording.spikes,
        schema.MASKS: recording.masks,
        schema.GRADIENTS: recording.dU,
        schema.OUTPUT_GRADIENTS: recording.dY,
    }
    for name, layers in tensors.items():
        arrays.update({f"{index}/{name}": array for index, array in enumerate(layers)})
    arrays.update({f"{index}/{schema.KEPT}": array for index, array in recording.kept.items()})
    return arrays


def _numbers(workload: Workload, values: Values | None) -> dict[str, FloatArray]:
    """Arrays by the keys of ``expected_values``."""
    if values is None:
        raise WorkloadError(f"{workload.path}: levels {workload.levels} need values to write")
    arrays = {schema.INPUT_VALUES: values.inputs}
    for head, gradient in values.loss_gradients.items():
        arrays[loss_gradient_key(workload, head)] = gradient
    for index, dI in enumerate(values.dI):
        arrays[f"{index}/{schema.GRADIENT_VALUES}"] = dI
    for ending, every in (
        ("", values.parameters),
        (schema.PARAMETER_GRADIENTS, values.parameter_gradients),
    ):
        for index, parameters in enumerate(every):
            for name, array in parameters.named().items():
                arrays[f"{index}/{name}{ending}"] = array
    return arrays


def _integers(recording: Recording, values: Values | None) -> dict[str, NDArray[Any]]:
    """Arrays by the keys of ``expected_integers``; a job for training has none."""
    arrays: dict[str, NDArray[Any]] = {}
    if recording.answers is not None:
        arrays[schema.LABELS] = recording.answers.labels
        arrays[schema.DECISIONS] = recording.answers.decisions
        arrays[schema.DECISION_STEPS] = recording.answers.decision_steps
    for index, states in enumerate(values.registers if values is not None else ()):
        if states is not None:
            arrays[f"{index}/{schema.REGISTERS}"] = states
    return arrays


def _write_header(file: h5py.File, workload: Workload, iterations: list[int]) -> None:
    text = {
        "schema": schema.SCHEMA,
        "name": workload.name,
        "dataset": workload.dataset,
        "licence": workload.licence,
        "optimizer": workload.optimizer,
        "encoding": workload.encoding,
        schema.LAYERS: layers_to_json(workload.layers),
        "levels": json.dumps(workload.levels, allow_nan=False),
        "provenance": json.dumps(workload.provenance, sort_keys=True, allow_nan=False),
    }
    if workload.mode == "inference":
        text[schema.PURPOSE] = workload.mode
    for name, value in text.items():
        encoded = value.encode()
        if name == schema.LAYERS and len(encoded) > schema.MAX_TEXT_NBYTES:
            elements = np.frombuffer(encoded, np.uint8)
            store(file, schema.LAYERS, elements, elements.shape)
            continue
        if len(encoded) > schema.MAX_TEXT_NBYTES:
            raise WorkloadError(
                f"{workload.path}: {name}: expected at most {schema.MAX_TEXT_NBYTES} bytes, got "
                f"{len(encoded)}; say less"
            )
        set_attribute(file.id, name, np.bytes_(encoded))
    numbers: dict[str, np.generic | NDArray[Any]] = {
        "schema_version": np.int64(schema.SCHEMA_VERSION),
        "steps": np.int64(workload.steps),
        "batch": np.int64(workload.batch),
        "accuracy": np.float64(workload.accuracy),
        "iterations": np.array(iterations, np.int64),
    }
    for name, number in numbers.items():
        set_attribute(file.id, name, number)

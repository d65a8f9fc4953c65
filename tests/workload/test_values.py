"""Numbers in a file: they come back as their level says, and damage is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.workload.conftest import random_values
from tlm.errors import WorkloadError
from tlm.workload import Recording, Values, Workload, open_workload, write_workload


def arrays(values: Values) -> list[np.ndarray]:
    """All arrays of an iteration but the loss gradient."""
    parameters = [*values.parameters, *values.parameter_gradients]
    named = [array for trained in parameters for array in trained.named().values()]
    return [values.inputs, *values.dI, *named]


def test_exact_comes_back_bit_by_bit(valued: Workload, recordings: list[Recording]) -> None:
    """Every number of level exact is the float32 that was given."""
    written, back = random_values(valued, recordings[1]), valued.load_values(1)
    assert all(map(np.array_equal, arrays(written), arrays(back)))
    assert back.loss_gradients.keys() == written.loss_gradients.keys() == {1}
    assert np.array_equal(back.loss_gradients[1], written.loss_gradients[1])


def test_value_is_rounded_to_eleven_bits(valued: Workload, recordings: list[Recording]) -> None:
    """Level value keeps fp16 precision, and no loss gradient."""
    written, back = random_values(valued, recordings[0]), valued.load_values(0)
    for ours, theirs in zip(arrays(back), arrays(written), strict=True):
        assert np.allclose(ours, theirs, rtol=2**-11, atol=0)
    assert not back.loss_gradients


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(power=st.integers(-100, 100))
def test_any_magnitude_fits(job: Workload, recordings: list[Recording], power: int) -> None:
    """The common power of two keeps small and large gradients out of fp16's ends."""
    job = replace(job, levels=("value", "value"))
    scale = np.float32(2.0) ** power
    values = [
        replace(numbers, dI=tuple(gradient * scale for gradient in numbers.dI))
        for numbers in (random_values(job, recording) for recording in recordings)
    ]
    back = write_workload(job, recordings, values).load_values(0)
    assert np.allclose(back.dI[0], values[0].dI[0], rtol=2**-11, atol=0)


def seal(dataset: h5py.Dataset) -> None:
    """Give a changed dataset the checksum of what it holds now."""
    digest = hashlib.sha256(dataset[...].tobytes()).hexdigest()
    dataset.attrs["sha256"] = np.bytes_(digest)


def not_a_number(file: h5py.File) -> None:
    weights = file["iteration1/layer0/weights"]
    weights[0] = np.nan
    seal(weights)


def overflowing(file: h5py.File) -> None:
    file["iteration0/layer0/weights"].attrs["exponent"] = 126


def one_short(file: h5py.File) -> None:
    values = file["iteration1/layer0/gradient_values"]
    data, attributes = values[:-1], dict(values.attrs)
    del file["iteration1/layer0/gradient_values"]
    new = file.create_dataset("iteration1/layer0/gradient_values", data=data)
    new.attrs.update(attributes)
    new.attrs["shape"] = [len(data)]
    seal(new)


def doubles(file: h5py.File) -> None:
    weights = file["iteration1/layer0/weights"]
    data, attributes = weights[...].astype("<f8"), dict(weights.attrs)
    del file["iteration1/layer0/weights"]
    file.create_dataset("iteration1/layer0/weights", data=data).attrs.update(attributes)


def scaled(file: h5py.File) -> None:
    file["iteration1/layer0/weights"].attrs["exponent"] = 1


def turned(file: h5py.File) -> None:
    file["iteration1/loss_gradient"][0] += 1


def missing(file: h5py.File) -> None:
    del file["iteration1/loss_gradient"]


DAMAGE: dict[str, tuple[Callable[[h5py.File], Any], str]] = {
    "not a number": (not_a_number, "finite numbers"),
    "overflow": (overflowing, "finite numbers"),
    "a gradient too few": (one_short, "as many as bits are set"),
    "another type": (doubles, "expected float32"),
    "a scale in an exact file": (scaled, r"exponent: expected -0\.\.0"),
    "a changed number": (turned, "loss_gradient: expected sha256"),
    "no loss gradient": (missing, "loss_gradient: expected to exist"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_refused_on_one_line(case: str, valued: Workload) -> None:
    """Each way to be wrong is named with file and dataset."""
    damage, expected = DAMAGE[case]
    with h5py.File(valued.path, "r+") as file:
        damage(file)
    with pytest.raises(WorkloadError, match=expected) as caught:
        job = open_workload(str(valued.path))
        for position in range(2):
            job.load_values(position)
    assert "\n" not in str(caught.value)


def test_levels_without_values(job: Workload, recordings: list[Recording]) -> None:
    """A level that needs numbers is not written without them."""
    with pytest.raises(WorkloadError, match="need values to write"):
        write_workload(replace(job, levels=("bits", "exact")), recordings)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_is_a_workload_error(valued: Workload, data: st.DataObject) -> None:
    """Random bytes overwritten anywhere: the file loads or is refused, never more."""
    whole = valued.path.read_bytes()
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = valued.path.with_name("damaged.h5")
    path.write_bytes(damaged)
    try:
        job = open_workload(str(path))
        for position in range(2):
            job.load(position)
            job.load_values(position)
    except WorkloadError as error:
        assert "\n" not in str(error)

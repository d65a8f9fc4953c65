"""Files of jobs for inference: written, read, and refused where they do not fit together."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.workload.inference_job import (
    BATCH,
    NEURON,
    OUTPUTS,
    STEPS,
    answered,
    glm_layer,
    inference_job,
    small_inference,
)
from tests.workload.test_check import NORM, layer_edit, put
from tlm.errors import WorkloadError
from tlm.workload import open_workload, write_workload
from tlm.workload.file.reader import stated_mode

Damage = Callable[[h5py.File], object]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Path of a small job of GLM neurons."""
    return small_inference(tmp_path)


def stored(name: str, place: int, number: float) -> Damage:
    """Put another number into a dataset, with the checksum that then is right."""

    def damage(file: h5py.File) -> None:
        dataset = file[f"iteration0/{name}"]
        dataset[place] = number
        put(dataset, "sha256", hashlib.sha256(dataset[...].tobytes()).hexdigest())

    return damage


def neuron_edit(**changes: object) -> Damage:
    """Change keys of the GLM neuron."""
    return layer_edit(lambda rows: rows[0]["neuron"].update(changes))


def unsealed(name: str, number: int) -> Damage:
    """Change a dataset but not its checksum."""

    def damage(file: h5py.File) -> None:
        file[f"iteration0/{name}"][0] = number

    return damage


OPENING: dict[str, tuple[Damage, str]] = {
    "other purpose": (lambda f: put(f, "purpose", "training"), "purpose: expected inference"),
    "purpose unsaid": (lambda f: f.attrs.__delitem__("purpose"), "LIF neurons in a job for train"),
    "extra masks": (lambda f: f.create_group("iteration0/layer0/masks"), "got masks"),
    "no labels": (lambda f: f.__delitem__("iteration0/labels"), "labels: expected to exist"),
    "no registers": (lambda f: f.__delitem__("iteration0/layer0/registers"), "registers: expected"),
    "labels of another type": (
        lambda f: (f.pop("iteration0/labels"), f.create_dataset("iteration0/labels", data=[1])),
        "labels: expected uint32 of 8 elements",
    ),
    "other kind": (neuron_edit(kind="poisson"), "no key but"),
    "unknown key": (neuron_edit(leak=1), "got leak"),
    "missing key": (layer_edit(lambda r: r[0]["neuron"].pop("taps")), 'a key "taps"'),
    "more functions than taps": (neuron_edit(functions=5), r"functions: .* in 1\.\.4"),
    "many taps": (neuron_edit(taps=5000), r"taps: .* in 1\.\.4096"),
    "no devices": (neuron_edit(devices=0), r"devices: .* in 1\.\.16"),
    "no step": (neuron_edit(weight_step=0), "weight_step: expected a number above 0"),
    "infinite step": (neuron_edit(weight_step=1e999), "finite"),
    "wide register": (neuron_edit(register_bits=64), r"register_bits: .* in 8\.\.32"),
    "endless shifts": (neuron_edit(shifts=1 << 40), "shifts"),
    "large table": (neuron_edit(address_bits=40), "address_bits"),
    "entry wider than register": (neuron_edit(output_bits=10), r"output_bits: .* in 1\.\.9"),
    "true as a number": (neuron_edit(shifts=True), "shifts"),
    "GLM behind a norm": (layer_edit(lambda r: r[0].update(norm=NORM)), "without a norm"),
    "a read-out": (layer_edit(lambda r: r[0].update(neuron=None)), "a neuron for each class"),
}

LOADING: dict[str, tuple[Damage, str]] = {
    "a class too many": (
        stored("labels", 2, OUTPUTS),
        r"labels\[2\]: expected classes",
    ),
    "huge label": (stored("labels", 0, 2**32 - 1), r"labels\[0\]"),
    "another step": (
        stored("decision_steps", 1, STEPS + 1),
        r"decision_steps\[1\]: .*first",
    ),
    "another winner": (stored("decisions", 0, 9), r"decisions\[0\]: expected the output that"),
    "changed label": (unsealed("labels", 7), "labels: expected sha256"),
}

NUMBERS: dict[str, tuple[Damage, str]] = {
    "register of zeros": (stored("layer0/registers", 0, 0), "states 1..511"),
    "register too wide": (stored("layer0/registers", 0, 512), "states 1..511"),
    "weight of no device": (stored("layer0/weights", 3, 0.1), "values of 3 devices"),
    "changed register": (unsealed("layer0/registers", 3), "registers: expected sha256"),
}

CASES = {**OPENING, **LOADING, **NUMBERS}


@pytest.mark.parametrize("case", CASES)
def test_refused_on_one_line(case: str, path: Path) -> None:
    """Where the file is opened, or loaded, or its numbers are: naming file and place."""
    damage, expected = CASES[case]
    with h5py.File(path, "r+") as file:
        damage(file)
    with pytest.raises(WorkloadError, match=expected) as caught:
        job = open_workload(str(path))
        assert case not in OPENING
        job.load(0)
        assert case not in LOADING
        job.load_values(0)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_comes_back_as_it_was_written(path: Path) -> None:
    """Bits, answers, weights and registers; and no trace of a backward pass."""
    recording, values = answered()
    job = open_workload(str(path))
    assert (job.mode, stated_mode(path)) == ("inference", "inference")
    assert job.layers == (glm_layer(),)
    loaded, numbers = job.load(0), job.load_values(0)
    assert np.array_equal(loaded.inputs, recording.inputs)
    assert np.array_equal(loaded.spikes[0], recording.spikes[0])
    assert (loaded.masks, loaded.dU, loaded.dY) == ((), (), ())
    for name, array in vars(recording.answers).items():
        assert np.array_equal(vars(loaded.answers)[name], array)
    assert np.array_equal(numbers.parameters[0].weights, values.parameters[0].weights)
    assert np.array_equal(numbers.parameters[0].bias, values.parameters[0].bias)
    assert np.array_equal(numbers.registers[0], values.registers[0])
    assert (numbers.dI, numbers.parameter_gradients, numbers.loss_gradients) == ((), (), {})


def test_sums_stand_in_front_of_the_neurons() -> None:
    """K weights of each input for every neuron, whose filters keep the sums of T - 1 steps."""
    layer = glm_layer()
    assert layer.product_shape == (OUTPUTS * NEURON.functions, 1, 1)
    assert layer.weight_shape == (OUTPUTS * NEURON.functions, 5, 1, 1)
    assert layer.macs == 5 * OUTPUTS * NEURON.functions
    assert layer.state_words == NEURON.functions * (NEURON.taps - 1)


def test_bits_alone_can_be_kept(tmp_path: Path) -> None:
    """Without weights and registers there are spikes and answers, and nothing to rebuild."""
    recording, _ = answered()
    job = replace(inference_job(tmp_path / "bits.h5", glm_layer()), levels=("bits",))
    written = write_workload(job, [recording])
    assert len(written.load(0).answers.labels) == BATCH
    with h5py.File(written.path) as file:
        assert list(file["iteration0/layer0"]) == ["spikes"]


def test_same_bytes_each_time(tmp_path: Path) -> None:
    """Same content, same file."""
    first, second = (small_inference(tmp_path, name).read_bytes() for name in ("a", "b"))
    assert first == second

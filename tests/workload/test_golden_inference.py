"""The golden model of jobs for inference: spikes draw by draw, decisions, and what is not so."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workload.inference_job import (
    NEURON,
    STEPS,
    answered,
    glm_layer,
    inference_job,
    small_inference,
)
from tests.workload.test_check import put
from tlm.cli import main
from tlm.errors import WorkloadError
from tlm.workload import Parameters, Recording, Values, open_workload, write_workload
from tlm.workload.answers import Answers
from tlm.workload.builder import Builder
from tlm.workload.glm.basis import raised_cosines
from tlm.workload.glm.decision import decide
from tlm.workload.golden import check_recording
from tlm.workload.golden.answers import rebuilt_answers
from tlm.workload.golden.glm import glm_excess, glm_potentials
from tlm.workload.golden.neuron import fires, potentials
from tlm.workload.surrogate import lif_neuron


def test_potential_by_hand() -> None:
    """One spike of weight 1 at function k leaves a column of the basis, above the bias."""
    basis = raised_cosines(NEURON.taps, NEURON.functions)
    sums = np.zeros((STEPS, 1, 2 * NEURON.functions, 1, 1))
    sums[1, 0, NEURON.functions + 1] = 1.0  # of the second neuron
    U = glm_potentials(NEURON, sums, np.array([0.5, -2.0]))[:, 0, :, 0, 0]
    assert (U[:, 0] == 0.5).all()
    assert U[:, 1] == pytest.approx([-2.0, *(basis[:, 1] - 2.0), -2.0])


def test_draws_by_hand() -> None:
    """A register of 8 bits, one shift a draw: 1 becomes 10111000b, then it moves right."""
    neuron = replace(NEURON, register_bits=8, shifts=1, output_bits=8)
    U = np.full((3, 1, 1, 1, 1), 100.0)  # beyond the table, whose last entry is at most 255
    excess = glm_excess(neuron, U, np.array([1], np.uint64))[:, 0, 0, 0, 0]
    entry = int(neuron.sampler.table.thresholds(U).flat[0])
    assert (entry - 256 * excess).tolist() == [0b10111000, 0b01011100, 0b00101110]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), bias=st.floats(-6, 2))
def test_spikes_and_decisions_as_the_training_draws_them(seed: int, bias: float) -> None:
    """Products and jumps of registers on one side, terms and single shifts on the other."""
    recording, values = answered(seed, bias)
    job = inference_job(Path("none.h5"), glm_layer())
    (agreement,) = rebuilt_answers(job, recording, values)
    assert agreement.holds() and not agreement.flips and not agreement.free_flips


def flipped(path: Path, name: str, place: int, flip: int) -> None:
    """Change bits of a dataset, and its checksum with them."""
    with h5py.File(path, "r+") as file:
        dataset = file[f"iteration0/{name}"]
        dataset[place] ^= flip
        put(dataset, "sha256", hashlib.sha256(dataset[...].tobytes()).hexdigest())


def test_check_finds_a_spike_that_was_not_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A spike of the last step, where all had been decided before: a flip, and exit code 2."""
    path = small_inference(tmp_path)
    assert main(["workload", "check", str(path)]) == 0
    assert "rebuilt" in capsys.readouterr().out
    recording = open_workload(str(path)).load(0)
    sample = int(recording.answers.decision_steps.argmin())
    assert recording.answers.decision_steps[sample] < STEPS - 1
    element = np.ravel_multi_index((STEPS - 1, sample, 0, 0, 0), recording.spikes[0].shape)
    flipped(path, "layer0/spikes", int(element) // 8, 0x80 >> int(element) % 8)
    assert main(["workload", "check", str(path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "layer output: 1 spikes beyond rounding; record the job again" in line


def test_check_finds_a_register_that_began_elsewhere(tmp_path: Path) -> None:
    """Another seed draws other spikes."""
    path = small_inference(tmp_path)
    flipped(path, "layer0/registers", 0, 6)
    (agreement,) = check_recording(open_workload(str(path)), 0)
    assert agreement.flips and not agreement.holds()


def test_check_finds_a_decision_without_a_spike_that_is_not_the_highest_potential(
    tmp_path: Path,
) -> None:
    """What the reader cannot know without weights, the golden model does."""
    recording, values = answered(seed=2, bias=-4.0)
    silent = np.flatnonzero(recording.answers.decision_steps == STEPS)
    assert len(silent)
    decisions = recording.answers.decisions.copy()
    decisions[silent[0]] = (decisions[silent[0]] + 1) % 3
    answers = replace(recording.answers, decisions=decisions)
    job = inference_job(tmp_path / "silent.h5", glm_layer())
    written = write_workload(job, [replace(recording, answers=answers)], [values])
    with pytest.raises(WorkloadError, match=f"1 samples, first of sample {silent[0]}, are not"):
        check_recording(written, 0)


def test_lif_neurons_may_decide_too(tmp_path: Path) -> None:
    """Two layers of LIF neurons: rebuilt layer by layer, decided by the first output spike."""
    net = Builder((5, 1, 1), lif_neuron(), analog=False)
    net.linear(7)
    net.linear(3)
    job = replace(inference_job(tmp_path / "lif.h5", net.layers[0]), layers=tuple(net.layers))
    draw = np.random.default_rng(4)
    S = (draw.random(job.input_shape) < 0.5).astype(np.float64)
    X, spikes, parameters = S, [], []
    for layer in job.layers:
        weights = draw.normal(0.4, 1, layer.weight_shape).astype(np.float32)
        current = (X[..., 0, 0] @ weights[..., 0, 0].T.astype(np.float64))[..., None, None]
        U = potentials(layer.neuron, current)
        spikes.append(fires(layer.neuron, U))
        parameters.append(Parameters(weights, None, None, None))
        X = spikes[-1].astype(np.float64)
    decisions = decide("first-to-spike", U[..., 0, 0], spikes[-1][..., 0, 0])
    answers = Answers(decisions.classes[-1], decisions.classes[-1], decisions.steps)
    recording = Recording(3, S != 0, tuple(spikes), (), (), (), answers=answers)
    values = Values((S != 0).astype(np.float32), (), tuple(parameters), (), {}, (None, None))
    written = write_workload(job, [recording], [values])
    assert all(agreement.holds() for agreement in check_recording(written, 0))
    assert written.load(0).answers.right == job.batch

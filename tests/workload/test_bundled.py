"""The jobs in the box, and asking for one."""

from __future__ import annotations

import io
import time

import numpy as np
import pytest
from rich.console import Console

from tlm.cli.workload_screen import info_parts
from tlm.errors import WorkloadError
from tlm.workload import Workload, bundled_names, open_workload
from tlm.workload.federated import federated_names
from tlm.workload.recipe import GLMRecipe
from tlm.workload.report.density import densities, hidden_density
from tlm.workload.training.record import load_recipe, recipe_names

JOBS, TRAINING, INFERENCE = bundled_names(), bundled_names("training"), bundled_names("inference")

LEAST_ACCURACY = {
    "cifar-sew": 0.6,
    "cifar-vgg8": 0.4,
    "cifar-vgg8-bn": 0.7,
    "digits": 0.9,
    "digits-transformer": 0.97,
    "mnist-csnn": 0.92,
    "mnist-csnn-atan": 0.92,
    "mnist-csnn-bn": 0.92,
    "mnist-csnn-tri": 0.92,
    "mnist-fc": 0.9,
    "mnist-fc-t25": 0.9,
    "nmnist-cnn": 0.75,
    "nmnist-detector": 0.75,
    "pattern-retention": 0.5,
    "spinaps-mnist": 0.9,
    "spinaps-motions": 0.9,
}


def test_every_recipe_is_recorded() -> None:
    """One file per recipe, or a folder of a federated one, small enough to ship: 25 MB of files."""
    assert recipe_names() == sorted([*JOBS, *federated_names()])
    assert sum(open_workload(name).path.stat().st_size for name in JOBS) < 25e6


@pytest.mark.parametrize("name", JOBS)
def test_a_recipe_for_every_job(name: str) -> None:
    """Each bundled job can be recorded again, and is what its recipe says."""
    job, recipe = open_workload(name), load_recipe(name)
    assert job.name == name
    assert (job.steps, job.batch, job.encoding) == (recipe.steps, recipe.batch, recipe.encoding)
    assert job.levels == recipe.levels
    neurons = {layer.neuron for layer in job.layers if layer.neuron is not None}
    if isinstance(recipe, GLMRecipe):
        assert neurons == {recipe.neuron(neuron.weight_step) for neuron in neurons}
    else:
        assert neurons == {recipe.neuron}


@pytest.mark.parametrize("name", JOBS)
def test_trained_well(name: str) -> None:
    """The recorded network learnt its task; chance is 0.1 (of four motions .25), silence's 0."""
    assert open_workload(name).accuracy >= LEAST_ACCURACY[name]


def test_csnn_densities_are_those_of_an_independent_run() -> None:
    """SpikingJelly, the same network on 13,000 digits, end: S .12, mask .15, dU .045."""
    job = open_workload("mnist-csnn")
    end = job.load(len(job.iterations) - 1)
    assert hidden_density(end.spikes) == pytest.approx(0.12, rel=0.3)
    assert hidden_density(end.masks) == pytest.approx(0.15, rel=0.3)
    assert hidden_density(end.dU) == pytest.approx(0.045, rel=0.3)


@pytest.mark.parametrize("name", TRAINING)
def test_every_layer_is_alive(name: str) -> None:
    """A dead layer would make every engine look infinitely fast."""
    job = open_workload(name)
    for position in range(len(job.iterations)):
        measured = densities(job.load(position))
        assert measured.spikes.mean(1).min() > 0.005
        assert measured.dU.mean(1).min() > 0.01
        assert measured.inputs > 0.01


def test_a_job_is_for_training_or_for_inference() -> None:
    """Each in one of the two lists, by what its file says, not by its name."""
    assert sorted(TRAINING + INFERENCE) == JOBS
    assert {open_workload(name).mode for name in TRAINING} == {"training"}
    assert {open_workload(name).mode for name in INFERENCE} == {"inference"}


@pytest.mark.parametrize("name", INFERENCE)
def test_recorded_answers_are_those_of_the_whole_test_part(name: str) -> None:
    """Small; inputs and outputs spike; the share of right answers is near the job's accuracy."""
    job = open_workload(name)
    assert job.path.stat().st_size < 1e6
    recording = job.load(0)
    measured, answers = densities(recording), recording.answers
    assert answers is not None
    assert measured.inputs > 0.01 and measured.spikes.mean() > 0.01
    chance = (job.accuracy * (1 - job.accuracy) / job.batch) ** 0.5
    assert abs(answers.right / job.batch - job.accuracy) < 3 * chance
    assert (recording.masks, recording.dU, recording.dY) == ((), (), ())


def test_gradient_carried_back_exceeds_the_mask() -> None:
    """Reverse time fills masked positions, so the mask alone would misjudge BP and WG work."""
    job = open_workload("mnist-csnn")
    start = job.load(0)
    beyond = [
        np.count_nonzero(gradient & ~mask)
        for gradient, mask in zip(start.dU, start.masks, strict=True)
    ]
    assert min(beyond) > 0


def test_unknown_name_offers_the_nearest() -> None:
    """A typing mistake is met with the name that was meant."""
    with pytest.raises(WorkloadError, match='did you mean "mnist-csnn"'):
        open_workload("mnist-csn")
    with pytest.raises(WorkloadError, match='unknown recipe "vgg"'):
        load_recipe("vgg")
    with pytest.raises(WorkloadError, match="there is none; check the path"):
        open_workload("folder/job.h5")


def test_tables_show_layers_and_densities(job: Workload, written: object) -> None:
    """The tables name every layer and hold one density table per recording."""
    out = io.StringIO()
    Console(file=out, width=120).print(*info_parts(open_workload(str(job.path))), sep="\n")
    assert out.getvalue().count("Non-zero share") == 2
    for shown in ("0 conv0", "1 fc1", "max 2/2", "written by", "at iteration 7", "0.500"):
        assert shown in out.getvalue()


def test_bits_of_the_largest_job_load_quickly() -> None:
    """Below 0.2 s of processor time, all datasets of an iteration, checksums included."""
    largest = max(JOBS, key=lambda name: open_workload(name).path.stat().st_size)
    job = open_workload(largest)
    best = min(_seconds(job, position) for position in range(len(job.iterations)))
    assert best < 0.2


def _seconds(job: Workload, position: int) -> float:
    started = time.process_time()
    job.load(position)
    return time.process_time() - started

"""A small recorded job to write, damage and read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tlm.workload import Layer, Parameters, Recording, Values, Workload, write_workload
from tlm.workload.builder import Builder
from tlm.workload.model import Pool
from tlm.workload.surrogate import lif_neuron
from tlm.workload.values import FloatArray


@pytest.fixture
def job(tmp_path: Path) -> Workload:
    """A convolution, a pooling and a linear layer; T = 3, B = 2; not written yet."""
    net = Builder((1, 6, 5), lif_neuron())
    net.conv(3, kernel=3, padding=1, pool=Pool.square("max", 2, 2))
    net.linear(4)
    return Workload(
        path=tmp_path / "small.h5",
        name="small",
        layers=tuple(net.layers),
        steps=3,
        batch=2,
        dataset="random",
        licence="CC0",
        accuracy=0.5,
        optimizer="sgd",
        encoding="direct",
        iterations=(0, 7),
        levels=("bits", "bits"),
        provenance={"written by": "a test"},
        sha256="",
    )


def random_recording(job: Workload, iteration: int) -> Recording:
    """Random spikes and masks, and gradients where a mask or the next step allows them."""
    draw = np.random.default_rng(iteration)
    shapes = [job.neuron_shape(layer) for layer in job.layers]
    spikes = tuple(draw.random(shape) < 0.3 for shape in shapes)
    masks = tuple(draw.random(shape) < 0.4 for shape in shapes)
    gradients = tuple(mask.copy() for mask in masks)
    for gradient, spike in zip(gradients, spikes, strict=True):
        gradient[1] |= gradient[2] & ~spike[1]
    inputs = draw.random(job.input_shape) < 0.5
    return Recording(iteration, inputs, spikes, masks, gradients, gradients)


def random_values(job: Workload, recording: Recording) -> Values:
    """Random numbers wherever ``recording`` says that there are some."""
    draw = np.random.default_rng(recording.iteration)

    def floats(shape: tuple[int, ...]) -> FloatArray:
        return (1 + draw.random(shape)).astype(np.float32)

    def parameters(layer: Layer) -> Parameters:
        return Parameters(floats(layer.weight_shape), None, None, None)

    layers = job.layers
    return Values(
        inputs=floats(job.input_shape) * recording.inputs,
        dI=tuple(floats(dU.shape) * dU for dU in recording.dU),
        parameters=tuple(map(parameters, layers)),
        parameter_gradients=tuple(map(parameters, layers)),
        loss_gradients={len(layers) - 1: floats((job.steps, job.batch, *layers[-1].pooled_shape))},
    )


@pytest.fixture
def recordings(job: Workload) -> list[Recording]:
    """One random recording for each of the job's iterations."""
    return [random_recording(job, iteration) for iteration in job.iterations]


@pytest.fixture
def written(job: Workload, recordings: list[Recording]) -> Path:
    """Path of the small job, written."""
    return write_workload(job, recordings).path


@pytest.fixture
def valued(job: Workload, recordings: list[Recording]) -> Workload:
    """The small job with numbers: its first iteration of level "value", its second "exact"."""
    job = replace(job, levels=("value", "exact"))
    return write_workload(
        job, recordings, [random_values(job, recording) for recording in recordings]
    )

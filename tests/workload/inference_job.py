"""A small recorded job for inference, drawn from a seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tlm.workload import Layer, Parameters, Recording, Values, Workload, write_workload
from tlm.workload.answers import Answers
from tlm.workload.glm.basis import raised_cosines
from tlm.workload.glm.decision import decide
from tlm.workload.glm.network import GLMNetwork
from tlm.workload.glm.neuron import GLMNeuron

NEURON = GLMNeuron(
    functions=2,
    taps=4,
    devices=3,
    weight_step=0.3,
    register_bits=9,
    shifts=5,
    address_bits=6,
    output_bits=7,
)
STEPS, BATCH, INPUTS, OUTPUTS = 6, 8, 5, 3


def glm_layer(neuron: GLMNeuron = NEURON) -> Layer:
    """A layer of ``OUTPUTS`` GLM neurons that reads ``INPUTS`` inputs."""
    return Layer(
        index=0,
        name="output",
        kind="linear",
        in_shape=(INPUTS, 1, 1),
        out_shape=(OUTPUTS, 1, 1),
        kernel=(1, 1),
        stride=(1, 1),
        padding=(0, 0),
        sources=(-1,),
        input_pool=None,
        input_kind="binary",
        bias=True,
        norm=None,
        current_pool=None,
        neuron=neuron,
        pool=None,
    )


def inference_job(path: Path, layer: Layer) -> Workload:
    """The job of one layer at level exact; not written yet."""
    return Workload(
        path=path,
        name="small",
        layers=(layer,),
        steps=STEPS,
        batch=BATCH,
        dataset="random",
        licence="CC0",
        accuracy=0.5,
        optimizer="adam",
        encoding="rate",
        iterations=(3,),
        levels=("exact",),
        provenance={"written by": "a test"},
        sha256="",
        mode="inference",
    )


def answered(seed: int = 0, bias: float = -1.5) -> tuple[Recording, Values]:
    """Random inputs and weights, and what the network of the training makes of them.

    Potentials are those of ``GLMNetwork`` and draws those of ``HardwareSampler``: not the way of
    the golden model.
    """
    draw = np.random.default_rng(seed)
    highest = (1 << NEURON.devices) - 1
    codes = draw.integers(highest + 1, size=(INPUTS, OUTPUTS, NEURON.functions))
    weights = (NEURON.weight_step * (codes - highest / 2)).astype(np.float32)
    biases = np.full(OUTPUTS, bias, np.float32)
    S = (draw.random((STEPS, BATCH, INPUTS)) < 0.3).astype(np.float64)
    basis = raised_cosines(NEURON.taps, NEURON.functions)
    U = GLMNetwork(basis, weights.astype(np.float64), biases.astype(np.float64)).potentials(S)
    starts = NEURON.sampler.lfsr.seeded(seed, OUTPUTS)
    spikes = NEURON.sampler.spikes_from(starts, U)
    decisions = decide("first-to-spike", U, spikes)
    labels = draw.integers(OUTPUTS, size=BATCH)
    answers = Answers(labels, decisions.classes[-1], decisions.steps)
    inputs, outputs = S[..., None, None] != 0, spikes[..., None, None]
    recording = Recording(3, inputs, (outputs,), (), (), (), answers=answers)
    rows = weights.reshape(INPUTS, -1).T[:, :, None, None]
    parameters = Parameters(rows, biases, None, None)
    values = Values(inputs.astype(np.float32), (), (parameters,), (), {}, (starts,))
    return recording, values


def small_inference(folder: Path, name: str = "small") -> Path:
    """Path of the job of GLM neurons, written."""
    recording, values = answered()
    job = inference_job(folder / f"{name}.h5", glm_layer())
    return write_workload(job, [recording], [values]).path

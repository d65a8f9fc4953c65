"""Train a GLM recipe and write its job for inference: what it answers to samples of the test part.

Its weights are tuned to binary devices, and the hardware's sampler draws its output spikes.
Nothing is kept that the golden model does not rebuild.
"""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np

from tlm.errors import WorkloadError
from tlm.workload.answers import Answers
from tlm.workload.file.writer import write_workload
from tlm.workload.glm.arrays import Array, Flags
from tlm.workload.glm.decision import Decisions, decide
from tlm.workload.glm.lfsr import States
from tlm.workload.glm.network import GLMNetwork
from tlm.workload.glm.neuron import GLMNeuron
from tlm.workload.model import NETWORK_INPUT, Layer, Recording, Workload
from tlm.workload.recipe import GLMRecipe
from tlm.workload.report.audit import audit
from tlm.workload.training.datasets import DataSet
from tlm.workload.training.glm.training import Devices, device_step, input_spikes, train, tuned
from tlm.workload.values import Parameters, Values


def record_glm(recipe: GLMRecipe, dataset: DataSet, out: Path) -> Path:
    """Train ``recipe`` and write its job to ``out``.

    The job's accuracy is that over the whole test part, of which the first samples are recorded.
    Raises WorkloadError if the file cannot be written, or if the golden model rebuilds other
    spikes or decisions; then ``out`` is taken away again.
    """
    ideal = train(recipe, "first-to-spike", dataset)
    network = _in_single_precision(
        tuned(
            recipe, "first-to-spike", dataset, ideal, Devices(recipe.devices, recipe.tuning_epochs)
        )
    )
    neuron = recipe.neuron(device_step(dataset, ideal, recipe.devices))
    S = input_spikes(dataset, dataset.test, recipe.steps, (recipe.seed, recipe.epochs, 0))
    U = network.potentials(S)
    starts = neuron.sampler.lfsr.seeded(recipe.seed, recipe.outputs)
    spikes = neuron.sampler.spikes_from(starts, U)
    decisions = decide("first-to-spike", U, spikes)
    accuracy = float(decisions.accuracy(dataset.test.labels)[-1])
    recording = _recording(recipe, dataset, S, spikes, decisions)
    written = write_workload(
        _job(recipe, dataset, out, neuron, accuracy),
        [recording],
        [_values(recording, network, starts)],
    )
    try:
        for _ in audit(written):
            pass
    except WorkloadError:
        out.unlink()
        raise
    return written.path


def _in_single_precision(network: GLMNetwork) -> GLMNetwork:
    """The network as the job's file keeps it: spikes drawn from it can be rebuilt from the file."""
    weights, bias = (
        array.astype(np.float32).astype(np.float64) for array in (network.weights, network.bias)
    )
    return GLMNetwork(network.basis, weights, bias)


def _recording(
    recipe: GLMRecipe, dataset: DataSet, S: Array, spikes: Flags, decisions: Decisions
) -> Recording:
    some = slice(recipe.batch)
    answers = Answers(dataset.test.labels[some], decisions.classes[-1][some], decisions.steps[some])
    inputs, outputs = (array[:, some, :, None, None] != 0 for array in (S, spikes))
    return Recording(_updates(recipe, dataset), inputs, (outputs,), (), (), (), answers=answers)


def _updates(recipe: GLMRecipe, dataset: DataSet) -> int:
    """Training iterations behind the recorded weights."""
    epochs = recipe.epochs + recipe.tuning_epochs
    return epochs * -(-len(dataset.train.labels) // recipe.training_batch)


def _values(recording: Recording, network: GLMNetwork, starts: States) -> Values:
    inputs = len(network.weights)
    weights = network.weights.reshape(inputs, -1).T[:, :, None, None].astype(np.float32)
    parameters = Parameters(weights, network.bias.astype(np.float32), None, None)
    return Values(recording.inputs.astype(np.float32), (), (parameters,), (), {}, (starts,))


def _job(
    recipe: GLMRecipe, dataset: DataSet, out: Path, neuron: GLMNeuron, accuracy: float
) -> Workload:
    layer = Layer(
        index=0,
        name="output",
        kind="linear",
        in_shape=(prod(dataset.test.inputs.shape[-3:]), 1, 1),
        out_shape=(recipe.outputs, 1, 1),
        kernel=(1, 1),
        stride=(1, 1),
        padding=(0, 0),
        sources=(NETWORK_INPUT,),
        input_pool=None,
        input_kind="binary",
        bias=True,
        norm=None,
        current_pool=None,
        neuron=neuron,
        pool=None,
    )
    return Workload(
        path=out,
        name=recipe.name,
        layers=(layer,),
        steps=recipe.steps,
        batch=recipe.batch,
        dataset=dataset.title,
        licence=dataset.licence,
        accuracy=accuracy,
        optimizer="adam",
        encoding=recipe.encoding,
        iterations=(0,),
        levels=recipe.levels,
        provenance=_provenance(recipe, dataset),
        sha256="",
        mode="inference",
    )


def _provenance(recipe: GLMRecipe, dataset: DataSet) -> dict[str, str]:
    return {
        "recipe": recipe.name,
        "data": dataset.source,
        "training": (
            f"first-to-spike rule, Adam, learning rate {recipe.learning_rate:g} falling as a "
            f"cosine, {recipe.epochs} epochs of mini-batches of {recipe.training_batch}, then "
            f"{recipe.tuning_epochs} in weights of {recipe.devices} binary devices, "
            f"seed {recipe.seed}"
        ),
        "recorded": f"the first {recipe.batch} samples of the test part",
        "accuracy of": f"one drawing of all {len(dataset.test.labels)} samples of the test part",
    }

"""What a file of a job for inference holds beside bits and weights: answers and registers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import h5py
import numpy as np
from numpy.typing import NDArray

from tlm.workload.answers import Answers
from tlm.workload.file import schema
from tlm.workload.file.elements import read_elements
from tlm.workload.file.fault import DAMAGED, REMEDY, fault
from tlm.workload.file.layout import expected_integers, expected_values
from tlm.workload.glm.devices import quantised
from tlm.workload.glm.lfsr import States
from tlm.workload.glm.neuron import GLMNeuron
from tlm.workload.model import BoolArray, Layer, Workload
from tlm.workload.values import FloatArray, Parameters

Integers = Mapping[str, NDArray[np.uint32]]


def read_integers(workload: Workload, file: h5py.File, position: int) -> Integers:
    """Datasets of whole numbers by key; none of a job for training.

    Raises WorkloadError if a checksum is wrong.
    """
    return {
        key: read_elements(workload.path, file, expected)
        for key, expected in expected_integers(workload, position).items()
    }


def checked_answers(
    workload: Workload, position: int, spikes: BoolArray, integers: Integers
) -> Answers:
    """The answers of iteration ``position``, whose output ``spikes`` are [T, B, K, 1, 1].

    Raises WorkloadError if a class is none, or if step and class are not those of the first spike.
    Without a spike the decision takes the potential: the golden model checks that.
    """
    labels, decisions, decision_steps = (
        integers[key].astype(np.int64)
        for key in (schema.LABELS, schema.DECISIONS, schema.DECISION_STEPS)
    )
    classes, spiking = workload.layers[-1].out_shape[0], spikes[..., 0, 0].any(2)
    spoken = spiking.any(0)
    first = np.where(spoken, spiking.argmax(0), workload.steps)
    leader = spikes[spiking.argmax(0), np.arange(workload.batch), :, 0, 0].argmax(1)
    rules = {
        schema.LABELS: (labels < classes, f"classes 0..{classes - 1}"),
        schema.DECISION_STEPS: (
            decision_steps == first,
            f"the step of the first output spike, {workload.steps} without one",
        ),
        schema.DECISIONS: (
            np.where(spoken, decisions == leader, decisions < classes),
            "the output that spikes first, the lowest of several, or without one some class",
        ),
    }
    for key, (holds, expected) in rules.items():
        if not holds.all():
            wrong = int(np.argmin(holds))
            name = f"/{expected_integers(workload, position)[key].name}[{wrong}]"
            raise fault(workload.path, name, expected, int(integers[key][wrong]), REMEDY)
    return Answers(labels, decisions, decision_steps)


def checked_glm(
    workload: Workload, position: int, parameters: Sequence[Parameters], integers: Integers
) -> tuple[States | None, ...]:
    """By layer, the start states of the registers of GLM neurons; None without any.

    Raises WorkloadError if a state is none of its register, or a weight none of its devices.
    """
    starts: list[States | None] = []
    for layer, trained in zip(workload.layers, parameters, strict=True):
        key, neuron = f"{layer.index}/{schema.REGISTERS}", layer.neuron
        if not isinstance(neuron, GLMNeuron) or key not in integers:
            starts.append(None)
            continue
        states = integers[key].astype(np.uint64)
        if not ((states > 0) & (states < 1 << neuron.register_bits)).all():
            name = f"/{expected_integers(workload, position)[key].name}"
            expected = f"states 1..{(1 << neuron.register_bits) - 1}"
            raise fault(workload.path, name, expected, states.tolist(), REMEDY)
        _check_devices(workload, position, layer, neuron, trained.weights)
        starts.append(states)
    return tuple(starts)


def _check_devices(
    workload: Workload, position: int, layer: Layer, neuron: GLMNeuron, weights: FloatArray
) -> None:
    nearest = quantised(weights.astype(np.float64), neuron.devices, neuron.weight_step)
    wrong = int(np.count_nonzero(nearest.astype(np.float32) != weights))
    if wrong:
        name = f"/{expected_values(workload, position)[f'{layer.index}/weights'].name}"
        expected = f"values of {neuron.devices} devices with a step of {neuron.weight_step:g}"
        raise fault(workload.path, name, expected, f"{wrong} others", DAMAGED)

"""What a job may hold, by what it was recorded for."""

from __future__ import annotations

from tlm.workload.file.fault import REMEDY, fault
from tlm.workload.glm.neuron import GLMNeuron
from tlm.workload.model import Workload


def check_mode(workload: Workload) -> None:
    """Refuse GLM neurons in a job for training, and a job for inference that decides nothing.

    Raises WorkloadError naming the layer.
    """
    if workload.mode == "training":
        for layer in workload.layers:
            if isinstance(layer.neuron, GLMNeuron):
                key, expected = f"layers[{layer.index}].neuron", "LIF neurons in a job for training"
                raise fault(workload.path, key, expected, "GLM neurons", REMEDY)
        return
    last = workload.layers[-1]
    if not last.spiking or last.out_shape[1:] != (1, 1):
        expected = "a neuron for each class in a job for inference"
        got = f"neurons of shape {last.out_shape}" if last.spiking else "a read-out"
        raise fault(workload.path, f"layers[{last.index}]", expected, got, REMEDY)

"""Jobs that an inference core takes: its array and its neurons are what its table says."""

from __future__ import annotations

from tlm.config.tables.array_core import ArrayCoreTable
from tlm.errors import MappingError
from tlm.workload.glm.neuron import GLMNeuron
from tlm.workload.model import Workload


def check_core(workload: Workload, core: ArrayCoreTable) -> None:
    """Refuse what does not fit the core.

    Raises:
        MappingError: training, layers that are not one of GLM neurons, or a network that is larger
            than the array or needs more of a neuron than there is.
    """
    if workload.learns:
        raise MappingError(
            f"energy: the inference core {core.name} cannot learn; run {workload.name} with mode "
            "inference, or on another chip"
        )
    neuron = workload.layers[0].neuron
    if len(workload.layers) > 1 or not isinstance(neuron, GLMNeuron):
        raise MappingError(
            f"energy: the inference core {core.name} has one layer of GLM neurons, {workload.name} "
            "is another network; run it on another chip"
        )
    network, layer = core.network, workload.layers[0]
    for what, needed, room in (
        ("inputs", layer.in_shape[0], network.inputs.value),
        ("outputs", layer.out_shape[0], network.outputs.value),
        ("functions of the basis", neuron.functions, network.basis.value),
        ("devices of a weight", neuron.devices, network.devices.value),
    ):
        if needed > room:
            raise MappingError(
                f"energy: the inference core {core.name} has {room} {what}, {workload.name} needs "
                f"{needed}; change array_core and the arrays of the chip"
            )

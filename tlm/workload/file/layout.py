"""Which datasets a workload's header calls for: name, shape and form of each."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal, TypeAlias

from tlm.workload.file import schema
from tlm.workload.model import Layer, Workload

Form: TypeAlias = Literal["bits", "floats", "nonzeros"]


@dataclass(frozen=True)
class Expected:
    """A dataset the header calls for: its HDF5 name, logical shape and form.

    "bits" are packed, eight per byte, "floats" every element, "nonzeros" the elements whose bit is
    set in the dataset named ``bits_of``, whose shape is ``shape``.
    """

    name: str
    shape: tuple[int, ...]
    form: Form = "bits"
    bits_of: str = ""

    @property
    def nbytes(self) -> int:
        """Bytes of packed bits, eight elements per byte."""
        return -(-prod(self.shape) // 8)


def expected_bits(workload: Workload, position: int) -> dict[str, Expected]:
    """Datasets of masks of iteration ``position`` by key: "inputs", "0/spikes", "0/masks", ..."""
    group = schema.iteration_group(position)
    datasets = {schema.INPUTS: Expected(f"{group}/{schema.INPUTS}", workload.input_shape)}
    for layer in workload.layers:
        for kind in _mask_kinds(layer):
            name = f"{group}/{schema.layer_group(layer.index)}/{kind}"
            before_neuron = kind == schema.OUTPUT_GRADIENTS
            shape = workload.product_shape(layer) if before_neuron else workload.neuron_shape(layer)
            datasets[f"{layer.index}/{kind}"] = Expected(name, shape)
    return datasets


def expected_values(workload: Workload, position: int) -> dict[str, Expected]:
    """Datasets of numbers of iteration ``position`` by key; none if its level is "bits"."""
    level = workload.levels[position]
    group = schema.iteration_group(position)
    datasets: dict[str, Expected] = {}
    if level == "bits":
        return datasets
    if workload.encoding == "direct":
        name = f"{group}/{schema.INPUT_VALUES}"
        datasets[schema.INPUT_VALUES] = Expected(
            name, workload.input_shape, "nonzeros", schema.INPUTS
        )
    if level == "exact":
        last = workload.layers[-1]
        shape = (workload.steps, workload.batch, *last.pooled_shape)
        name = f"{group}/{schema.LOSS_GRADIENT}"
        datasets[schema.LOSS_GRADIENT] = Expected(name, shape, "floats")
    for layer in workload.layers:
        datasets.update(_layer_values(workload, layer, group))
    return datasets


def expected_datasets(workload: Workload, position: int) -> dict[str, Expected]:
    """Every dataset of iteration ``position`` by key."""
    return {**expected_bits(workload, position), **expected_values(workload, position)}


def parameter_shapes(layer: Layer) -> dict[str, tuple[int, ...]]:
    """Shapes of what is trained in a layer, by name (see ``Parameters``)."""
    channels = (layer.out_shape[0],)
    shapes: dict[str, tuple[int, ...]] = {"weights": layer.weight_shape}
    if layer.bias:
        shapes["bias"] = channels
    if layer.norm is not None:
        shapes["scale"] = shapes["shift"] = channels
    return shapes


def _mask_kinds(layer: Layer) -> list[str]:
    kinds = [schema.GRADIENTS]
    if layer.neuron is not None:
        kinds = [schema.SPIKES, schema.MASKS, *kinds]
    if not layer.product_is_current:
        kinds.append(schema.OUTPUT_GRADIENTS)
    return kinds


def _layer_values(workload: Workload, layer: Layer, group: str) -> dict[str, Expected]:
    key, place = str(layer.index), f"{group}/{schema.layer_group(layer.index)}"
    datasets = {
        f"{key}/{schema.GRADIENT_VALUES}": Expected(
            f"{place}/{schema.GRADIENT_VALUES}",
            workload.neuron_shape(layer),
            "nonzeros",
            f"{key}/{schema.GRADIENTS}",
        )
    }
    for name, shape in parameter_shapes(layer).items():
        for stored in (name, name + schema.PARAMETER_GRADIENTS):
            datasets[f"{key}/{stored}"] = Expected(f"{place}/{stored}", shape, "floats")
    return datasets

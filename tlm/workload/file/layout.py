"""Which datasets a workload's header calls for: name, shape and form of each."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal, TypeAlias

from tlm.workload.file import schema
from tlm.workload.glm.neuron import GLMNeuron
from tlm.workload.input_kind import CODED
from tlm.workload.model import Layer, Neuron, Workload
from tlm.workload.readers import has_dY, heads

Form: TypeAlias = Literal["bits", "floats", "nonzeros", "integers"]


@dataclass(frozen=True)
class Expected:
    """A dataset the header calls for: its HDF5 name, logical shape and form.

    "bits" are packed, eight per byte, "floats" and "integers" every element, "nonzeros" the
    elements whose bit is set in the dataset named ``bits_of``, whose shape is ``shape``.
    """

    name: str
    shape: tuple[int, ...]
    form: Form = "bits"
    bits_of: str = ""

    @property
    def count(self) -> int:
        """Elements of the logical shape."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of packed bits, eight elements per byte."""
        return -(-self.count // 8)


def expected_bits(workload: Workload, position: int) -> dict[str, Expected]:
    """Datasets of masks of iteration ``position`` by key: "inputs", "0/spikes", "0/masks", ..."""
    group = schema.iteration_group(position)
    datasets = {schema.INPUTS: Expected(f"{group}/{schema.INPUTS}", workload.input_shape)}
    for layer in workload.layers:
        for kind in _mask_kinds(workload, layer):
            name = f"{group}/{schema.layer_group(layer.index)}/{kind}"
            shape = workload.neuron_shape(layer)
            if kind == schema.OUTPUT_GRADIENTS:
                shape = workload.product_shape(layer)
            elif kind == schema.KEPT:
                shape = (workload.steps, workload.batch, *layer.in_shape)
            datasets[f"{layer.index}/{kind}"] = Expected(name, shape)
    return datasets


def expected_values(workload: Workload, position: int) -> dict[str, Expected]:
    """Datasets of numbers of iteration ``position`` by key; none if its level is "bits"."""
    level = workload.levels[position]
    group = schema.iteration_group(position)
    datasets: dict[str, Expected] = {}
    if level == "bits":
        return datasets
    if CODED[workload.encoding] != "binary":
        name = f"{group}/{schema.INPUT_VALUES}"
        datasets[schema.INPUT_VALUES] = Expected(
            name, workload.input_shape, "nonzeros", schema.INPUTS
        )
    if level == "exact" and workload.mode == "training":
        for head in heads(workload.layers):
            key = loss_gradient_key(workload, head)
            shape = (workload.steps, workload.batch, *workload.layers[head].pooled_shape)
            folder = "" if key == schema.LOSS_GRADIENT else f"{schema.layer_group(head)}/"
            name = f"{group}/{folder}{schema.LOSS_GRADIENT}"
            datasets[key] = Expected(name, shape, "floats")
    for layer in workload.layers:
        datasets.update(_layer_values(workload, layer, group))
    return datasets


def expected_datasets(workload: Workload, position: int) -> dict[str, Expected]:
    """Every dataset of iteration ``position`` by key."""
    return {
        **expected_bits(workload, position),
        **expected_values(workload, position),
        **expected_integers(workload, position),
    }


def expected_integers(workload: Workload, position: int) -> dict[str, Expected]:
    """Datasets of whole numbers of iteration ``position`` by key: of jobs for inference alone.

    Answers, one a sample, and at level "exact" the shift registers of GLM neurons.
    """
    datasets: dict[str, Expected] = {}
    if workload.mode == "training":
        return datasets
    group = schema.iteration_group(position)
    for name in (schema.LABELS, schema.DECISIONS, schema.DECISION_STEPS):
        datasets[name] = Expected(f"{group}/{name}", (workload.batch,), "integers")
    for layer in workload.layers:
        if isinstance(layer.neuron, GLMNeuron) and workload.levels[position] == "exact":
            name = f"{group}/{schema.layer_group(layer.index)}/{schema.REGISTERS}"
            neurons = (layer.out_shape[0],)
            datasets[f"{layer.index}/{schema.REGISTERS}"] = Expected(name, neurons, "integers")
    return datasets


def loss_gradient_key(workload: Workload, head: int) -> str:
    """Key of the loss's gradient at layer ``head``: that of the last layer stands outside."""
    last = len(workload.layers) - 1
    return schema.LOSS_GRADIENT if head == last else f"{head}/{schema.LOSS_GRADIENT}"


def parameter_shapes(layer: Layer, steps: int) -> dict[str, tuple[int, ...]]:
    """Shapes of what is trained in a layer over T ``steps``, by name (see ``Parameters``)."""
    shapes: dict[str, tuple[int, ...]] = {}
    if layer.weighted:
        shapes["weights"] = layer.weight_shape
    if layer.bias:
        shapes["bias"] = (layer.out_shape[0],)
    if layer.norm is not None:
        shapes.update(layer.norm.parameter_shapes(layer.out_shape[0], steps))
    if isinstance(layer.neuron, Neuron):
        count = layer.out_shape[0] if layer.neuron.by_channel else 1
        shapes.update(dict.fromkeys(layer.neuron.learnt, (count,)))
    return shapes


def _mask_kinds(workload: Workload, layer: Layer) -> list[str]:
    if workload.mode == "inference":
        return [schema.SPIKES] if layer.neuron is not None else []
    kinds = [schema.GRADIENTS]
    if layer.neuron is not None:
        kinds = [schema.SPIKES, schema.MASKS, *kinds]
    if has_dY(layer, workload.layers):
        kinds.append(schema.OUTPUT_GRADIENTS)
    if layer.dropout:
        kinds.append(schema.KEPT)
    return kinds


def _layer_values(workload: Workload, layer: Layer, group: str) -> dict[str, Expected]:
    key, place = str(layer.index), f"{group}/{schema.layer_group(layer.index)}"
    datasets: dict[str, Expected] = {}
    endings = [""]
    if workload.mode == "training":
        endings.append(schema.PARAMETER_GRADIENTS)
        datasets[f"{key}/{schema.GRADIENT_VALUES}"] = Expected(
            f"{place}/{schema.GRADIENT_VALUES}",
            workload.neuron_shape(layer),
            "nonzeros",
            f"{key}/{schema.GRADIENTS}",
        )
    for name, shape in parameter_shapes(layer, workload.steps).items():
        for ending in endings:
            stored = name + ending
            datasets[f"{key}/{stored}"] = Expected(f"{place}/{stored}", shape, "floats")
    return datasets

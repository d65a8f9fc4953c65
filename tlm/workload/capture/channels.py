"""Constants that differ from neuron to neuron -> those of a layer's channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from tlm.errors import WorkloadError
from tlm.workload.capture.arranging import features_of
from tlm.workload.capture.tensor_axes import TensorAxes
from tlm.workload.channels import CONSTANTS
from tlm.workload.model import Neuron, Shape3
from tlm.workload.values import FloatArray


def by_neuron(
    name: str, several: Mapping[str, FloatArray], shape: Sequence[int], axes: TensorAxes | None
) -> dict[str, FloatArray]:
    """Constants as they meet a tensor of ``shape``: of its neurons, [C, H, W] or [C].

    Raises WorkloadError for one that does not fit, or differs from step to step or by sample.
    """
    import torch

    constants = {}
    for constant, array in several.items():
        try:
            whole = torch.from_numpy(array).expand(tuple(shape))
        except RuntimeError:
            raise _misfit(name, constant, array, f"which does not meet {list(shape)}") from None
        whole = whole if axes is None else axes.planar(whole)
        features = features_of(tuple(whole.shape))
        rows = whole.reshape(-1, *features)
        if bool((rows != rows[:1]).any()):
            raise _misfit(name, constant, array, "and differs from step to step or by sample")
        constants[constant] = np.ascontiguousarray(rows[0].numpy())
    return constants


def by_channel(
    name: str, neuron: Neuron, constants: Mapping[str, FloatArray], shape: Shape3
) -> Neuron:
    """The neuron of a layer of ``shape`` [K, E, F] with its constants by channel.

    Raises WorkloadError for one that differs within a channel.
    """
    if not constants:
        return neuron
    for constant, array in constants.items():
        planes = array.reshape(shape[0], -1)
        if (planes != planes[:, :1]).any():
            raise _misfit(name, constant, array, "and differs within a channel")
    return replace(
        neuron,
        channels=tuple(
            (constant, tuple(constants[constant].reshape(shape)[:, 0, 0].tolist()))
            for constant in CONSTANTS
            if constant in constants
        ),
    )


def _misfit(name: str, constant: str, array: FloatArray, why: str) -> WorkloadError:
    return WorkloadError(
        f"{name}: its {constant} is of shape {list(array.shape)}, {why}; a job holds one number "
        "of a layer, or one of each channel: give it a shape that says so, such as [C, 1, 1]"
    )

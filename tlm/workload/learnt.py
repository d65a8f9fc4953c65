"""Numbers of a neuron's equation that learn, and the constants that follow from one.

============= =============================================================================
``leak``      decay = 1 - a, gain = a, offset = a initial; ``a`` is 1 / tau of a leak that takes
              state and input alike (Fang et al., "Incorporating learnable membrane time
              constant", ICCV 2021, arXiv 2007.05785)
``state_leak`` decay = 1 - a, offset = a initial: the input comes whole
``decay``     decay = a
``beta``      decay = a, reset_value = threshold / a of a soft reset: what is subtracted a step
              later (snnTorch) stays the threshold
``threshold`` threshold = a; what a soft reset subtracts changes in the same ratio
============= =============================================================================

A layer has one number, or one a channel; of those that set the decay one at most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tlm.workload.channels import with_channels
from tlm.workload.model import Layer, Neuron
from tlm.workload.values import FloatArray, Parameters

DECAYS = ("leak", "state_leak", "decay", "beta")
LEARNT = (*DECAYS, "threshold")

_SETS = {
    "leak": ("decay", "gain", "offset"),
    "state_leak": ("decay", "offset"),
    "decay": ("decay",),
    "beta": ("decay",),
    "threshold": ("threshold",),
}


def with_numbers(neuron: Neuron, numbers: Mapping[str, FloatArray]) -> Neuron:
    """The neuron with the constants of its channels, and those that follow from learnt ``numbers``.

    Numbers are [1] or [K]; constants of channels are arrays [K, 1, 1], which work like numbers on
    [..., K, E, F].
    """
    neuron = with_channels(neuron)
    for name, values in numbers.items():
        number: Any = float(values[0]) if len(values) == 1 else values[:, None, None]
        neuron = replace(neuron, **_constants(neuron, name, number))
    return neuron


def _constants(neuron: Neuron, name: str, number: Any) -> dict[str, Any]:
    if name in ("leak", "state_leak"):
        constants = {"decay": 1 - number, "offset": number * neuron.initial}
        return constants | ({"gain": number} if name == "leak" else {})
    if name == "beta" and neuron.reset == "soft":
        return {"decay": number, "reset_value": neuron.threshold / number}
    if name == "threshold":
        ratio = neuron.reset_value / neuron.threshold if neuron.reset == "soft" else None
        subtracted = {} if ratio is None else {"reset_value": ratio * number}
        return {"threshold": number, **subtracted}
    return {"decay": number}


def set_by(neuron: Neuron) -> set[str]:
    """The constants that follow from what the neuron learns, and from nothing else."""
    names = {name for learnt in neuron.learnt for name in _SETS[learnt]}
    return names | {"reset_value"} if "beta" in neuron.learnt and neuron.reset == "soft" else names


def slopes(neuron: Neuron, name: str) -> dict[str, Any]:
    """How the constants change with a number, by their names."""
    if name in ("leak", "state_leak"):
        slope = {"decay": -1.0, "offset": neuron.initial}
        return slope | ({"gain": 1.0} if name == "leak" else {})
    if name == "beta" and neuron.reset == "soft":
        return {"decay": 1.0, "reset_value": -neuron.reset_value / neuron.decay}
    if name == "threshold":
        soft = {"reset_value": neuron.reset_value / neuron.threshold}
        return {"threshold": 1.0, **(soft if neuron.reset == "soft" else {})}
    return {"decay": 1.0}


def at_iteration(layers: Sequence[Layer], parameters: Sequence[Parameters]) -> list[Layer]:
    """Layers whose neurons have the constants of one iteration."""
    return [
        replace(layer, neuron=with_numbers(layer.neuron, trained.constants))
        if isinstance(layer.neuron, Neuron) and (trained.constants or layer.neuron.channels)
        else layer
        for layer, trained in zip(layers, parameters, strict=True)
    ]

"""Constants of a neuron's equation that differ from channel to channel, and are not trained."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tlm.workload.model import Neuron

CONSTANTS = ("decay", "gain", "threshold", "reset_value", "offset", "initial", "current_decay")
"""Those that may, by their names and in the order of ``Neuron.channels``."""


def with_channels(neuron: Neuron) -> Neuron:
    """The neuron with the constants of its channels, 32-bit floats [K, 1, 1], in their places.

    They work like numbers on [..., K, E, F].
    """
    arrays: dict[str, Any] = {
        name: np.array(values, np.float32)[:, None, None] for name, values in neuron.channels
    }
    return replace(neuron, **arrays, channels=()) if arrays else neuron


def backward_constants(neuron: Neuron) -> tuple[str, ...]:
    """Constants by channel that BP reads: those that stand in dU, dI or a learnt gradient.

    A reset value where a gradient passes the reset, a threshold where it passes a surrogate. V of
    the step before, and the current, of which a learnt number is a factor, follow from all.
    """
    if neuron.learnt:
        return tuple(name for name, _ in neuron.channels)
    through_reset = neuron.reset != "none" and not neuron.detach_reset
    needed = {
        "threshold": neuron.output == "spikes" or through_reset,
        "reset_value": through_reset,
        "offset": False,
        "initial": False,
    }
    return tuple(name for name, _ in neuron.channels if needed.get(name, True))

"""Widths: how many bits an element of a layer's output has in DRAM."""

from __future__ import annotations

from tlm.config.chip import ChipConfig
from tlm.workload.model import Layer


def output_bits(layer: Layer, chip: ChipConfig) -> int:
    """What later layers read: a spike, a count of them behind average-pooling, or a value."""
    if layer.neuron is None:
        return chip.precision.input
    if layer.pool is not None and layer.pool.kind != "max":
        return layer.pool.places.bit_length()
    return 1


def outcome_bits(layer: Layer, chip: ChipConfig) -> int:
    """What inference hands over to the host of a head: a spike, a count, or a number as wide as
    the membrane, a current or a potential.
    """
    return output_bits(layer, chip) if layer.spiking else chip.precision.membrane

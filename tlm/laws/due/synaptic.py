"""Synaptic operations due: each spike is added up once for every stored weight that it meets.

Counted spike by spike: how many outputs an input reaches (its fan-out), summed over all spikes.
"""

from __future__ import annotations

import numpy as np

from tlm.laws.due.facts import Facts, LayerFacts
from tlm.laws.due.masks import layer_inputs
from tlm.laws.due.rows import tap_places
from tlm.space.array_types import Ints
from tlm.workload.model import NETWORK_INPUT


def synaptic_due(job: Facts) -> dict[int, int]:
    """Synaptic operations of FP, by the index of every layer that reads spikes."""
    return {
        facts.index: int((_spikes(job, facts) * fan_out(facts)).sum())
        for facts in job.layers
        if reads_spikes(job, facts)
    }


def reads_spikes(job: Facts, facts: LayerFacts) -> bool:
    """Whether inputs are spikes or counts of them, not pixels or values without neurons.

    And whether they meet weights: a matmul has none.
    """
    if facts.layer.held is not None:
        return False
    direct = job.workload.encoding == "direct" and NETWORK_INPUT in facts.layer.sources
    return (
        facts.layer.multiplies
        and not direct
        and all(source.layer.neuron for source in job.among(facts.producers))
    )


def fan_out(facts: LayerFacts) -> Ints:
    """How many outputs each input reaches through a stored weight, [C, H, W]."""
    layer = facts.layer
    places = np.ones(layer.weight_shape, np.bool_) if facts.stored is None else facts.stored.mask
    by_group = places.reshape(layer.groups, -1, *places.shape[1:]).sum(axis=1)
    reached = by_group.reshape(layer.in_shape[0], *layer.kernel)  # [C, R, S]: by input and tap
    (rows, columns), (sy, sx), (py, px) = layer.product_shape[1:], layer.stride, layer.padding
    channels, height, width = layer.in_shape
    padded = np.zeros((channels, height + 2 * py, width + 2 * px), np.int64)
    down, across = tap_places(layer)
    for r, s in np.ndindex(layer.kernel):
        y, x = down[r], across[s]
        met = padded[:, y : y + (rows - 1) * sy + 1 : sy, x : x + (columns - 1) * sx + 1 : sx]
        met += reached[:, r, s, None, None]
    return padded[:, py : py + height, px : px + width]


def _spikes(job: Facts, facts: LayerFacts) -> Ints:
    """How often each input of a layer is not zero, [C, H, W]."""
    total = np.zeros(facts.layer.in_shape, np.int64)
    for inputs, running in zip(layer_inputs(job.masks, facts.layer), job.running, strict=True):
        due = inputs if running.all() else inputs[running]
        total += due.view(np.uint8).sum(axis=0, dtype=np.min_scalar_type(len(running)))
    return total

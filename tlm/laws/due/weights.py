"""Weights due: what every core needs of every layer's weights."""

from __future__ import annotations

from math import prod

from tlm.laws.due.amounts import WeightsDue
from tlm.laws.due.facts import Facts, LayerFacts
from tlm.laws.due.rows import taps_met
from tlm.space.region import Slice, length


def weights_due(job: Facts) -> dict[tuple[int, str, int], WeightsDue]:
    """The weights that FP and BP of a core need of a layer, by (core, engine, layer).

    A matmul has none.
    """
    due = {}
    for facts in (each for each in job.layers if each.layer.weighted):
        for part in facts.slices:
            due[part.core, "fp", facts.index] = _forward(job, facts, part)
            if job.learns and facts.producers and length(part.input_rows):
                due[part.core, "bp", facts.index] = _backward(job, facts, part)
    return due


def _forward(job: Facts, facts: LayerFacts, part: Slice) -> WeightsDue:
    channels, width = length(part.neurons.channels), facts.layer.product_shape[2]
    elements = channels * len(facts.product_rows(part)) * width
    return _due(job, facts, "fp", facts.words_of("fp", part), elements)


def _backward(job: Facts, facts: LayerFacts, part: Slice) -> WeightsDue:
    """All weights of a slice; on the compacted grid those whose tap meets an output."""
    layer, channels = facts.layer, length(part.neurons.channels)
    inputs, _, width = layer.in_shape
    elements = inputs * length(part.input_rows) * width * channels // layer.groups
    compacted = job.chip.core.engines.bp.grid == "compacted"
    taps = taps_met(layer, part) if compacted else range(prod(layer.kernel))
    if facts.stored is not None:
        words = facts.stored.words("bp", part.neurons.channels, taps)
        return _due(job, facts, "bp", words, elements)
    return _due(job, facts, "bp", layer.weight_shape[1] * channels * len(taps), elements)


def _due(job: Facts, facts: LayerFacts, engine: str, count: int, elements: int) -> WeightsDue:
    """``count`` words; some of them may stay in the weight memory or in that of U.

    Where all stay while FP or BP of the layer lasts, each is fetched once; U made again does not
    find them.
    """
    memory, bits = job.chip.core.memory, job.chip.precision.weight
    nbytes, room = count * bits // 8, max(memory.weights, memory.membrane) // 8
    once, rounded = engine in facts.W_stays_in, bits % 8 > 0
    tables = ["W"]
    if facts.stored is not None:
        tables.append(f"W.{facts.stored.table_of(engine)}")
    places = [tensor.at for tensor in facts.weights if tensor.key in tables]
    even = facts.stored is None
    return WeightsDue(places, nbytes, elements, even, room, once, rounded, stays=facts.W_stays)

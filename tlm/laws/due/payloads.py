"""Payloads due: how many bytes each message of a tile has, by what it carries.

Spikes travel as a bitmap or as a list of addresses, gradients plainly or as a bitmap and the values
that are not zero: whichever is shorter. Each (core, bytes) is that of one message.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from tlm.laws.due.facts import Facts, LayerFacts
from tlm.laws.due.masks import pooled_spikes, product_gradients, source_need
from tlm.laws.due.nests import Nest
from tlm.laws.due.rows import pooled_rows, returned_to, rows_over
from tlm.laws.due.senders import reached_boxes
from tlm.laws.due.trained import factor_by_step
from tlm.laws.due.widths import output_bits
from tlm.space.array_types import Bools
from tlm.space.phase import Phase
from tlm.space.region import Region, Slice, Span, length, overlap
from tlm.space.rounding import ceil_div

Payload = tuple[int, int]  # to core, bytes

SUMS = 2  # of each channel: first and second moment


def spike_payloads(job: Facts, nest: Nest, panels: Sequence[Span]) -> Iterator[Payload]:
    """What FP sends of a block, panel of channels by panel, to those who read it or to the loss."""
    spikes = pooled_spikes(nest.facts.layer, job.of_samples(nest.block.samples))
    for channels in panels:
        yield from _panel_spikes(job, nest, channels, spikes[slice(*nest.block.steps)])


def _panel_spikes(job: Facts, nest: Nest, channels: Span, spikes: Bools) -> Iterator[Payload]:
    facts, block, layer = nest.facts, nest.block, nest.facts.layer
    some = Region(channels, block.samples, block.rows)
    rows = pooled_rows(layer, replace(nest.part, neurons=some))
    spikes = spikes[:, :, slice(*channels)]
    bits = output_bits(layer, job.chip)
    if facts.head:
        if not job.learns:  # what inference puts out goes to DRAM alone
            return
        for sample in range(*block.samples):
            at = sample - block.samples[0]
            sent = spikes[:, at : at + 1, :, sorted(rows)]
            plain = ceil_div(sent.size * job.chip.precision.membrane, 8)
            yield loss_core(facts, sample), _spike_bytes(sent, 1) if layer.spiking else plain
        return
    for consumer in job.among(facts.consumers):
        for reader in consumer.slices if consumer.inputs_sent else ():
            reached = reached_boxes(job, consumer, reader, facts.index)[slice(*channels)]
            reached = reached[:, sorted(rows)]
            shared = overlap(block.samples, reader.neurons.samples)
            if reached.any() and length(shared):
                span = slice(shared[0] - block.samples[0], shared[1] - block.samples[0])
                sent = spikes[:, span][:, :, :, sorted(rows)][:, :, reached]
                yield reader.core, _spike_bytes(sent, bits)


def gradient_payloads(job: Facts, nest: Nest, panels: Sequence[Span]) -> Iterator[Payload]:
    """What BP sends of a block, panel of inputs by panel, to the owners of its sources."""
    facts, block = nest.facts, nest.block
    masks, layer = job.masks_of(block.samples), nest.facts.layer
    precision, pool = job.chip.precision, layer.input_pool
    width = int(precision.partial_sum if facts.channel_parts > 1 else precision.gradient)
    if pool is not None and pool.kind == "max":  # where in its window the value goes
        width += (pool.places - 1).bit_length()
    live = facts.live[slice(*block.steps), slice(*block.samples)]
    for producer in (each for each in job.among(facts.producers) if each.dS_sent):
        need = source_need(masks, layer, [producer.index])[slice(*block.steps)]
        bits = width + max(branch.index_bits for branch in job.branches(facts, producer.index))
        for owner in producer.slices:
            samples = overlap(block.samples, owner.neurons.samples)
            if not length(samples):
                continue
            span = slice(samples[0] - block.samples[0], samples[1] - block.samples[0])
            rows, alive = slice(*block.rows), live[:, span]
            owned = returned_to(layer, job.workload.layers, producer.layer, owner)[:, rows]
            needed = need[:, span][:, :, :, rows] & owned & alive[..., None, None, None]
            present, elements = needed.sum(axis=(0, 1, 3, 4)), owned.sum(axis=(1, 2)) * alive.sum()
            for panel in (slice(*channels) for channels in panels):
                if owned[panel].any():
                    counts = int(elements[panel].sum()), int(present[panel].sum())
                    yield owner.core, gradient_bytes(job, *counts, bits)


def shared_payloads(
    job: Facts, facts: LayerFacts, part: Slice, samples: Span, neuron_rows: Span
) -> Iterator[Payload]:
    """What the gradient unit sends of some samples' dY to slices on the rows around.

    ``neuron_rows`` are those whose dY it makes at a time; a slice of pooled currents has all rows.
    """
    dY = product_gradients(job.workload.layers, facts.layer, job.of_samples(samples), facts.exact)
    live = facts.live[:, slice(*samples)]
    made = set(facts.product_rows(part))
    if facts.layer.current_pool is None:
        made &= set(range(*neuron_rows))
    for reader in facts.slices if facts.producers else ():
        if reader.neurons.channels != part.neurons.channels or not length(reader.input_rows):
            continue
        rows = rows_over(facts.layer, set(range(*reader.input_rows))) & made
        shared = overlap(samples, reader.neurons.samples)
        if rows and length(shared):
            span = slice(shared[0] - samples[0], shared[1] - samples[0])
            values = dY[:, span, slice(*part.neurons.channels)][:, :, :, sorted(rows)]
            alive = live[:, span]
            elements = values[0, 0].size * int(alive.sum())
            size = gradient_bytes(
                job, elements, int(values[alive].sum()), job.chip.precision.gradient
            )
            yield reader.core, size


def loss_payloads(job: Facts, facts: LayerFacts, sample: int) -> Iterator[Payload]:
    """The dS of a sample, to every slice of a head."""
    for part in facts.slices:
        if part.neurons.samples[0] <= sample < part.neurons.samples[1]:
            row = length(part.neurons.channels) * facts.layer.pooled_shape[2]
            values = row * len(pooled_rows(facts.layer, part)) * job.workload.steps
            yield part.core, ceil_div(values * job.chip.precision.gradient, 8)


def statistics_payloads(
    job: Facts, facts: LayerFacts, phase: Phase
) -> Iterator[tuple[int, Payload]]:
    """(From core, payload) of sums to the first slice with the same channels, and of results back.

    Its own do not travel. FP sends statistics and gets factors, BP sums gradients by factor and
    gets what follows for each statistic.
    """
    norm, steps = facts.layer.norm, job.workload.steps
    assert norm is not None
    statistics, factors = (steps if each else 1 for each in (norm.per_step, factor_by_step(norm)))
    there, back = (factors, statistics) if phase == Phase.NORM_GRAD else (statistics, factors)
    for part in facts.slices:
        alike = [s for s in facts.slices if s.neurons.channels == part.neurons.channels]
        bits = SUMS * length(part.neurons.channels) * job.chip.precision.partial_sum
        yield part.core, (alike[0].core, ceil_div(bits * there, 8))
        yield alike[0].core, (part.core, ceil_div(bits * back, 8))


def loss_core(facts: LayerFacts, sample: int) -> int:
    """Where a sample's loss is computed: at the first channel and row of it."""
    return next(
        part.core
        for part in facts.slices
        if part.neurons.channels[0] == part.neurons.rows[0] == 0
        and part.neurons.samples[0] <= sample < part.neurons.samples[1]
    )


def gradient_bytes(job: Facts, elements: int, present: int, bits: int) -> int:
    """Bytes of gradients, ``present`` of which are not zero; mode ``dense`` does not look."""
    if job.chip.core.engines.bp.mode == "dense":
        present = elements
    return ceil_div(min(elements * bits, elements + present * bits), 8)


def _spike_bytes(sent: Bools, bits: int) -> int:
    """Bytes of spikes, or of counts of ``bits``."""
    address = max(1, (sent.size - 1).bit_length())
    present = int(np.count_nonzero(sent))
    return ceil_div(min(sent.size * bits, present * (address + bits - 1)), 8)

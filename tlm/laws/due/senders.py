"""Senders due: the cores whose data a slice waits for, sample by sample."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from tlm.laws.due.facts import Facts, LayerFacts
from tlm.laws.due.operands import flagged_rows
from tlm.laws.due.rows import pooled_lines, pooled_rows, returned_rows, rows_over, sent_rows
from tlm.space.array_types import Bools
from tlm.space.region import Slice, Span, length

AT_STEP = "FP input step "  # where FP runs by time step

Senders = tuple[str, list[Slice]]  # what arrives, and the slices that have some of it
OutputPlaces = dict[
    tuple[int, int], tuple[slice, list[int]]
]  # outputs of a (layer, slice): [K], [E]


def senders_due(job: Facts) -> dict[str, frozenset[int]]:
    """By the label of a completion, the cores from which data must arrive there."""
    places = {(f.index, s.index): _place(f, s) for f in job.layers for s in f.slices}
    return {
        f"{label} {facts.layer.name} core{part.core:02d} sample {sample}": cores
        for facts in job.layers
        for returned in [_returned(job, facts) if facts.dS_sent else []]
        for part in facts.slices
        for label, senders in (
            *_inputs(job, facts, part, places),
            *_gradients(facts, part),
            *(_spike_gradients(facts, part, returned, places) if job.learns else ()),
        )
        for sample, cores in _cores(senders, part.neurons.samples)
        if not label.startswith(AT_STEP) or job.running[int(label.removeprefix(AT_STEP)), sample]
    }


def _cores(senders: list[Slice], samples: Span) -> Iterator[tuple[int, frozenset[int]]]:
    """The cores of the senders that have a sample, for each of ``samples``."""
    spans = [sender.neurons.samples for sender in senders]
    cuts = {min(max(samples[0], cut), samples[1]) for span in spans for cut in span}
    for first, end in pairwise(
        sorted(cuts | set(samples))
    ):  # between cuts the senders are the same
        cores = frozenset(
            sender.core
            for sender, span in zip(senders, spans, strict=True)
            if span[0] <= first < span[1]
        )
        yield from ((sample, cores) for sample in range(first, end))


def _inputs(job: Facts, facts: LayerFacts, part: Slice, places: OutputPlaces) -> Iterator[Senders]:
    """FP's inputs: from the owners of the rows under the kernel."""
    if not facts.inputs_sent:
        return
    owners = [
        owner
        for producer in job.among(facts.producers)
        for reached in [reached_boxes(job, facts, part, producer.index)]
        for owner in producer.slices
        if reached[places[producer.index, owner.index]].any()
    ]
    for step in range(job.workload.steps if job.by_step else 0):
        yield f"{AT_STEP}{step}", owners
    if not job.by_step:
        yield "FP input", owners


def _gradients(facts: LayerFacts, part: Slice) -> Iterator[Senders]:
    """dY for BP: from the slices of the same weights that make any row over the input rows.

    Rows between the first and the last come along, also where dilated kernels step over them.
    """
    if facts.producers and facts.dY_sent and length(part.input_rows):
        rows = rows_over(facts.layer, set(range(*part.input_rows)))
        yield (
            "dY for BP",
            [
                maker
                for maker in facts.slices
                if maker.neurons.channels == part.neurons.channels
                and rows & set(facts.product_rows(maker))
            ],
        )


def _returned(job: Facts, facts: LayerFacts) -> list[tuple[Slice, Bools]]:
    """The slices that send dX to a layer, with the outputs that each computes it of."""
    return [
        (reader, _returned_outputs(job, consumer, reader, facts.index))
        for consumer in job.among(facts.consumers)
        for reader in consumer.slices
    ]


def _spike_gradients(
    facts: LayerFacts, part: Slice, returned: list[tuple[Slice, Bools]], places: OutputPlaces
) -> Iterator[Senders]:
    """dS: from the core of the loss, or from all that read any of the slice's rows."""
    if facts.head:
        # The loss is computed where the first channel and the first row of its sample are.
        yield "dS", [s for s in facts.slices if s.neurons.channels[0] == s.neurons.rows[0] == 0]
    elif facts.dS_sent and facts.consumers:
        mine = places[facts.index, part.index]
        yield "dS", [reader for reader, some in returned if some[mine].any()]


def _returned_outputs(job: Facts, facts: LayerFacts, part: Slice, source: int) -> Bools:
    """Outputs of a source that a slice computes dX of, [K, E, F]."""
    _, height, width = job.operand_shape(facts)
    pool = facts.layer.input_pool
    rows = returned_rows(facts, part, height) & pooled_lines(pool, height, 0)
    columns = np.isin(np.arange(width), sorted(pooled_lines(pool, width, 1)))
    some = [
        branch.needs(flagged_rows(branch.behind, rows) & columns)
        for branch in job.branches(facts, source)
    ]
    return np.asarray(np.logical_or.reduce(some))


def reached_boxes(job: Facts, facts: LayerFacts, part: Slice, source: int) -> Bools:
    """What FP of a slice is sent of a source, [K, E, F]: channels that any term takes, and rows
    from the first to the last.
    """
    rows = sent_rows(facts, part, job.operand_shape(facts)[1])
    read = job.branches(facts, source)
    some = np.logical_or.reduce([b.reaches(flagged_rows(b.behind, rows)) for b in read])
    reached: Bools = np.zeros(some.shape, np.bool_)
    channels, lines = (np.flatnonzero(some.any(axis=axes)) for axes in ((1, 2), (0, 2)))
    if lines.size:
        reached[channels, lines[0] : lines[-1] + 1] = True
    return reached


def _place(facts: LayerFacts, part: Slice) -> tuple[slice, list[int]]:
    """Channels and rows of a slice's outputs."""
    return slice(*part.neurons.channels), sorted(pooled_rows(facts.layer, part))

"""What a mini-batch must come to, counted from shapes, masks and cuts by rules of the laws' own.

In reading order:

- ``amounts``: the records of what is due.
- ``placement``: what they read of a plan.
- ``facts``: what the rules start from: job, chip settings, and the plan's cuts and places.
- ``masks``: non-zero inputs, needed dX and non-zero dY, from the recording.
- ``stored``: which weights have a place, and how large the tables beside them are.
- ``saved``: what BP needs of a layer's neurons.
- ``trained``: what a layer learns beside its weights.
- ``rows``: which rows of one grid follow from which rows of another.
- ``results``: result elements, useful and all operations, bytes of the reduction.
- ``units``: operations of the units beside the arrays, accesses of their memories.
- ``synaptic``: synaptic operations of FP, spike by spike.
- ``weights``: what every core needs of every layer's weights.
- ``senders``: the cores whose data must arrive where.
- ``tensors``: what of every tensor in DRAM is written and read.
- ``nests``: the operands that an array meets at a block, position by position.
- ``nest_counts`` and ``nest_charges``: slots, cycles and words of a nest, and what they cost.
"""

from __future__ import annotations

from tlm.laws.due.amounts import AccessesDue, Due, TensorDue, WeightsDue
from tlm.laws.due.facts import facts_of
from tlm.laws.due.placement import PlacedBatch
from tlm.laws.due.results import dense_due, reduced_bytes, results_due, useful_due
from tlm.laws.due.senders import senders_due
from tlm.laws.due.synaptic import synaptic_due
from tlm.laws.due.tensors import tensors_due
from tlm.laws.due.units import unit_accesses, unit_operations
from tlm.laws.due.weights import weights_due
from tlm.workload.model import Recording

__all__ = ["AccessesDue", "Due", "TensorDue", "WeightsDue", "due_of"]


def due_of(plan: PlacedBatch, recording: Recording) -> Due:
    """All that a planned mini-batch with the masks of ``recording`` must come to."""
    job = facts_of(plan, recording)
    return Due(
        results=results_due(job),
        useful=useful_due(job),
        dense=dense_due(job),
        unit_operations=unit_operations(job),
        unit_accesses=unit_accesses(job),
        synaptic=synaptic_due(job),
        message_bytes=reduced_bytes(job),
        weights=weights_due(job),
        senders=senders_due(job),
        tensors=tensors_due(job),
        job=job,
    )

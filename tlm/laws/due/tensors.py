"""Tensors due: what of every tensor in DRAM must be written and read."""

from __future__ import annotations

import numpy as np

from tlm.laws.due.addends import multiplied, returned, taken
from tlm.laws.due.amounts import TensorDue
from tlm.laws.due.facts import Facts, LayerFacts, TensorPlace
from tlm.laws.due.operands import held_matrix, operand_shape, returned_inputs
from tlm.laws.due.rows import RowSet, windows_rows
from tlm.laws.due.stored import INDEX, REVERSE
from tlm.laws.due.widths import outcome_bits, output_bits
from tlm.space.array_types import Bools
from tlm.workload.model import Pool


def tensors_due(job: Facts) -> list[TensorDue]:
    """All tensors in the order of their addresses; those of no layer are there from the start."""
    due: dict[str, TensorDue] = {}
    for facts in job.layers:
        for tensor in facts.tensors:
            due.setdefault(tensor.name, _neuron_tensor(job, facts, tensor))
        for tensor in facts.weights:
            due[tensor.name] = _weight_tensor(job, facts, tensor)
    for tensor in job.tensors:
        due.setdefault(tensor.name, TensorDue(tensor.name, tensor.at, initial=True))
    return sorted(due.values(), key=lambda tensor: tensor.at)


def _neuron_tensor(job: Facts, facts: LayerFacts, tensor: TensorPlace) -> TensorDue:
    """A tensor of neurons; of dY only the slices that are not skipped are moved.

    Of others, those of samples that have not stopped.
    """
    moved = facts.live if tensor.key.startswith("dY") else job.running
    share = np.count_nonzero(moved) / moved.size
    nbytes = _nbytes(job, facts, tensor)
    carry = tensor.key == "carry"
    if carry and job.recording.steps_run is not None:
        return _stopped_carry(job, tensor)
    if tensor.key.startswith("dX"):
        return _returned(job, facts, tensor)
    if tensor.key.startswith("dM"):
        return _held_returned(job, facts, tensor)
    times = (0, 0)
    if not _needless(job, facts, tensor.key):
        times = _times(facts, tensor.key)
    written, read = (round(nbytes * share * each) for each in times)
    read += int(nbytes * share * _times_added(job, facts, tensor.key))
    read += int(nbytes * share * _times_gathered(job, facts, tensor))
    # Windows of a pool of currents may share some of Y, whole groups of channels some of dI.
    once = tensor.key == "dI" and not facts.layer.added
    once |= tensor.key == "Y" and facts.layer.current_pool is None
    return TensorDue(
        tensor.name,
        tensor.at,
        written=written,
        read=read,
        exact_writes=not carry,
        exact_reads=once,
        balanced=carry,
    )


def _nbytes(job: Facts, facts: LayerFacts, tensor: TensorPlace) -> int:
    """Of currents, their gradients and what inference leaves by their width, else as planned."""
    if tensor.key in ("I", "dI"):
        precision = job.chip.precision
        width = precision.membrane if tensor.key == "I" else precision.gradient
        return tensor.at[1] * width // tensor.bits
    if job.learns or tensor.key not in ("spikes", "output"):
        return tensor.at[1]
    bits = outcome_bits if tensor.key == "output" else output_bits
    return tensor.at[1] * bits(facts.layer, job.chip) // tensor.bits


def _needless(job: Facts, facts: LayerFacts, key: str) -> bool:
    """Whether no later layer of inference reads an output in DRAM: all of them are sent it."""
    if job.learns or key != "spikes":
        return False
    sent = all(reader.inputs_sent for reader in job.among(facts.consumers))
    return sent and not facts.adders_of(output=True) and not facts.gathered


def _stopped_carry(job: Facts, tensor: TensorPlace) -> TensorDue:
    """U between steps of samples that stop: that of the step they stop at is left, but not read."""
    running, each = job.running, tensor.at[1] // job.workload.batch
    written, read = (each * int(count) for count in (running[:-1].sum(), running[1:].sum()))
    return TensorDue(
        tensor.name, tensor.at, written=written, read=read, exact_writes=True, exact_reads=True
    )


def _weight_tensor(job: Facts, facts: LayerFacts, tensor: TensorPlace) -> TensorDue:
    """Weights, moments and tables are there from the start; spilled dW are written, then read.

    What stays in the cores from one mini-batch to the next is not moved at all. Constants of
    channels are read by FP and, if it needs them, by the gradient unit, and never written; both
    read what neurons learn.
    Elements that are no whole number of bytes are rounded to bytes piece by piece, so that their
    amounts are not known here.
    """
    table = tensor.key.removeprefix("W.")
    if table in (INDEX, REVERSE):
        return _table(job, facts, tensor, table)
    partial, whole = tensor.key.startswith("dW"), tensor.bits % 8 == 0
    exact = not partial and whole
    moments_stay = facts.moments_stay and tensor.key.startswith("moment")
    stays = facts.W_stays if tensor.key == "W" else moments_stay
    nbytes = tensor.at[1] if exact and not stays else 0
    constant = tensor.key in facts.layer.channel_constants
    times = 1 + job.learns * (tensor.key in facts.constants_of_gradient)
    if tensor.key in facts.layer.learnt:
        times = 1 + 2 * job.learns  # the gradient unit, the update
    return TensorDue(
        tensor.name,
        tensor.at,
        initial=not partial,
        written=nbytes * job.learns * (not constant),
        read=nbytes * times,
        exact_writes=exact or stays,
        balanced=partial and whole,
    )


def _table(job: Facts, facts: LayerFacts, tensor: TensorPlace, table: str) -> TensorDue:
    """A table beside the weights is there from the start; an update rewrites what is rewired."""
    words = facts.rewired(job.chip.core.weights.rewired)[table] * (not facts.W_stays)
    words *= job.learns
    whole = tensor.bits % 8 == 0
    nbytes = words * tensor.bits // 8 if whole else 0
    return TensorDue(
        tensor.name, tensor.at, initial=True, written=nbytes, read=nbytes,
        exact_writes=whole or not words, exact_reads=facts.W_stays,
    )  # fmt: skip


def _times(facts: LayerFacts, key: str) -> tuple[int, int]:
    """How often all of a tensor is written and at least read.

    The gradient unit reads what FP saves, unless it stays in the core or follows from U. Values of
    a read-out that was not pooled have the key of spikes too: only later layers read them.
    """
    neuron = facts.layer.neuron is not None
    if key == "carry":
        return 0, 0
    if key == "Y":
        return 1, 2 - len(facts.Y_stays) + (facts.state == "recompute")
    if key in ("U", "S", "m", "winner") and neuron:
        return 1, int(facts.state == "spill")
    if key in ("need", "winner") and not neuron:
        return 1, 1
    if key == "dI":
        return 1, int(facts.exact)
    return 1, int(key in ("dS", "dY"))


def _times_added(job: Facts, facts: LayerFacts, key: str) -> float:
    """How often at least later layers read all of what they add, earlier ones all that returns.

    With it goes what a max pool of currents took.
    """
    if key in ("dI", "winner"):
        return len(facts.layer.shortcuts)
    output = _is_output(facts, key)
    if not output and key != "I":
        return 0
    rows = (facts.layer.pooled_shape if output else facts.layer.out_shape)[1]
    return sum(
        _times_read(job.layers[adder.reader]) * len(_read_rows(adder.pool, rows)) / rows
        for adder in facts.adders_of(output)
    )


def _is_output(facts: LayerFacts, key: str) -> bool:
    """Whether a tensor is what later layers read."""
    return key == "spikes" or (key == "S" and facts.layer.pool is None)


def _times_gathered(job: Facts, facts: LayerFacts, tensor: TensorPlace) -> float:
    """How often at least addends take all of an output, and gradients meet it on their way; or how
    often earlier layers read all of the dI of an addend.
    """

    def share(flags: Bools) -> float:
        """``flags`` cover one image; a tensor of DRAM may hold padding besides its elements."""
        images = job.workload.batch * job.workload.steps
        padded = tensor.at[1] * 8 // tensor.bits // images
        return 1.0 if flags.all() else np.count_nonzero(flags) / padded

    layers, addend = job.workload.layers, facts.layer.addend
    if tensor.key == "dI" and addend is not None:
        sources = dict.fromkeys(addend.sources)
        return sum(share(returned(addend, layers, source)) for source in sources)
    times = 0.0
    for reader, addend in facts.gathered if _is_output(facts, tensor.key) else ():
        times += _times_read(job.layers[reader]) * share(taken(addend, layers, facts.index))
        for other in dict.fromkeys(addend.sources) if job.learns else ():
            times += share(multiplied(addend, layers, facts.index, other))
    return times


def _times_read(facts: LayerFacts) -> int:
    """How often a layer reads what it adds: again where U is made a second time."""
    again = facts.state == "recompute" and facts.layer.neuron is not None
    return 1 + again


def _read_rows(pool: Pool | None, height: int) -> RowSet:
    """Rows of what is added, of ``height`` in all, that any window of a shortcut's pool reaches."""
    pooled = height if pool is None else pool.pooled((1, height, height))[1]
    return windows_rows(pool, set(range(pooled)), height)


def _returned(job: Facts, facts: LayerFacts, tensor: TensorPlace) -> TensorDue:
    """dX of the slices that are not skipped, for sources that take their dS from DRAM.

    Whole parts with such a source are written, and at the least what is made of it is read.
    """
    layers, to = job.workload.layers, [p for p in job.among(facts.producers) if not p.dS_sent]
    spilled = np.zeros(operand_shape(facts.layer, layers)[0], np.bool_)
    returned = np.zeros(facts.layer.in_shape, np.bool_)
    for producer in to:
        for branch in job.branches(facts, producer.index):
            spilled[branch.first : branch.end] = True
        every = np.ones(producer.layer.pooled_shape, np.bool_)
        returned |= returned_inputs(facts.layer, layers, producer.index, every)
    spilled |= facts.layer.held is not None  # all that a matmul returns goes there
    live = int(np.count_nonzero(facts.live))
    written = round(tensor.at[1] * live / facts.live.size * float(spilled.mean()))
    read = int(returned.sum()) * live * tensor.bits // 8
    read = written if returned.all() else read  # with what pads it
    return TensorDue(tensor.name, tensor.at, written=written, read=read, exact_writes=True)


def _held_returned(job: Facts, facts: LayerFacts, tensor: TensorPlace) -> TensorDue:
    """dM of the pairs that are not skipped: all is written, and what any source is held of read."""
    returned = np.zeros(facts.layer.factor_shape[:2], np.bool_)
    for producer in job.among(facts.producers):
        every = np.ones(producer.layer.pooled_shape, np.bool_)
        returned |= held_matrix(facts.layer, job.workload.layers, producer.index, every)
    live = int(np.count_nonzero(facts.live))
    written = tensor.at[1] * live // facts.live.size
    read = written if returned.all() else int(returned.sum()) * live * tensor.bits // 8
    return TensorDue(tensor.name, tensor.at, written=written, read=read, exact_writes=True)

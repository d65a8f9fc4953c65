"""Units due: how often the units beside the arrays work, and how often they use their memories.

Counted from shapes. An action is named as in the energy table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import prod

import numpy as np

from tlm.laws.due.addends import returned_parts
from tlm.laws.due.amounts import AccessesDue, UnitUse
from tlm.laws.due.facts import Facts, LayerFacts
from tlm.laws.due.operands import Branch, additions, branches, flagged_rows, operand_shape
from tlm.laws.due.rows import kernel_rows, read_rows, windows_rows
from tlm.laws.due.saved import NUMBERS
from tlm.laws.due.trained import (
    NORM_PARAMETERS,
    STEP_SCALE,
    factor_by_step,
    sums_over_steps,
)
from tlm.space.array_types import Ints
from tlm.space.phase import Phase
from tlm.space.ports import MEMORY_PORT_BITS, STATE_PORT_BITS
from tlm.space.rounding import ceil_div
from tlm.workload.glm.neuron import GLMNeuron
from tlm.workload.model import Pool, Shortcut

Use = tuple[Phase, str, int]  # phase, action, how often

LOSS_PASSES = ("exponential", "sum", "division")  # over the classes, after the passes over T
NORM_SUMS = ("first moment", "second moment")  # of each channel, sent to the owner and back


def unit_operations(job: Facts) -> dict[UnitUse, int]:
    """How often each unit does each action, for every phase of every layer; losses included."""
    return {
        (phase, facts.index, action): count
        for facts in job.layers
        for rule in (
            _loss, _neurons, _reductions, _shortcuts, _biases, _pools, _scaling, _batch_norm,
        )
        for phase, action, count in rule(job, facts)
        if phase in job.phases
    }  # fmt: skip


def _loss(job: Facts, facts: LayerFacts) -> Iterator[Use]:
    """Each head's loss passes over its classes."""
    if facts.head:
        passes = job.workload.steps + len(LOSS_PASSES)
        count = passes * prod(facts.layer.pooled_shape) * job.workload.batch
        yield Phase.LOSS, "bp.grad_op", count


def _neurons(job: Facts, facts: LayerFacts) -> Iterator[Use]:
    """A soma and a gradient operation for each neuron and step, one more where currents decay."""
    neurons = prod(facts.layer.out_shape) * job.pairs * (facts.layer.neuron is not None)
    if isinstance(facts.layer.neuron, GLMNeuron):
        taps = facts.layer.neuron.functions * facts.layer.neuron.taps
        yield Phase.FP, "fp.glm_product", neurons * taps
        yield Phase.FP, "fp.glm_draw", neurons
        yield Phase.FP, "fp.glm_arbitration", job.pairs
        return
    yield Phase.NORM if facts.exact else Phase.FP, "fp.soma_op", neurons
    yield Phase.GRAD, "bp.learnt_op", neurons * len(facts.layer.learnt)
    for phase in _gradient_phases(facts):
        yield phase, "bp.grad_op", neurons
    if facts.recomputed:
        yield Phase.RECOMPUTE, "fp.soma_op", neurons
    if facts.layer.current_based:
        for phase in _soma_phases(facts):
            yield phase, "fp.current_op", neurons
        for phase in _gradient_phases(facts):
            yield phase, "bp.current_op", neurons
            if facts.exact and facts.state == "recompute":
                yield phase, "fp.current_op", neurons


def _reductions(job: Facts, facts: LayerFacts) -> Iterator[Use]:
    """Partial dS of all readers' parts are added up, partial dW of all replicas, then W changes."""
    partials = partial_dS(job, facts) + len(facts.adders_of(output=True))
    for _, addend in facts.gathered:
        partials += returned_parts(addend, job.workload.layers, facts.index)
    weights = facts.weight_count
    returned = prod(facts.layer.out_shape) * job.pairs * len(facts.adders_of(output=False))
    sums = (weights + facts.channel_sums) * (facts.replicas - 1)
    sums += facts.layer_numbers * (len(facts.slices) - 1)
    for phase in _gradient_phases(facts):
        added = int(np.maximum(partials - 1, 0).sum()) * job.pairs
        yield phase, "bp.reduce_add", added + returned
        yield phase, "bp.partial_read", int(partials.sum()) * job.pairs + returned
    yield Phase.UPDATE, f"wg.update_op_{job.workload.optimizer}", facts.trained_count
    yield Phase.UPDATE, "wg.reduce_add", sums
    # Every slice adds up both sums of its channels for each number a step.
    channels, steps = facts.layer.out_shape[0] * facts.replicas, facts.numbers.get(STEP_SCALE, 0)
    yield Phase.REDUCE, "wg.reduce_add", len(NORM_SUMS) * channels * steps
    # A dW leaves every replica but its owner, waits there, and is read with the owner's.
    yield Phase.REDUCE, "wg.accumulator_read", weights * (facts.replicas - 1)
    yield Phase.UPDATE, "wg.accumulator_write", weights * (facts.replicas - 1)
    yield Phase.UPDATE, "wg.accumulator_read", weights * facts.replicas


def partial_dS(job: Facts, facts: LayerFacts) -> Ints:
    """In how many parts each dS comes, [K, E, F]: from the loss, or from every part of a reader.

    A later layer with readers in common leaves one sum for all of theirs in DRAM.
    """
    summed = [
        set(other.consumers)
        for other in job.layers[facts.index + 1 :]
        if any(place.key == "dS" for place in other.tensors)
        and set(other.consumers) <= set(facts.consumers)
    ]
    most = set[int]() if facts.dS_sent else max(summed, key=len, default=set())
    rest = [reader for reader in facts.consumers if reader not in most]
    partials = np.full(facts.layer.pooled_shape, bool(most) or facts.head, np.int64)
    for reader in job.among(rest):
        for branch in job.branches(reader, facts.index):
            partials += branch.returned() * reader.channel_parts
        for branch in branches(reader.layer.held, job.workload.layers) if reader.layer.held else ():
            if branch.source == facts.index:  # a sum over the rows of each part
                partials += branch.returned() * reader.row_parts
    return partials


def _shortcuts(job: Facts, facts: LayerFacts) -> Iterator[Use]:
    """What earlier layers leave is added wherever currents pass on to the neurons."""
    addends = len(facts.layer.shortcuts) + (facts.layer.addend is not None)
    products = prod(facts.layer.product_shape) * job.pairs * addends
    for phase in _current_phases(facts):
        yield phase, "fp.shortcut_add", products


def _biases(job: Facts, facts: LayerFacts) -> Iterator[Use]:
    """A bias is added to every product, its gradient sums every dY; so does that of a shift alone.

    Behind frozen statistics, which others of a norm share with it.
    """
    shape = facts.layer.product_shape
    if isinstance(facts.layer.neuron, GLMNeuron):  # added to the potential, not to its sums
        shape = facts.layer.out_shape
    products = prod(shape) * job.pairs
    biased = "bias" in facts.numbers
    yield Phase.FP, "fp.bias_add", products * biased
    yield Phase.RECOMPUTE, "fp.bias_add", products * biased * facts.recomputed
    alone = facts.scaled and set(NORM_PARAMETERS) & set(facts.numbers) == {"shift"}
    yield facts.dY_phase, "bp.bias_add", products * (biased + alone)


def _pools(job: Facts, facts: LayerFacts) -> Iterator[Use]:
    """An addition for each element of a window but the first, of currents and of outputs."""
    layer = facts.layer
    pool = layer.current_pool
    of_sums = 0 if pool is None else _window_adds(pool, layer.product_shape)
    of_shortcuts = sum(_shortcut_adds(job, each) for each in layer.shortcuts)
    for phase in _current_phases(facts):
        again = phase not in _soma_phases(facts)  # U follows from sums that were pooled before
        yield phase, "fp.current_pool", (of_shortcuts + of_sums * (not again)) * job.pairs
    if layer.pool is not None:
        adds = _window_adds(layer.pool, layer.out_shape) * job.pairs
        yield Phase.NORM if facts.exact else Phase.FP, "fp.pool", adds


def _shortcut_adds(job: Facts, shortcut: Shortcut) -> int:
    """Additions of the pool of a shortcut."""
    source = job.workload.layers[shortcut.layer]
    output = shortcut.of == "spikes" or source.neuron is None
    shape = source.pooled_shape if output else source.out_shape
    return 0 if shortcut.pool is None else _window_adds(shortcut.pool, shape)


def _window_adds(pool: Pool, shape: tuple[int, int, int], rows: Iterable[int] = ()) -> int:
    """Elements in the windows over a map but one of each, element by element; all ``rows``."""
    channels, height, width = shape
    _, all_rows, columns = pool.pooled(shape)
    chosen = list(rows) or range(all_rows)
    met = _elements(pool, 0, chosen, height) * _elements(pool, 1, range(columns), width)
    return channels * (met - len(chosen) * columns)


def _elements(pool: Pool, axis: int, windows: Iterable[int], side: int) -> int:
    """Rows (``axis`` 0) or columns of a map in some windows, those outside left out."""
    starts = [at * pool.stride[axis] - pool.padding[axis] for at in windows]
    return sum(0 <= start + tap < side for start in starts for tap in range(pool.size[axis]))


def _inputs_pooled(job: Facts, facts: LayerFacts) -> int:
    """Additions of the pooled inputs that the slices read in FP, each row once."""
    return _part_adds(job, facts, [job.pairs_of(part) for part in facts.slices])


def _live_inputs_pooled(job: Facts, facts: LayerFacts) -> int:
    """Additions of the pooled inputs that WG meets: those of samples with any dY, one step."""
    alive = np.any(facts.live, axis=0)
    sizes = [int(alive[slice(*part.neurons.samples)].sum()) for part in facts.slices]
    return _part_adds(job, facts, sizes)


def _part_adds(job: Facts, facts: LayerFacts, sizes: list[int]) -> int:
    """Additions of one step of the pooled inputs of the slices, for ``sizes`` samples of each."""
    shape, pool, total = job.operand_shape(facts), facts.layer.input_pool, 0
    for part, samples in zip(facts.slices, sizes, strict=True):
        rows = kernel_rows(facts.layer, facts.product_rows(part))
        if facts.layer.kind == "linear" and pool is not None:
            rows = set(range(pool.pooled(shape)[1]))
        if rows and pool is not None:
            total += _window_adds(pool, shape, rows) * samples
        read = read_rows(facts, part, shape[1])
        total += _adds_on_the_way(job.branches(facts), read) * samples
    return total


def _adds_on_the_way(ways: Iterable[Branch], rows: Iterable[int]) -> int:
    """Additions of the pools on the ways to some rows of an operand."""
    total = 0
    for branch in ways:
        if not any(isinstance(step, Pool) for step in branch.way):
            continue
        for step, before, flags in branch.pooled(flagged_rows(branch.behind, rows)):
            channels, lines = (np.flatnonzero(flags.any(axis=at)) for at in ((1, 2), (0, 2)))
            if lines.size:
                total += _window_adds(step, (len(channels), *before[1:]), lines.tolist())
    return total


def _put_together(job: Facts, facts: LayerFacts) -> dict[UnitUse, AccessesDue]:
    """The additions, ANDs among them, and those of pools that make what a layer adds.

    The least where rows are put together again, as they are in several windows, or between others.
    """
    addend, layers = facts.layer.addend, job.workload.layers
    if addend is None:
        return {}
    shape, pool, ways = operand_shape(addend, layers), addend.input_pool, branches(addend, layers)
    elements = pooled = 0
    for part in facts.slices:
        rows, pairs = facts.product_rows(part), job.pairs_of(part)
        read = windows_rows(pool, set(rows), shape[1])
        elements += len(read) * shape[2] * pairs
        pooled += (0 if pool is None else _window_adds(pool, shape, rows)) * pairs
        pooled += _adds_on_the_way(ways, read) * pairs
    apart = pool is None or pool.size[0] == pool.stride[0]
    alone = not any(isinstance(step, Pool) for branch in ways for step in branch.way)
    return {
        (phase, facts.index, action): AccessesDue(
            least // facts.channel_parts, 0 if exact else None
        )
        for phase in _soma_phases(facts)
        for action, least, exact in (
            ("fp.input_add", additions(addend, shape) * elements, apart),
            ("fp.input_pool", pooled, alone),
        )
    }


def _scaling(job: Facts, facts: LayerFacts) -> Iterator[Use]:
    """Frozen statistics scale every product wherever it passes, and sum for scale and shift."""
    if not facts.scaled:
        return
    products = prod(facts.layer.product_shape) * job.pairs
    yield Phase.FP, "fp.norm_scale", products
    yield Phase.GRAD, "bp.norm_scale", products
    yield Phase.GRAD, "bp.norm_stat", products * bool({"scale", STEP_SCALE} & set(facts.numbers))
    yield Phase.RECOMPUTE, "fp.norm_scale", products * facts.recomputed


def _batch_norm(job: Facts, facts: LayerFacts) -> Iterator[Use]:
    """Batch statistics: sums over all products, and the arithmetic of each channel."""
    layer, norm = facts.layer, facts.layer.norm
    if norm is None or not facts.exact:
        return
    products = prod(layer.product_shape) * job.pairs
    if facts.state == "recompute" and facts.saved:  # U follows from the currents
        neurons = prod(layer.out_shape) * job.pairs
        for phase in _gradient_phases(facts):
            yield phase, "bp.norm_scale", neurons
            yield phase, "fp.soma_op", neurons
    steps = job.workload.steps
    statistics = layer.out_shape[0] * (steps if norm.per_step else 1)
    factors = layer.out_shape[0] * (steps if factor_by_step(norm) else 1)
    yield Phase.FP, "fp.norm_stat", products
    yield Phase.NORM, "fp.norm_op", products
    yield Phase.GRAD, "bp.norm_stat", prod(layer.out_shape) * job.pairs
    yield Phase.NORM_GRAD, "bp.norm_op", products
    for phase, engine, sums in ((Phase.NORM, "fp", statistics), (Phase.NORM_GRAD, "bp", factors)):
        yield phase, f"{engine}.norm_channel", factors
        adds = sums * (facts.replicas - 1)
        if phase == Phase.NORM_GRAD and sums_over_steps(norm):
            adds += factors - layer.out_shape[0]
        yield phase, f"{engine}.norm_add", len(NORM_SUMS) * adds


def unit_accesses(job: Facts) -> dict[UnitUse, AccessesDue]:
    """The least accesses of the units' memories, for every phase of every layer."""
    due: dict[UnitUse, AccessesDue] = {}
    for facts in job.layers:
        for phase, action, bits in _wide_accesses(job, facts):  # a tile rounds up once
            due[phase, facts.index, action] = AccessesDue(ceil_div(bits, MEMORY_PORT_BITS), 1)
        for phase, action, bits in _state_accesses(job, facts):  # once for each of the memories
            least = ceil_div(bits, STATE_PORT_BITS)
            due[phase, facts.index, action] = AccessesDue(least, len(_state_bits(job, facts)))
        for phase, action, bits in _currents_read(job, facts):
            accesses = AccessesDue(ceil_div(bits, MEMORY_PORT_BITS), len(NORM_SUMS))
            due[phase, facts.index, action] = accesses
        if not facts.layer.multiplies:  # it has no operand
            due |= _put_together(job, facts)
            continue
        adds = additions(facts.layer, job.operand_shape(facts))
        if adds and job.input_steps(facts) > 1:
            least = adds * _inputs_read(job, facts)
            due[Phase.FP, facts.index, "fp.input_add"] = AccessesDue(least, None)
            least = adds * _inputs_met(job, facts)
            due[Phase.WG, facts.index, "wg.input_add"] = AccessesDue(least, None)
        least = _inputs_pooled(job, facts)
        if least:
            due[Phase.FP, facts.index, "fp.input_pool"] = AccessesDue(least, None)
            least = _live_inputs_pooled(job, facts)
            due[Phase.WG, facts.index, "wg.input_pool"] = AccessesDue(least, None)
    return {use: accesses for use, accesses in due.items() if use[0] in job.phases}


def _wide_accesses(job: Facts, facts: LayerFacts) -> Iterator[Use]:
    """(phase, action, bits that pass a wide port)."""
    layer, precision = facts.layer, job.chip.precision
    outputs, products = prod(layer.out_shape) * job.pairs, prod(layer.product_shape) * job.pairs
    if layer.neuron is not None:
        read = written = (1 + layer.current_based) * precision.membrane
        if isinstance(layer.neuron, GLMNeuron):  # all earlier sums; the new ones
            written = layer.neuron.functions * precision.membrane
            read = (layer.neuron.taps - 1) * written
        for phase in _soma_phases(facts):
            yield phase, "fp.membrane_read", outputs * read
            yield phase, "fp.membrane_write", outputs * written
        for phase in _gradient_phases(facts):
            yield phase, "bp.membrane_read", outputs * precision.membrane * ("U" in facts.saved)
    if layer.multiplies:
        yield facts.dY_phase, "bp.gradient_write", products * precision.gradient
    if facts.exact:
        yield Phase.FP, "fp.norm_write", products * precision.membrane
        yield Phase.NORM, "fp.norm_read", products * precision.membrane
        yield Phase.GRAD, "bp.norm_write", outputs * precision.gradient * (not facts.dI_again)
    moments = 2 * precision.optimizer if job.workload.optimizer == "adam" else 0
    rewired = sum(facts.rewired(job.chip.core.weights.rewired).values())
    bits = facts.trained_count * (precision.weight + moments) + rewired * precision.weight
    yield Phase.UPDATE, "wg.optimizer_read", bits
    received = (facts.weight_count + rewired) * (facts.replicas - 1) * facts.W_stays
    yield Phase.UPDATE, "wg.optimizer_write", bits + received * precision.weight


def _currents_read(job: Facts, facts: LayerFacts) -> Iterator[Use]:
    """Behind batch statistics BP reads Y and dL/dI, and Y again where U follows from it."""
    if not facts.exact:
        return
    precision, products = job.chip.precision, prod(facts.layer.product_shape) * job.pairs
    dI = precision.gradient * (not facts.dI_again)
    yield Phase.NORM_GRAD, "bp.norm_read", products * (precision.membrane + dI)
    if facts.state == "recompute" and facts.saved:
        yield Phase.GRAD, "bp.norm_read", products * precision.membrane


def _state_accesses(job: Facts, facts: LayerFacts) -> Iterator[Use]:
    """(phase, action, bits of S and m)."""
    if facts.layer.neuron is None:
        return
    bits = len(_state_bits(job, facts)) * prod(facts.layer.out_shape) * job.pairs
    for phase in _soma_phases(facts):
        yield phase, "fp.state_write", bits
    for phase in _gradient_phases(facts):
        yield phase, "bp.state_read", bits


def _state_bits(job: Facts, facts: LayerFacts) -> list[str]:
    """What the neurons of FP leave beside U, each in a memory of its own: m is there for BP.

    Of inference it is S, unless potentials leave in its place.
    """
    if not job.learns:
        return ["S"] * (not facts.layer.membrane_output)
    return [name for name in facts.saved if name not in NUMBERS]


def _soma_phases(facts: LayerFacts) -> list[Phase]:
    """The phases that run the neurons of a layer."""
    return [Phase.NORM if facts.exact else Phase.FP, *[Phase.RECOMPUTE] * facts.recomputed]


def _current_phases(facts: LayerFacts) -> list[Phase]:
    """The phases in which whole currents stand before the neurons: also where U follows from Y."""
    again = facts.exact and facts.state == "recompute" and facts.layer.neuron is not None
    return [*_soma_phases(facts), *[Phase.GRAD] * again]


def _gradient_phases(facts: LayerFacts) -> list[Phase]:
    """The phases that make dI of dS: the second time it is used at once."""
    return [Phase.GRAD, *[Phase.NORM_GRAD] * facts.dI_again]


def _inputs_met(job: Facts, facts: LayerFacts) -> int:
    """Elements of a channel of the operand that WG meets, once: of samples with any dY."""
    _, height, width = job.operand_shape(facts)
    alive = np.any(facts.live, axis=0).astype(np.int64)
    rows = sum(
        len(read_rows(facts, part, height)) * int(alive[slice(*part.neurons.samples)].sum())
        for part in facts.slices
    )
    return rows * width


def _inputs_read(job: Facts, facts: LayerFacts) -> int:
    """Elements of a channel of the operand that the slices read in FP, each once."""
    _, height, width = job.operand_shape(facts)
    rows = sum(len(read_rows(facts, part, height)) * job.pairs_of(part) for part in facts.slices)
    return rows * width

"""Occupancy: what a plan keeps in a core's memories fits there, at every turn of the schedule.

A turn is FP of a layer, or BP and WG of it. Layers of a pipeline or a wavefront share the memories
all the time. Memories that share their banks are one; what its engines work in comes on top of what
a core keeps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from tlm.laws.alternation import HALVES, dY_room
from tlm.laws.check import Check
from tlm.laws.due import Due
from tlm.laws.due.facts import Facts, LayerFacts
from tlm.laws.due.rows import kernel_rows, pooled_rows
from tlm.laws.due.saved import NUMBERS
from tlm.laws.due.units import partial_dS
from tlm.laws.gradient_windows import WG_EIGHTH
from tlm.laws.tile_table import TileTable
from tlm.space.array_types import Ints
from tlm.space.phase import Phase
from tlm.space.region import Slice, Span, length
from tlm.space.tile import Tile

BLOCKS = (Phase.FP, Phase.BP, Phase.RECOMPUTE)
BLOCK = ("phase", "layer", "samples", "steps", "first_row", "end_row")
MOMENTS = 2  # of a weight
POOL = "pool"
# Memories whose banks may be shared, how many a core has of each, and how many halves of them the
# engines work in: rows of FP's inputs and all of WG's, U of both units, dY.
COPIES = {"spikes": 2, "membrane": 2, "gradients": 1, "spike_gradients": 1, "batch_norm": 1,
          "accumulators": 1, "optimizer": 1}  # fmt: skip
WORKING_HALVES = {"spikes": 3, "membrane": 4, "gradients": 2}
CARRY = "carried U"  # from step to step: a part of the U memory of its own, pool or not
CARRY_PARTS = 4
FORWARD_HALVES = {"spikes": 1, "membrane": 2}  # of FP alone


class Claim(NamedTuple):
    """Bits that a layer keeps in a memory of a core, from a turn to another."""

    memory: str
    core: int
    turns: range
    bits: int


def occupancy(table: TileTable, due: Due) -> Iterator[Check]:
    """All claims of a turn on a memory of a core together; blocks and pieces one by one."""
    job, used = due.job, Counter[tuple[str, int, int]]()
    memory = job.chip.core.memory
    shared = memory.sharing == "pool"
    for claim in claims(job):
        name = POOL if shared and claim.memory != CARRY else claim.memory
        for turn in claim.turns:
            used[name, claim.core, turn] += claim.bits
    buffers = sorted(set(_buffers(table, job)))
    pieces = max((bits for name, bits, *_ in buffers if name == "optimizer"), default=0)
    rooms = _rooms(job, pieces) | {CARRY: memory.membrane // CARRY_PARTS}
    wrong = [
        f"{name} of core{core:02d} holds {bits} bit beside working room, of {rooms[name]} bit"
        for (name, core, _), bits in used.items()
        if bits > rooms[name]
    ]
    wrong += [
        f"{name} holds {bits} of {getattr(memory, name)} bit in {phase} of layer {layer}"
        for name, bits, phase, layer in buffers
        if bits > getattr(memory, name)
    ]
    yield Check("memories hold what they keep", not wrong, f"{wrong[:3]}")


def _rooms(job: Facts, pieces: int) -> dict[str, int]:
    """Bits of each memory, or of all together, that are left beside those that engines work in.

    ``pieces`` of weights pass through the memory of the optimizer. Apart, FP's inputs and the state
    of neurons have half of one memory.
    """
    sizes = job.chip.core.memory.sizes
    if job.chip.core.memory.sharing == "pool":
        total = sum(sizes[name] * copies for name, copies in COPIES.items())
        halved = WORKING_HALVES if job.learns else FORWARD_HALVES
        working = sum(sizes[name] * halves // HALVES for name, halves in halved.items())
        return {POOL: total - working - pieces}
    halved = {name: sizes[name] // HALVES for name in ("spikes", "membrane")}
    return sizes | halved | {"optimizer": sizes["optimizer"] - pieces}


def claims(job: Facts) -> Iterator[Claim]:
    """Everything that stays in the cores between two tiles."""
    last = 2 * len(job.layers) - 1  # BP of layer i takes turn last - i
    at_once = _at_once(job)
    for facts in job.layers:
        index, asked, dY = facts.index, _asked(job, facts), _dY(job, facts)
        for part in facts.slices:
            samples = _present(job, part)
            for name, bits, turns in (
                ("spikes", _inputs(job, facts, part, samples),
                 range(min(facts.producers, default=index), index + 1)),
                ("spike_gradients", _arriving(job, facts, part, asked[slice(*samples)]),
                 range(last - max(facts.consumers, default=index), last - index + 1)),
                *_currents(job, facts, part, last),
                ("gradients", dY, range(last - index, min(last, last - index + 1) + 1)),
                ("accumulators", _dW(job, facts, part),
                 range(last - index, min(last, last - index + 1) + 1)),
                ("membrane", _state(job, facts, part, samples), range(index, last - index + 1)),
                (CARRY, _carried(job, facts, part, samples), range(index, index + 1)),
                ("optimizer", _moments(job, facts, part), range(last + 1)),
                ("optimizer", _weights(job, facts, part), range(last + 1)),
                *_weights_of_a_turn(job, facts, part, last),
                *_rows(job, facts, last),
            ):  # fmt: skip
                if bits:
                    yield Claim(name, part.core, range(1) if at_once else turns, bits)


def _at_once(job: Facts) -> bool:
    """Whether layers share the memories all the time: FP by step, or a pipeline of groups."""
    mapping = job.chip.mapping
    cuts = sorted({cut for facts in job.layers for s in facts.slices for cut in s.neurons.samples})
    longest = max(end - first for first, end in pairwise(cuts))
    pipeline = mapping.schedule == "pipelined" and longest > mapping.group
    return pipeline or job.by_step


def _present(job: Facts, part: Slice) -> Span:
    """Samples of a slice that are on the chip together, at the least."""
    first, end = part.neurons.samples
    if job.chip.mapping.schedule == "pipelined":
        end = min(end, first + job.chip.mapping.group)
    return first, end


def _inputs(job: Facts, facts: LayerFacts, part: Slice, samples: Span) -> int:
    if not facts.inputs_sent:
        return 0
    layer, rows = facts.layer, kernel_rows(facts.layer, facts.product_rows(part))
    between = max(rows) - min(rows) + 1 if rows else 0
    each = layer.in_shape[0] * between * layer.in_shape[2] * job.workload.steps
    return each * length(samples) * facts.input_bits


def _asked(job: Facts, facts: LayerFacts) -> Ints:
    """How many dS arrive of every sample, channel and pooled row: where BP skips outputs, those
    that are needed.
    """
    bp, (channels, rows, width) = job.chip.core.engines.bp, facts.layer.pooled_shape
    if bp.mode != "dense" and bp.skip_outputs and facts.dS_sent:
        need = job.masks.need(facts.layer)
        by_step = need.view(np.uint8).sum(axis=0, dtype=np.min_scalar_type(len(need)))
        return np.asarray(by_step.sum(axis=3, dtype=np.int64))
    shape = (job.workload.batch, channels, rows)
    return np.full(shape, width * job.workload.steps, np.int64)


def _arriving(job: Facts, facts: LayerFacts, part: Slice, asked: Ints) -> int:
    """dS, as wide as its partial sums if there are several."""
    if not facts.dS_sent or not facts.consumers:
        return 0
    precision, rows = job.chip.precision, sorted(pooled_rows(facts.layer, part))
    elements = int(asked[:, slice(*part.neurons.channels), rows].sum())
    several = partial_dS(job, facts).max() > 1
    return elements * (precision.partial_sum if several else precision.gradient)


def _currents(
    job: Facts, facts: LayerFacts, part: Slice, last: int
) -> Iterator[tuple[str, int, range]]:
    """Y and dL/dI, which wait for batch statistics: what never leaves, or for FP or BP alone."""
    if not facts.exact:
        return
    keys, index = {place.key for place in facts.tensors}, facts.index
    Y = _products(job, facts, part) * job.chip.precision.membrane
    if "Y" not in keys:
        yield "batch_norm", Y, range(index, last - index + 1)
    else:
        for turn in _turns(facts.Y_stays, index, last):
            yield "batch_norm", Y, range(turn, turn + 1)
    if "dI" not in keys and not facts.dI_again:
        dI = _products(job, facts, part) * job.chip.precision.gradient
        yield "batch_norm", dI, range(last - index, last - index + 1)


def _turns(engines: Sequence[str], index: int, last: int) -> list[int]:
    """The turns of a layer in which some engines are busy."""
    return [{"fp": index, "bp": last - index}[engine] for engine in engines]


def _products(job: Facts, facts: LayerFacts, part: Slice) -> int:
    rows, pairs = len(facts.product_rows(part)), length(part.neurons.samples) * job.workload.steps
    return length(part.neurons.channels) * rows * facts.layer.product_shape[2] * pairs


def _dY(job: Facts, facts: LayerFacts) -> int:
    """What dY of a sample and of the next one take beyond the memory of gradients."""
    return facts.dY_sent * (dY_room(job, facts) - job.chip.core.memory.gradients)


def _rows(job: Facts, facts: LayerFacts, last: int) -> Iterator[tuple[str, int, range]]:
    """What rows of FP's inputs, and of BP's dY, have beyond the room that engines work in."""
    memory, back = job.chip.core.memory, last - facts.index
    dY_rows = memory.gradients - memory.gradients // WG_EIGHTH
    yield "spikes", facts.input_room - memory.spikes // HALVES, range(facts.index, facts.index + 1)
    yield "gradients", facts.dY_rows_room - dY_rows, range(back, back + 1)


def _dW(job: Facts, facts: LayerFacts, part: Slice) -> int:
    if not job.learns or any(p.key == f"dW.core{part.core:02d}" for p in facts.weights):
        return 0
    return facts.weights_of(part) * job.chip.precision.partial_sum


def _weights(job: Facts, facts: LayerFacts, part: Slice) -> int:
    """A copy of the weights that a slice needs, with all tables, where they stay for good."""
    words = facts.weights_of(part)
    if facts.stored is not None:
        words = facts.stored.all_words(part.neurons.channels)
    return words * job.chip.precision.weight * facts.W_stays


def _weights_of_a_turn(
    job: Facts, facts: LayerFacts, part: Slice, last: int
) -> Iterator[tuple[str, int, range]]:
    """Weights that stay in the core as long as an engine works on the layer."""
    if not facts.W_stays:
        for engine in facts.W_stays_in:
            bits = facts.words_of(engine, part) * job.chip.precision.weight
            [turn] = _turns([engine], facts.index, last)
            yield "optimizer", bits, range(turn, turn + 1)


def _moments(job: Facts, facts: LayerFacts, part: Slice) -> int:
    """Those of the weights that a core updates: its share of what all replicas have."""
    if not facts.moments_stay:
        return 0
    alike = [s.index for s in facts.slices if s.neurons.channels == part.neurons.channels]
    share, rest = divmod(facts.weights_of(part), len(alike))
    share += alike.index(part.index) < rest
    return share * MOMENTS * job.chip.precision.optimizer


def _state(job: Facts, facts: LayerFacts, part: Slice, samples: Span) -> int:
    if facts.state != "keep" or not facts.saved:
        return 0
    rows = length(part.neurons.channels) * length(part.neurons.rows)
    neurons = rows * facts.layer.out_shape[2] * length(samples) * job.workload.steps
    pool = facts.layer.current_pool
    places = pool.places if pool is not None and pool.kind == "max" else 1
    numbers = sum(name in NUMBERS for name in facts.saved)
    bits = numbers * job.chip.precision.membrane + len(facts.saved) - numbers
    return neurons * (bits + (places - 1).bit_length())


def _carried(job: Facts, facts: LayerFacts, part: Slice, samples: Span) -> int:
    """What neurons of inference hold from a step to the next, unless it goes through DRAM."""
    layer, keys = facts.layer, {place.key for place in facts.tensors}
    if job.learns or not job.by_step or layer.neuron is None or "carry" in keys:
        return 0
    neurons = length(part.neurons.channels) // layer.sums * length(part.neurons.rows)
    words = neurons * layer.out_shape[2] * layer.state_words * length(samples)
    return words * job.chip.precision.membrane


def _buffers(table: TileTable, job: Facts) -> Iterator[tuple[str, int, str, int]]:
    """(Memory, bits, phase, layer) of sums of a block or a piece of an update, once if alike."""
    blocks = table.groups(table.of(BLOCKS), *BLOCK)
    pieces = table.groups(table.of([Phase.UPDATE]), "layer", "covers")
    for tile in (table.tiles[rows[0]] for rows in (*blocks.values(), *pieces.values())):
        name, layer = tile.phase.name.lower(), tile.layer
        if tile.phase != Phase.UPDATE:
            yield "partial_sums", _sum_bits(job, tile), name, layer
        else:
            moments = MOMENTS * (job.workload.optimizer == "adam")
            bits = job.chip.precision.weight + moments * job.chip.precision.optimizer
            yield "optimizer", HALVES * tile.covers * bits, name, layer


def _sum_bits(job: Facts, tile: Tile) -> int:
    """A vector of sums for every position of a tile's block that the array walks."""
    facts, engines, precision = job.layers[tile.layer], job.chip.core.engines, job.chip.precision
    layer = facts.layer
    backward = tile.phase == Phase.BP
    width = layer.in_shape[2] if backward else layer.product_shape[2]
    steps = tile.steps if backward else min(tile.steps, job.walked_steps(facts))
    positions = tile.samples * steps * length(tile.rows) * width
    channels = engines.bp.cols if backward else engines.fp.cols
    return positions * channels * min(precision.gradient, precision.partial_sum)

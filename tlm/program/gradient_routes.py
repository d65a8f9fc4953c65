"""Where dX goes: to the owners of what the input was summed from, over the mesh or through DRAM."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from tlm.counts.span_sums import added
from tlm.counts.ways import places_of
from tlm.program.builder import ProgramBuilder, per_sample
from tlm.program.dY_exchange import gradient_bytes
from tlm.program.tile_draft import TileDraft
from tlm.space.array_types import Bools, Cells, Ints
from tlm.space.geometry import pool_rows
from tlm.space.phase import Command
from tlm.space.region import Block, Region, Slice, Span, length, overlap
from tlm.space.rounding import ceil_each
from tlm.space.tile import Message
from tlm.storage.plan import LayerPlan
from tlm.storage.slice_sizes import partial_bits, winner_bits
from tlm.workload.model import Layer

WHOLE = np.dtype(np.int64)
Messages = tuple[Message, ...]
Arrivals = tuple[int, tuple[int, ...], int, int]  # core, completions, messages, packets


@dataclass(frozen=True, slots=True)
class Route:
    """The way of a layer's dX to one producer.

    ``layer_plan`` is the layer that computes dX.
    ``owned`` [slices, B, C, H] says how many elements of a row of the layer's input grid, in units
    of ``width``, flow to a slice of the producer (rows of a linear layer are its flattened inputs);
    ``needed`` [T, B, C, H] how many of a row it needs, where there is a gradient at all: one array
    for all slices, or one for each where they share rows. ``index_bits`` more travel with a value
    that a max-pool sends to one of many. ``counted`` keeps what walks return: cores that have other
    channels of the layer send the same.
    """

    layer_plan: LayerPlan
    producer: LayerPlan
    owned: Cells
    width: int
    needed: Sequence[Ints]
    index_bits: int
    counted: dict[Hashable, Returns] = field(default_factory=dict)


class Routes(NamedTuple):
    """The ways of a layer's dX over the mesh: to the producers whose dS waits in the cores."""

    layer_plan: LayerPlan
    over_mesh: list[Route]


def routes_of(layer_plan: LayerPlan) -> Routes:
    """The routes of a layer, in the order of its producers."""
    sent = [each for each in layer_plan.producers if each.stored.dS == "memory"]
    return Routes(layer_plan, [_route(layer_plan, producer) for producer in sent])


def _route(layer_plan: LayerPlan, producer: LayerPlan) -> Route:
    pool = layer_plan.layer.input_pool
    if layer_plan.layer.operand is not None:
        return _route_apart(layer_plan, producer)
    owner, need = producer.cut.owner, producer.need
    index = np.arange(len(producer.cut.slices))
    owned: Bools = owner[None] == index[:, None, None, None]
    width = producer.layer.pooled_shape[2]
    if pool is not None:
        _, rows, width = pool.pooled(producer.layer.pooled_shape)
        height = producer.layer.pooled_shape[1]
        spans = [slice(*pool_rows(pool, (y, y + 1), height)) for y in range(rows)]
        owned = np.stack([owned[..., span].any(axis=-1) for span in spans], axis=-1)
    if pool is not None or layer_plan.layer.dropout:
        need = layer_plan.masks.source_need(layer_plan.layer, producer.layer.index)
    if layer_plan.layer.kind == "linear":
        owned = np.repeat(owned.reshape(*owned.shape[:2], -1, 1), width, axis=2)
    need = need.reshape(*need.shape[:2], *layer_plan.layer.in_shape)
    needed = np.count_nonzero(need, axis=-1) * layer_plan.live[..., None, None]
    columns = layer_plan.layer.in_shape[2]
    return Route(layer_plan, producer, owned, columns, [needed], winner_bits(pool))


def _route_apart(layer_plan: LayerPlan, producer: LayerPlan) -> Route:
    """The way of dX where the input is put together of windows: element by element."""
    layer, pool = layer_plan.layer, layer_plan.layer.input_pool
    feed = next(feed for feed in layer_plan.feeds if feed.source == producer.layer.index)
    need = layer_plan.masks.source_need(layer, producer.layer.index)
    live = layer_plan.live[..., None, None]
    owned = np.zeros((len(producer.cut.slices), live.shape[1], *layer.in_shape[:2]), np.int64)
    flags: dict[Region, Bools] = {}  # by box of a sample
    boxes = [producer.pooled(part.neurons)._replace(samples=(0, 1)) for part in producer.cut.slices]
    for part, box in zip(producer.cut.slices, boxes, strict=True):
        if box not in flags:
            flags[box] = places_of(feed, layer_plan.operand, box, pool).reshape(layer.in_shape)
        owned[part.index, slice(*part.neurons.samples)] = flags[box].sum(axis=-1)
    shared = layer.in_shape[2] > 1 and any(strand.reshapes for strand in feed.strands)
    needs = (need & flags[box] for box in boxes) if shared else [need]
    needed = [np.count_nonzero(some, axis=-1) * live for some in needs]
    index_bits = max(sum(map(winner_bits, strand.all_pools)) for strand in feed.strands)
    return Route(layer_plan, producer, owned, 1, needed, index_bits + winner_bits(pool))


def receives(builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice) -> bool:
    """Whether a reader returns dX to a slice: their pools may step over all that is of it."""
    index = layer_plan.layer.index
    if index not in builder.receiving:
        builder.receiving[index] = frozenset(_receiving(layer_plan))
    return part.index in builder.receiving[index]


def _receiving(layer_plan: LayerPlan) -> Iterable[int]:
    """The slices of a layer that any dX comes to."""
    readers, every = layer_plan.returning, range(len(layer_plan.cut.slices))
    if layer_plan.head or not all(_steps_over(reader.layer) for reader in readers):
        return every
    routes = [_route(reader, layer_plan) for reader in readers]
    return [index for index in every if any(route.owned[index].any() for route in routes)]


def _steps_over(layer: Layer) -> bool:
    pool = layer.input_pool
    return pool is not None and any(
        stride > size for stride, size in zip(pool.stride, pool.size, strict=True)
    )


class Returns(NamedTuple):
    """What a walk over a slice sends back to a producer: ``messages`` [block][chunk].

    ``arrivals`` count, for every block and target, the messages and the packets that come to it.
    """

    messages: list[list[Messages]]
    arrivals: list[Arrivals]


def returned_over(
    builder: ProgramBuilder, route: Route, core: int, walk: Sequence[Block], chunks: Sequence[Span]
) -> list[list[Messages]]:
    """The messages by which a walk of a ``core`` returns its dX, [block][chunk of channels].

    The blocks are all of a box, in its order; the chunks adjoin. Arrivals are announced.
    """
    key = (walk[0], walk[-1], len(walk), *chunks)
    if key not in route.counted:
        route.counted[key] = _counted(builder, route, walk, chunks)
    for target, arrives, messages, packets in route.counted[key].arrivals:
        builder.done.expect_all(arrives, messages if target == core else packets)
    return route.counted[key].messages


def _counted(
    builder: ProgramBuilder, route: Route, walk: Sequence[Block], chunks: Sequence[Span]
) -> Returns:
    """What any core returns of a walk."""
    layer_plan, slices = route.layer_plan, route.producer.cut.slices
    samples, rows, steps = (
        list(dict.fromkeys(spans))
        for spans in zip(*((b.samples, b.rows, b.steps) for b in walk), strict=True)
    )
    box = tuple(slice(spans[0][0], spans[-1][1]) for spans in (samples, chunks, rows))
    owned = route.owned[:, *box]
    met = np.flatnonzero(owned.any(axis=(1, 2, 3))).tolist()
    if not met:  # of other sources, or zeros alone
        return Returns([[()] * len(chunks)] * len(walk), [])
    live = added(layer_plan.live[:, box[0]], steps, 0, WHOLE)[..., None, None]
    bits = partial_bits(builder.plan, layer_plan) + route.index_bits
    needed = [added(some[:, *box], steps, 0, WHOLE) for some in route.needed]
    of_targets = []
    for number in met:
        mine, some = owned[number], needed[number if len(needed) > 1 else 0]
        each = _box_sums(mine, chunks, rows)
        elements = added(live * each, samples, 1, WHOLE) * route.width
        present = added(_box_sums(some * (mine > 0), chunks, rows), samples, 1, WHOLE)
        nbytes = gradient_bytes(builder, elements, present, bits)
        of_targets.append(np.where(added(each, samples, 0, WHOLE) > 0, nbytes, -1))
    # [target, steps, samples, chunk, rows] in the order of blocks
    by_block = np.stack(of_targets).transpose(2, 4, 1, 3, 0).reshape(len(walk), len(chunks), -1)
    return _addressed(builder, route.producer, [slices[index] for index in met], walk, by_block)


def _addressed(
    builder: ProgramBuilder, producer: LayerPlan, targets: Sequence[Slice], walk: Sequence[Block],
    nbytes: Ints,
) -> Returns:  # fmt: skip
    """The messages of ``nbytes`` [block, chunk, target]; below 0 there is none."""
    sent = nbytes >= 0
    packets = np.maximum(1, ceil_each(nbytes, builder.payload)) * sent
    counts = np.stack([sent.sum(axis=1), packets.sum(axis=1)], axis=-1)
    messages, arrivals = list[list[Messages]](), list[Arrivals]()
    for block, sizes, of_targets in zip(walk, nbytes.tolist(), counts.tolist(), strict=True):
        places = []
        for target in targets:
            samples = overlap(block.samples, target.neurons.samples)
            places.append((target.core, per_sample(builder, "dS", producer, target, samples)))
        arrivals += [(*at, *some) for at, some in zip(places, of_targets, strict=True)]
        messages.append([_to(places, of_chunk) for of_chunk in sizes])
    return Returns(messages, arrivals)


def _to(places: Sequence[tuple[int, tuple[int, ...]]], sizes: Sequence[int]) -> Messages:
    """A message of each size that is not below 0, to a core and its completions."""
    return tuple([
        Message(Command.GRADIENT, core, nbytes, arrives)
        for (core, arrives), nbytes in zip(places, sizes, strict=True)
        if nbytes >= 0
    ])  # fmt: skip


def _box_sums(values: Cells, chunks: Sequence[Span], rows: Sequence[Span]) -> Ints:
    """Sums of [..., channel, row] by chunk of channels and span of rows."""
    axis = values.ndim - 2
    return added(added(values, chunks, axis, WHOLE), rows, axis + 1, WHOLE)


def return_gradient(messages: Messages, core: int, tile: TileDraft) -> None:
    """Send a finished chunk of dX to the slices of a producer that own its elements."""
    for message in messages:
        if message.core == core:  # it is there
            tile.add_signals(message.arrives)
            messages = tuple([each for each in messages if each is not message])
    tile.messages += messages


def leave_gradient(
    builder: ProgramBuilder,
    layer_plan: LayerPlan,
    part: Slice,
    block: Block,
    chunk: Span,
    tile: TileDraft,
) -> None:
    """Write what of a finished chunk of dX goes to producers whose dS waits in DRAM.

    They share one copy there, one for each channel cut of the layer.
    """
    spans = [overlap(chunk, span) for span in layer_plan.spilled_inputs]
    if not any(map(length, spans)):
        return
    cut = layer_plan.cut
    k = [each.neurons.channels for each in cut.slices[: cut.split.k]].index(part.neurons.channels)
    tensor = layer_plan.addressed.tensors[f"dX{k}"]
    for span in spans:
        if length(span):
            at = (block.samples, block.steps, span, block.rows)
            tile.add_writes(tensor.runs(*at, layer_plan.skips))
    idents = per_sample(builder, "dX", layer_plan, part, block.samples)
    tile.add_saves(builder.done.expect_all(idents))

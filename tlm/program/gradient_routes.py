"""Where dX goes: to the owners of what the input was summed from, over the mesh or through DRAM."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tlm.program.builder import ProgramBuilder, per_sample
from tlm.program.dY_exchange import gradient_bytes
from tlm.program.tile_draft import TileDraft
from tlm.space.array_types import Bools, Ints
from tlm.space.phase import Command
from tlm.space.region import Block, Slice, Span, overlap
from tlm.storage.plan import LayerPlan
from tlm.storage.slice_sizes import partial_bits, winner_bits


@dataclass(frozen=True, slots=True)
class Route:
    """The way of a layer's dX to one producer.

    ``layer_plan`` is the layer that computes dX.
    ``owned`` [slices, B, C, H] says which elements of the layer's input grid flow to a slice of the
    producer (rows of a linear layer are its flattened inputs); ``needed`` [T, B, C, H] how many of
    a row it needs, where there is a gradient at all. ``index_bits`` more travel with a value that a
    max-pool sends to one of many.
    """

    layer_plan: LayerPlan
    producer: LayerPlan
    owned: Bools
    needed: Ints
    index_bits: int


def routes_of(layer_plan: LayerPlan) -> list[Route]:
    """A route to every producer of a layer, in index order."""
    return [_route(layer_plan, producer) for producer in layer_plan.producers]


def _route(layer_plan: LayerPlan, producer: LayerPlan) -> Route:
    owner, need = producer.cut.owner, producer.need
    pool, index = layer_plan.layer.input_pool, np.arange(len(producer.cut.slices))
    owned: Bools = owner[None] == index[:, None, None, None]
    width = producer.layer.pooled_shape[2]
    if pool is not None:
        _, rows, width = pool.pooled(producer.layer.pooled_shape)
        spans = [
            (max(0, y * pool.stride - pool.padding), y * pool.stride - pool.padding + pool.size)
            for y in range(rows)
        ]
        owned = np.stack([owned[..., low:high].any(axis=-1) for low, high in spans], axis=-1)
        need = layer_plan.masks.pooled_need(layer_plan.layer, producer.layer.index)
    if layer_plan.layer.kind == "linear":
        owned = np.repeat(owned.reshape(*owned.shape[:2], -1, 1), width, axis=2)
    need = need.reshape(*need.shape[:2], *layer_plan.layer.in_shape)
    needed = np.count_nonzero(need & layer_plan.live[..., None, None, None], axis=-1)
    return Route(layer_plan, producer, owned, needed, winner_bits(pool))


def return_gradient(
    builder: ProgramBuilder,
    routes: list[Route],
    part: Slice,
    block: Block,
    chunk: Span,
    tile: TileDraft,
) -> None:
    """Send a finished chunk of dX to the slices of the producers that own its elements.

    Producers whose dS waits in DRAM share one copy there, one for each channel cut of the layer.
    """
    layer_plan = routes[0].layer_plan
    for route in routes:
        if route.producer.stored.dS == "memory":
            _send(builder, route, part, block, chunk, tile)
    if any(route.producer.stored.dS == "dram" for route in routes):
        k = [cut.neurons.channels for cut in layer_plan.cut.slices[: layer_plan.cut.split.k]].index(
            part.neurons.channels
        )
        tensor = layer_plan.addressed.tensors[f"dX{k}"]
        tile.add_writes(
            tensor.runs(block.samples, block.steps, chunk, block.rows, layer_plan.skips)
        )
        tile.add_saves(
            tuple(
                builder.done.expect(ident)
                for ident in per_sample(builder, "dX", layer_plan, part, block.samples)
            )
        )


def _send(
    builder: ProgramBuilder,
    route: Route,
    part: Slice,
    block: Block,
    chunk: Span,
    tile: TileDraft,
) -> None:
    layer_plan, target_slices = route.layer_plan, route.producer.cut.slices
    (b0, b1), steps = block.samples, slice(*block.steps)
    live = np.count_nonzero(layer_plan.live[steps, b0:b1], axis=0)
    needed_pairs = route.needed[steps, b0:b1, slice(*chunk), slice(*block.rows)].sum(axis=0)
    mine = route.owned[:, b0:b1, slice(*chunk), slice(*block.rows)]
    bits = partial_bits(builder.plan, layer_plan) + route.index_bits
    for index in np.flatnonzero(mine.any(axis=(1, 2, 3))).tolist():
        target = target_slices[index]
        each = mine[index].sum(axis=(1, 2)) * layer_plan.layer.in_shape[2]
        elements = int((live * each).sum())
        present = int((needed_pairs * mine[index]).sum())
        nbytes = gradient_bytes(builder, elements, present, bits)
        samples = overlap(block.samples, target.neurons.samples)
        arrives = per_sample(builder, "dS", route.producer, target, samples)
        builder.send(Command.GRADIENT, part.core, target.core, nbytes, arrives, tile)

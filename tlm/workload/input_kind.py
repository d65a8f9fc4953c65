"""What kind of numbers a layer reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tlm.workload.held import Held
from tlm.workload.model import NETWORK_INPUT, Encoding, InputKind, Layer, Pool
from tlm.workload.operand import Factor, Operand, Part

CODED: Final[dict[Encoding, InputKind]] = {
    "direct": "analog",
    "rate": "binary",
    "events": "binary",
    "counts": "integer",
    "frames": "analog",
}
"""What kind of numbers the network's input is, by its coding."""


def input_kind(
    sources: Sequence[int],
    pools: Sequence[Pool | None],
    network_input: InputKind,
    counted: bool = True,
) -> InputKind:
    """What a layer reads, from its ``sources`` and the ``pools`` on the way from them.

    ``network_input`` is what the network's input is, ``counted`` says whether all layers among the
    sources have neurons, or leave whole numbers without.
    """
    if tuple(sources) == (NETWORK_INPUT,):
        return network_input
    kinds = {pool.kind for pool in pools if pool is not None}
    if not counted or "average" in kinds:
        return "analog"
    return "binary" if len(sources) == 1 and "sum" not in kinds else "integer"


def network_input_kind(layers: Sequence[Layer], encoding: Encoding) -> InputKind:
    """What the network's input is: what a layer says that reads it alone, else by its coding."""
    for layer in layers:
        if layer.sources == (NETWORK_INPUT,) and layer.operand is None:
            return layer.input_kind
    return CODED[encoding]


def kind_of(layer: Layer, layers: Sequence[Layer], network_input: InputKind) -> InputKind:
    """What ``layer`` of ``layers`` reads; of an operand the widest kind of its parts."""
    return _kind(layer.sources, layer.operand, layer.input_pool, layers, network_input)


def held_kind(held: Held, layers: Sequence[Layer], network_input: InputKind) -> InputKind:
    """What a matmul of ``layers`` holds in the place of weights."""
    return _kind(held.sources, held.operand, None, layers, network_input)


def leaves_spikes(factor: Factor, layers: Sequence[Layer]) -> bool:
    """Whether what comes of a layer, on its way, is 0 or 1."""
    source = layers[factor.source]
    pools = (source.pool, *(step for step in factor.way if isinstance(step, Pool)))
    return source.neuron is not None and all(pool is None or pool.kind == "max" for pool in pools)


_WIDEST_FIRST: tuple[InputKind, ...] = ("analog", "integer", "binary")


def _kind(
    sources: Sequence[int],
    operand: Operand | None,
    input_pool: Pool | None,
    layers: Sequence[Layer],
    network_input: InputKind,
) -> InputKind:
    if operand is None:
        return _sum_kind(sources, (input_pool,), layers, network_input)
    kinds = {_part_kind(part, input_pool, layers, network_input) for part in operand.parts}
    return next(kind for kind in _WIDEST_FIRST if kind in kinds)


def _part_kind(
    part: Part, input_pool: Pool | None, layers: Sequence[Layer], network_input: InputKind
) -> InputKind:
    sources = [term.source for term in part.terms]
    if not sources:
        return "binary"
    if network_input != "binary" and NETWORK_INPUT in sources:
        return network_input
    own = [step for term in part.terms for step in term.way if isinstance(step, Pool)]
    return _sum_kind(sources, (*own, input_pool), layers, network_input)


def _sum_kind(
    sources: Sequence[int],
    pools: Sequence[Pool | None],
    layers: Sequence[Layer],
    network_input: InputKind,
) -> InputKind:
    read = [layers[source] for source in sources if source != NETWORK_INPUT]
    currents = [layer for layer in read if layer.neuron is None]
    counted = all(_counts(layer, layers, network_input) for layer in currents)
    passed = [*(layer.pool for layer in read), *pools]
    kind = input_kind(sources, passed, network_input, counted)
    return "integer" if kind == "binary" and currents else kind


def _counts(layer: Layer, layers: Sequence[Layer], network_input: InputKind) -> bool:
    """Whether a layer without neurons leaves whole numbers: a matmul of such, as it is."""
    held = layer.held
    if held is None or held.scale != 1 or layer.norm is not None or layer.shortcuts:
        return False
    kinds = (kind_of(layer, layers, network_input), held_kind(held, layers, network_input))
    pools = {pool.kind for pool in (layer.current_pool, layer.pool) if pool is not None}
    return "analog" not in kinds and "average" not in pools

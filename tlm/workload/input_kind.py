"""What kind of numbers a layer reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tlm.workload.model import NETWORK_INPUT, Encoding, InputKind, Layer, Pool
from tlm.workload.operand import Factor, Part

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
    spiking: bool = True,
) -> InputKind:
    """What a layer reads, from its ``sources`` and the ``pools`` on the way from them.

    ``network_input`` is what the network's input is, ``spiking`` says whether all layers among the
    sources have neurons.
    """
    if tuple(sources) == (NETWORK_INPUT,):
        return network_input
    kinds = {pool.kind for pool in pools if pool is not None}
    if not spiking or "average" in kinds:
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
    if layer.operand is None:
        return _sum_kind(layer.sources, (layer.input_pool,), layers, network_input)
    kinds = {
        _part_kind(part, layer.input_pool, layers, network_input) for part in layer.operand.parts
    }
    return next(kind for kind in _WIDEST_FIRST if kind in kinds)


def leaves_spikes(factor: Factor, layers: Sequence[Layer]) -> bool:
    """Whether what comes of a layer, on its way, is 0 or 1."""
    source = layers[factor.source]
    pools = (source.pool, *(step for step in factor.way if isinstance(step, Pool)))
    return source.neuron is not None and all(pool is None or pool.kind == "max" for pool in pools)


_WIDEST_FIRST: tuple[InputKind, ...] = ("analog", "integer", "binary")


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
    spiking = all(layer.neuron is not None for layer in read)
    passed = [*(layer.pool for layer in read), *pools]
    return input_kind(sources, passed, network_input, spiking)

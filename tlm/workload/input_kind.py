"""What kind of numbers a layer reads."""

from __future__ import annotations

from collections.abc import Sequence

from tlm.workload.model import NETWORK_INPUT, InputKind, Layer, Pool
from tlm.workload.operand import Part


def input_kind(
    sources: Sequence[int],
    pools: Sequence[Pool | None],
    direct_coding: bool,
    spiking: bool = True,
) -> InputKind:
    """What a layer reads, from its ``sources`` and the ``pools`` on the way from them.

    ``direct_coding`` says whether the network's input is directly coded, ``spiking`` whether all
    layers among the sources have neurons.
    """
    if tuple(sources) == (NETWORK_INPUT,):
        return "analog" if direct_coding else "binary"
    if not spiking or any(pool is not None and pool.kind == "average" for pool in pools):
        return "analog"
    return "binary" if len(sources) == 1 else "integer"


def kind_of(layer: Layer, layers: Sequence[Layer], direct_coding: bool) -> InputKind:
    """What ``layer`` of ``layers`` reads; of an operand the widest kind of its parts."""
    if layer.operand is None:
        return _sum_kind(layer.sources, (layer.input_pool,), layers, direct_coding)
    kinds = {
        _part_kind(part, layer.input_pool, layers, direct_coding) for part in layer.operand.parts
    }
    return next(kind for kind in _WIDEST_FIRST if kind in kinds)


_WIDEST_FIRST: tuple[InputKind, ...] = ("analog", "integer", "binary")


def _part_kind(
    part: Part, input_pool: Pool | None, layers: Sequence[Layer], direct_coding: bool
) -> InputKind:
    sources = [term.source for term in part.terms]
    if not sources:
        return "binary"
    if direct_coding and NETWORK_INPUT in sources:
        return "analog"
    own = [step for term in part.terms for step in term.way if isinstance(step, Pool)]
    return _sum_kind(sources, (*own, input_pool), layers, direct_coding)


def _sum_kind(
    sources: Sequence[int],
    pools: Sequence[Pool | None],
    layers: Sequence[Layer],
    direct_coding: bool,
) -> InputKind:
    read = [layers[source] for source in sources if source != NETWORK_INPUT]
    spiking = all(layer.neuron is not None for layer in read)
    passed = [*(layer.pool for layer in read), *pools]
    return input_kind(sources, passed, direct_coding, spiking)

"""What kind of numbers a layer reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tlm.workload.model import NETWORK_INPUT, InputKind, Pool
from tlm.workload.operand import Operand, Part


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


def operand_kind(
    operand: Operand,
    pools: Mapping[int, Pool | None],
    input_pool: Pool | None,
    direct_coding: bool,
    spiking: bool = True,
) -> InputKind:
    """What a layer reads whose operand is put together: the widest kind of its parts.

    ``pools`` are those behind its sources; ``spiking`` is as in :func:`input_kind`.
    """
    if not spiking:
        return "analog"
    kinds = {_part_kind(part, pools, input_pool, direct_coding) for part in operand.parts}
    return next(kind for kind in _WIDEST_FIRST if kind in kinds)


_WIDEST_FIRST: tuple[InputKind, ...] = ("analog", "integer", "binary")


def _part_kind(
    part: Part, pools: Mapping[int, Pool | None], input_pool: Pool | None, direct_coding: bool
) -> InputKind:
    sources = [term.source for term in part.terms]
    if not sources:
        return "binary"
    if direct_coding and NETWORK_INPUT in sources:
        return "analog"
    own = [step for term in part.terms for step in term.way if isinstance(step, Pool)]
    return input_kind(sources, [*map(pools.get, sources), *own, input_pool], direct_coding)

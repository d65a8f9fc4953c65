"""What kind of numbers a layer reads."""

from __future__ import annotations

from collections.abc import Sequence

from tlm.workload.model import NETWORK_INPUT, InputKind, Pool


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

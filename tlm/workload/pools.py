"""One way to say one pool: behind the layer whose outputs every reader pools alike.

A pool on the outputs of a layer and the same pool on the inputs of all its readers are one network.
Made once, where the spikes are, it costs its additions once and less is moved; so both are placed
and counted so.
"""

from __future__ import annotations

from dataclasses import replace

from tlm.workload.model import Layer, Pool, Workload
from tlm.workload.readers import added_outputs


def pools_behind_layers(workload: Workload) -> Workload:
    """The job with pools moved from readers to the layer they read, where that is the same."""
    layers, added = list(workload.layers), added_outputs(workload.layers)
    for layer in workload.layers:
        readers = [reader for reader in layers if layer.index in reader.reads]
        pool = None if layer.index in added else _common_pool(layer, readers)
        if pool is None:
            continue
        layers[layer.index] = replace(layers[layer.index], pool=pool)
        for reader in readers:
            layers[reader.index] = replace(layers[reader.index], input_pool=None)
    return replace(workload, layers=tuple(layers))


def _common_pool(layer: Layer, readers: list[Layer]) -> Pool | None:
    """The pool that all readers of an unpooled layer, and of it alone, have."""
    pools = {reader.input_pool for reader in readers}
    alone = all(reader.reads == (layer.index,) and reader.operand is None for reader in readers)
    if layer.pool is not None or len(pools) != 1 or not alone:
        return None
    return pools.pop()

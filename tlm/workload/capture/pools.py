"""Stages -> the pools on their edges: behind a layer, or before the layer that reads a sum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tlm.errors import WorkloadError
from tlm.workload.capture.edges import INPUT
from tlm.workload.capture.pool_nodes import GLOBAL
from tlm.workload.capture.stages import TopologyStage
from tlm.workload.model import Pool, Shape3


@dataclass(frozen=True)
class Pools:
    """Pools by layer index: ``behind`` a layer's neurons, and ``before`` a layer, on its sum."""

    behind: dict[int, Pool]
    before: dict[int, Pool]


def pools_of(stages: Sequence[TopologyStage], index: Mapping[str, int]) -> Pools:
    """The pools between layers; ``index`` is a layer's by the name of its last boundary.

    A pool that only some readers of a layer see belongs to those readers. Raises WorkloadError if
    readers pool more than once, or one reader otherwise than another.
    """
    before: dict[int, Pool] = {}
    readers: dict[int, list[tuple[int, tuple[Pool, ...]]]] = {}
    for at, stage in enumerate(stages):
        edges = stage.product.edges
        shared = len(edges) > 1 and all(
            edge.pools and edge.pools[0] == edges[0].pools[0] for edge in edges
        )
        if shared:
            before[at] = edges[0].pools[0][1]
        for edge in edges:
            if edge.source != INPUT and edge.source in index:
                pools = tuple(pool for _, pool in edge.pools[int(shared) :])
                readers.setdefault(index[edge.source], []).append((at, pools))
    behind: dict[int, Pool] = {}
    for source, paths in readers.items():
        common = min(paths, key=lambda path: len(path[1]))[1][-1:]
        if common:
            behind[source] = sized(stages[source].product.name, common[0], stages[source].out_shape)
        for at, pools in paths:
            left = pools[: len(pools) - len(common)]
            if pools[len(left) :] != common or len(left) > 1 or (left and at in before):
                raise WorkloadError(
                    f"{stages[at].product.name}: its input is pooled more than once, or otherwise "
                    "than for the other layers that read it; pool once behind each layer"
                )
            if left:
                before[at] = left[0]
    for at, pool in before.items():
        source = index[stages[at].product.edges[0].source]
        shape = stages[source].out_shape
        read = behind[source].pooled(shape) if source in behind else shape
        before[at] = sized(stages[at].product.name, pool, read)
    return Pools(behind, before)


def sized(where: str, pool: Pool, shape: Shape3) -> Pool:
    """``pool`` of ``shape``; a global pool gets its size, which the shape decides.

    Raises WorkloadError if a global pool's window is not square; ``where`` is the layer at it.
    """
    if pool.size != GLOBAL:
        return pool
    if shape[1] != shape[2]:
        raise WorkloadError(
            f"{where}: a global pool at it covers {shape[1]} x {shape[2]}: only square windows are "
            "modelled; pool square images"
        )
    return Pool(pool.kind, shape[1], shape[1])

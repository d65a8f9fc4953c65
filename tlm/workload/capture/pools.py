"""Stages -> the pools on their edges: behind a layer, or before the layer that reads a sum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tlm.errors import WorkloadError
from tlm.workload.capture.edges import Edge
from tlm.workload.capture.pool_nodes import sized
from tlm.workload.capture.stages import TopologyStage
from tlm.workload.model import Pool, Shape3


@dataclass(frozen=True)
class Pools:
    """Pools by layer index: ``behind`` a layer's neurons, and ``before`` a layer, on its sum.

    ``added`` are those of shortcuts, by the indices of the layer and of the shortcut in it.
    ``apart`` are the layers whose sources are pooled each in its own way, or more than once.
    """

    behind: dict[int, Pool] = field(default_factory=dict)
    before: dict[int, Pool] = field(default_factory=dict)
    added: dict[tuple[int, int], Pool] = field(default_factory=dict)
    apart: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class BoundaryOutput:
    """What a boundary's output is: the output of a layer, or the current before its neurons."""

    layer: int
    of: Literal["spikes", "current"]
    whole: bool


@dataclass(frozen=True)
class _Path:
    """How layer ``reader`` reads another: as a source, or as its shortcut number ``shortcut``.

    What is ``held`` passes its pools as the terms of an operand do.
    """

    reader: int
    shortcut: int | None
    pools: tuple[Pool, ...]
    held: bool = False


def origins_of(stages: Sequence[TopologyStage]) -> dict[str, BoundaryOutput]:
    """What each boundary's output is, by name; ``whole`` if it is what later layers read."""
    origins: dict[str, BoundaryOutput] = {}
    for at, stage in enumerate(stages):
        if stage.tail is not stage.neuron:
            origins[stage.tail.name] = BoundaryOutput(at, "current", stage.neuron is None)
        if stage.neuron is not None:
            origins[stage.neuron.name] = BoundaryOutput(at, "spikes", whole=True)
    return origins


def pools_of(stages: Sequence[TopologyStage], origins: Mapping[str, BoundaryOutput]) -> Pools:
    """The pools between layers.

    A pool that only some readers of a layer see belongs to those readers. Raises WorkloadError if
    readers pool more than once, or one reader otherwise than another.
    """
    pools = Pools()
    readers: dict[int, list[_Path]] = {}
    for at, stage in enumerate(stages):
        single = stage.reading.is_plain and len(stage.reads.terms) == 1
        if stage.reads.pools and not single:
            _check_once(stage, stage.reads.pools)
            pools.before[at] = stage.reads.pools[0]
        for term in stage.reads.edges if single else stage.reads.terms:
            if term.source in origins:
                path = _Path(at, None, term.pools)
                readers.setdefault(origins[term.source].layer, []).append(path)
        for term in stage.held[0].edges if stage.held else ():
            held = _Path(at, None, term.pools, held=True)
            readers.setdefault(origins[term.source].layer, []).append(held)
        for number, term in enumerate(stage.shortcuts):
            path = _Path(at, number, term.pools)
            if origins[term.source].whole:
                readers.setdefault(origins[term.source].layer, []).append(path)
            else:
                _take(pools, stages, path, path.pools)
    for source, paths in readers.items():
        common = paths[0].pools[-1:]
        read_by_loss = all(path.reader <= source for path in paths)
        if read_by_loss or any(path.pools[-1:] != common for path in paths):
            common = ()
        if common:
            pools.behind[source] = sized(common[0], stages[source].out_shape)
        for path in paths:
            _take(pools, stages, path, path.pools[: len(path.pools) - len(common)])
    return _all_sized(pools, stages, origins)


def _take(
    pools: Pools, stages: Sequence[TopologyStage], path: _Path, left: tuple[Pool, ...]
) -> None:
    """Give the reader at the end of ``path`` the pools that are ``left`` to it."""
    stage = stages[path.reader]
    if not left or path.held or (path.shortcut is None and not stage.reading.is_plain):
        return  # the terms of an operand have pools of their own
    if path.shortcut is None and (len(left) > 1 or len(stage.reads.terms) > 1):
        pools.apart.add(path.reader)
        return
    if len(left) > 1:
        raise _refusal(stage)
    if path.shortcut is None:
        pools.before[path.reader] = left[0]
    else:
        pools.added[path.reader, path.shortcut] = left[0]


def _all_sized(
    pools: Pools, stages: Sequence[TopologyStage], origins: Mapping[str, BoundaryOutput]
) -> Pools:
    """The pools, global ones with their size."""

    def read(term: Edge) -> Shape3:
        origin = origins[term.source]
        shape = stages[origin.layer].out_shape
        behind = pools.behind.get(origin.layer) if origin.whole else None
        return shape if behind is None else behind.pooled(shape)

    before = {at: sized(pool, read(stages[at].reads.terms[0])) for at, pool in pools.before.items()}
    added = {
        (at, number): sized(pool, read(stages[at].shortcuts[number]))
        for (at, number), pool in pools.added.items()
    }
    return Pools(pools.behind, before, added, pools.apart)


def _check_once(stage: TopologyStage, pools: Sequence[object]) -> None:
    if len(pools) > 1:
        raise _refusal(stage)


def _refusal(stage: TopologyStage) -> WorkloadError:
    return WorkloadError(
        f"{stage.first.name}: its input is pooled more than once, or otherwise than for the other "
        "layers that read it; pool once behind each layer"
    )

"""Boundaries -> the layer graph: which neuron follows which layer, and who reads whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tlm.errors import WorkloadError
from tlm.workload.capture.boundary import Boundary
from tlm.workload.capture.edges import GLOBAL, INPUT, Edge
from tlm.workload.model import NETWORK_INPUT, Layer, Norm, Pool, Shape3, input_kind

Pair = tuple[int, int]
_MAX_NAME = 64


@dataclass(frozen=True, eq=False)
class TopologyStage:
    """A convolution or linear layer with the boundaries behind it, as they were called."""

    product: Boundary
    norm: Boundary | None
    neuron: Boundary | None


def stages_of(boundaries: Mapping[str, Boundary]) -> tuple[TopologyStage, ...]:
    """One stage for each layer, in order of the forward pass.

    Raises WorkloadError if a neuron or norm does not follow exactly one layer.
    """
    norms = _followers(boundaries, "norm", ("conv", "linear"), most_pools=0)
    neurons = _followers(boundaries, "neuron", ("conv", "linear", "norm"), most_pools=1)
    found = []
    for boundary in boundaries.values():
        if boundary.kind in ("conv", "linear"):
            norm = norms.get(boundary.name)
            neuron = neurons.get(boundary.name if norm is None else norm.name)
            found.append(TopologyStage(boundary, norm, neuron))
    if not found:
        raise WorkloadError(
            "no nn.Conv2d or nn.Linear was called; record the network's own forward"
        )
    return tuple(found)


def _followers(
    boundaries: Mapping[str, Boundary], kind: str, after: tuple[str, ...], most_pools: int
) -> dict[str, Boundary]:
    """Boundaries of ``kind`` by the name of the one they follow."""
    found: dict[str, Boundary] = {}
    for boundary in boundaries.values():
        if boundary.kind != kind:
            continue
        edges = boundary.edges
        kinds = [boundaries[edge.source].kind if edge.source else "input" for edge in edges]
        plain = len(edges) == 1 and len(edges[0].pools) <= most_pools and kinds[0] in after
        if not plain:
            pools = " through pools" if any(edge.pools for edge in edges) else ""
            names = " + ".join(edge.source or "the input" for edge in edges)
            raise WorkloadError(
                f"{boundary.name}: expected to follow one {' or '.join(after)} directly, but its "
                f"input is {names}{pools}; pool once, behind the norm or the neuron, and add "
                "residuals as spikes before the next convolution"
            )
        if edges[0].source in found:
            raise WorkloadError(
                f"{edges[0].source}: two modules, {found[edges[0].source].name} and "
                f"{boundary.name}, follow it; give each a layer of its own"
            )
        found[edges[0].source] = boundary
    return found


def layers_of(
    stages: Sequence[TopologyStage], shapes: Sequence[tuple[Shape3, Shape3, Shape3]], analog: bool
) -> tuple[Layer, ...]:
    """The layer graph; ``shapes`` are each stage's (in_shape, out_shape, product_shape).

    Raises WorkloadError for options of a module that are not modelled.
    """
    index = {}
    for at, stage in enumerate(stages):
        last = stage.neuron or stage.norm or stage.product
        index[last.name] = at
    outer, inner = _pools(stages, index, [out for _, out, _ in shapes])
    names = _layer_names([stage.product.name for stage in stages])
    layers: list[Layer] = []
    for at, stage in enumerate(stages):
        sources = tuple(sorted(_source(stage, edge, index) for edge in stage.product.edges))
        pools = [inner.get(source) for source in sources]
        kernel, stride, padding = _window(stage.product)
        layers.append(
            Layer(
                index=at,
                name=names[at],
                kind="conv" if stage.product.kind == "conv" else "linear",
                in_shape=shapes[at][0],
                out_shape=shapes[at][1],
                kernel=kernel,
                stride=stride,
                padding=padding,
                sources=sources,
                input_pool=outer.get(at),
                input_kind=input_kind(sources, [*pools, outer.get(at)], analog),
                bias=stage.product.module.bias is not None,
                norm=_norm(stage.norm),
                current_pool=_current_pool(stage, shapes[at][2]),
                neuron=stage.neuron.equation.neuron
                if stage.neuron is not None and stage.neuron.equation is not None
                else None,
                pool=inner.get(at),
            )
        )
    _check_ends(layers)
    return tuple(layers)


def _current_pool(stage: TopologyStage, shape: Shape3) -> Pool | None:
    """The pool between a product of ``shape`` and its neuron."""
    if stage.neuron is None or not stage.neuron.edges[0].pools:
        return None
    return _whole(stage.neuron.edges[0].pools[0][1], shape)


def _layer_names(paths: Sequence[str]) -> list[str]:
    """Last part of each module's path if it says something and is unique, else all of it."""
    short = [path.rpartition(".")[2] for path in paths]
    if len(set(short)) < len(short) or any(one.isdigit() for one in short):
        return [path[-_MAX_NAME:] for path in paths]
    return short


def _source(stage: TopologyStage, edge: Edge, index: Mapping[str, int]) -> int:
    if edge.source == INPUT:
        if len(stage.product.edges) > 1 or edge.pools:
            raise WorkloadError(
                f"{stage.product.name}: the network's input may not be pooled or added to spikes; "
                "pass it through a convolution of its own"
            )
        return NETWORK_INPUT
    if edge.source not in index:
        raise WorkloadError(
            f"{stage.product.name}: reads {edge.source}, which has no neurons behind it; only the "
            "last layer may be without"
        )
    return index[edge.source]


def _pools(
    stages: Sequence[TopologyStage], index: Mapping[str, int], shapes: Sequence[Shape3]
) -> tuple[dict[int, Pool], dict[int, Pool]]:
    """Pools of a sum, by the layer that reads it, and pools of one layer's spikes, by that layer.

    A pool that only some readers of a layer see belongs to those readers.
    """
    outer: dict[int, Pool] = {}
    rest: dict[int, list[tuple[int, tuple[Pool, ...]]]] = {}
    for at, stage in enumerate(stages):
        edges = stage.product.edges
        shared = len(edges) > 1 and all(
            edge.pools and edge.pools[0] == edges[0].pools[0] for edge in edges
        )
        if shared:
            outer[at] = edges[0].pools[0][1]
        for edge in edges:
            if edge.source != INPUT and edge.source in index:
                pools = tuple(pool for _, pool in edge.pools[int(shared) :])
                rest.setdefault(index[edge.source], []).append((at, pools))
    inner: dict[int, Pool] = {}
    for source, readers in rest.items():
        common = min(readers, key=lambda reader: len(reader[1]))[1][-1:]
        if common:
            inner[source] = common[0]
        for at, pools in readers:
            left = pools[: len(pools) - len(common)]
            if pools[len(left) :] != common or len(left) > 1 or (left and at in outer):
                raise WorkloadError(
                    f"{stages[at].product.name}: its input is pooled more than once, or otherwise "
                    "than for the other layers that read it; pool once behind each layer"
                )
            if left:
                outer[at] = left[0]
    return _sized(outer, stages, index, shapes, inner), {
        at: _whole(pool, shapes[at]) for at, pool in inner.items()
    }


def _sized(
    outer: dict[int, Pool],
    stages: Sequence[TopologyStage],
    index: Mapping[str, int],
    shapes: Sequence[Shape3],
    inner: Mapping[int, Pool],
) -> dict[int, Pool]:
    """``outer`` with the size of global pools, from the shape that is left behind inner ones."""
    sized = {}
    for at, pool in outer.items():
        source = index[stages[at].product.edges[0].source]
        shape = shapes[source]
        if source in inner:
            shape = _whole(inner[source], shape).pooled(shape)
        sized[at] = _whole(pool, shape)
    return sized


def _whole(pool: Pool, shape: Shape3) -> Pool:
    """A global pool with its size, now that the shape is known."""
    if pool.size != GLOBAL:
        return pool
    if shape[1] != shape[2]:
        raise WorkloadError(f"a global pool over {shape[1:]} is not square; pool square windows")
    return Pool(pool.kind, shape[1], shape[1])


def _window(boundary: Boundary) -> tuple[Pair, Pair, Pair]:
    """Kernel, stride and padding of a layer; those of a linear layer are trivial."""
    if boundary.kind == "linear":
        return (1, 1), (1, 1), (0, 0)
    module = boundary.module
    if module.groups != 1 or set(module.dilation) != {1} or isinstance(module.padding, str):
        raise WorkloadError(
            f"{boundary.name}: groups, dilation and padding by a word are not modelled; use "
            "groups=1, dilation=1 and padding in numbers"
        )
    if module.padding_mode != "zeros":
        raise WorkloadError(f"{boundary.name}: padding_mode {module.padding_mode} is not modelled")
    return _pair(module.kernel_size), _pair(module.stride), _pair(module.padding)


def _pair(value: Any) -> Pair:
    return (int(value[0]), int(value[1]))


def _norm(boundary: Boundary | None) -> Norm | None:
    if boundary is None:
        return None
    if not boundary.module.affine:
        raise WorkloadError(f"{boundary.name}: affine=False is not modelled; use affine=True")
    return Norm("batch", float(boundary.module.eps), per_step=len(boundary.outputs) > 1)


def _check_ends(layers: Sequence[Layer]) -> None:
    """Only the last layer may be a read-out, and every other is read."""
    used = {source for layer in layers for source in layer.sources}
    for layer in layers[:-1]:
        if layer.index not in used:
            raise WorkloadError(
                f"{layer.name}: no later layer reads its spikes; record a network with one output"
            )

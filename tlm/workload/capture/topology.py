"""Stages -> the layer graph: which layer reads which, through which pools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tlm.errors import WorkloadError
from tlm.workload.capture.boundary import Boundary
from tlm.workload.capture.edges import INPUT, Edge
from tlm.workload.capture.pools import pools_of, sized
from tlm.workload.capture.stages import TopologyStage
from tlm.workload.input_kind import input_kind
from tlm.workload.model import NETWORK_INPUT, Layer, Neuron, Norm, Pool

Pair = tuple[int, int]
_MAX_NAME = 64


def layers_of(stages: Sequence[TopologyStage], direct_coding: bool) -> tuple[Layer, ...]:
    """The layer graph; ``direct_coding`` says whether the network's input is directly coded.

    Raises WorkloadError for options of a module that are not modelled.
    """
    index = {stage.last.name: at for at, stage in enumerate(stages)}
    pools = pools_of(stages, index)
    names = _layer_names([stage.product.name for stage in stages])
    layers: list[Layer] = []
    for at, stage in enumerate(stages):
        sources = tuple(sorted(_source(stage, edge, index) for edge in stage.product.edges))
        passed = [*map(pools.behind.get, sources), pools.before.get(at)]
        kernel, stride, padding = window_of(stage.product.name, stage.product.module)
        layers.append(
            Layer(
                index=at,
                name=names[at],
                kind="conv" if stage.product.kind == "conv" else "linear",
                in_shape=stage.in_shape,
                out_shape=stage.out_shape,
                kernel=kernel,
                stride=stride,
                padding=padding,
                sources=sources,
                input_pool=pools.before.get(at),
                input_kind=input_kind(sources, passed, direct_coding),
                bias=stage.product.module.bias is not None,
                norm=_norm(stage.norm),
                current_pool=_current_pool(stage),
                neuron=_neuron(stage.neuron),
                pool=pools.behind.get(at),
                groups=_groups(stage.product),
            )
        )
    _check_ends(layers)
    return tuple(layers)


def _neuron(boundary: Boundary | None) -> Neuron | None:
    return boundary.equation.neuron if boundary is not None and boundary.equation else None


def _current_pool(stage: TopologyStage) -> Pool | None:
    """The pool between a product and its neuron."""
    if stage.neuron is None or not stage.neuron.edges[0].pools:
        return None
    return sized(stage.product.name, stage.neuron.edges[0].pools[0][1], stage.product_shape)


def _layer_names(paths: Sequence[str]) -> list[str]:
    """Last part of each module's path if it says something and is unique, else all of it."""
    short = [path.rpartition(".")[2] for path in paths]
    if len(set(short)) < len(short) or any(name.isdigit() for name in short):
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


def window_of(name: str, module: Any) -> tuple[Pair, Pair, Pair]:
    """Kernel, stride and padding of a layer; those of a linear layer are trivial.

    Raises WorkloadError for those of a convolution that are not modelled.
    """
    if not hasattr(module, "kernel_size"):
        return (1, 1), (1, 1), (0, 0)
    if set(module.dilation) != {1}:
        raise WorkloadError(f"{name}: dilation is not modelled; use dilation=1")
    if module.padding_mode != "zeros":
        raise WorkloadError(
            f'{name}: padding_mode {module.padding_mode} is not modelled; use "zeros"'
        )
    return _pair(module.kernel_size), _pair(module.stride), _padding(name, module)


def _padding(name: str, module: Any) -> Pair:
    """Zeros on each side, also where the module says "same" or "valid"."""
    if module.padding == "valid":
        return (0, 0)
    if module.padding != "same":
        return _pair(module.padding)
    if any(size % 2 == 0 for size in module.kernel_size):
        raise WorkloadError(
            f"{name}: padding='same' pads an even kernel by more on one side, which is "
            "not modelled; use an odd kernel, or padding in numbers"
        )
    return (module.kernel_size[0] // 2, module.kernel_size[1] // 2)


def _pair(value: Any) -> Pair:
    return (int(value[0]), int(value[1]))


def _groups(boundary: Boundary) -> int:
    return int(boundary.module.groups) if boundary.kind == "conv" else 1


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

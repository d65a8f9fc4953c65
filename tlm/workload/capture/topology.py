"""Stages -> the layer graph: which layer reads which, through which pools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tlm.errors import WorkloadError
from tlm.workload.capture.boundary import Boundary
from tlm.workload.capture.channels import by_channel
from tlm.workload.capture.convolutions import PlainSide
from tlm.workload.capture.edges import INPUT, Edge
from tlm.workload.capture.norms import norm_epsilon
from tlm.workload.capture.operands import check_frames, check_gates, held_of, operands_of
from tlm.workload.capture.pool_nodes import sized
from tlm.workload.capture.pools import BoundaryOutput, Pools, origins_of, pools_of
from tlm.workload.capture.stages import TopologyStage
from tlm.workload.input_kind import kind_of
from tlm.workload.model import (
    NETWORK_INPUT,
    InputKind,
    Layer,
    LayerKind,
    Neuron,
    Norm,
    Pool,
    Shortcut,
)

_MAX_NAME = 64


def layers_of(stages: Sequence[TopologyStage], network_input: InputKind) -> tuple[Layer, ...]:
    """The layer graph; ``network_input`` is what kind of numbers the network's input is.

    Raises WorkloadError for options of a module that are not modelled.
    """
    origins = origins_of(stages)
    pools = pools_of(stages, origins)
    names = _layer_names([stage.first.name for stage in stages])
    layers: list[Layer] = []
    for at, (stage, operand) in enumerate(
        zip(stages, operands_of(stages, origins, pools), strict=True)
    ):
        if operand is None:
            sources = tuple(sorted(_source(stage, term, origins) for term in stage.reads.edges))
        else:
            sources = operand.sources
        rows, columns = _sides(stage.product)
        layers.append(
            Layer(
                index=at,
                name=names[at],
                kind=_kind(stage.product),
                in_shape=stage.in_shape,
                out_shape=stage.out_shape,
                kernel=(rows.kernel, columns.kernel),
                stride=(rows.stride, columns.stride),
                padding=(rows.padding, columns.padding),
                sources=sources,
                input_pool=pools.before.get(at),
                input_kind="binary",  # known once all layers are
                bias=stage.product is not None and _has_bias(stage.product),
                norm=_norm(stage.norm),
                current_pool=_current_pool(stage),
                neuron=_neuron(stage),
                pool=pools.behind.get(at),
                groups=_groups(stage.product),
                operand=operand,
                shortcuts=_shortcuts(at, stage, origins, pools),
                dilation=(rows.dilation, columns.dilation),
                dropout=stage.reading.dropout,
                held=held_of(stage, stages, origins, pools),
            )
        )
    check_frames(layers)
    check_gates(layers)
    return tuple(
        replace(layer, input_kind=kind_of(layer, layers, network_input)) for layer in layers
    )


def _kind(product: Boundary | None) -> LayerKind:
    if product is None:
        return "identity"
    return product.kind if product.kind in ("conv", "matmul") else "linear"


def _sides(product: Boundary | None) -> tuple[PlainSide, PlainSide]:
    """Rows and columns of a convolution; of other layers they are trivial."""
    convolution = product and product.convolution
    return (convolution.rows, convolution.columns) if convolution else (PlainSide(), PlainSide())


def _shortcuts(
    at: int, stage: TopologyStage, origins: Mapping[str, BoundaryOutput], pools: Pools
) -> tuple[Shortcut, ...]:
    """What is added to the current of layer ``at``, in the order of the layers it comes from."""
    shortcuts = []
    for number, term in enumerate(stage.shortcuts):
        origin = origins[term.source]
        shortcuts.append(Shortcut(origin.layer, origin.of, pools.added.get((at, number))))
    return tuple(sorted(shortcuts, key=lambda shortcut: (shortcut.layer, shortcut.of)))


def _neuron(stage: TopologyStage) -> Neuron | None:
    boundary = stage.neuron
    if boundary is None or boundary.equation is None:
        return None
    return by_channel(boundary.name, boundary.equation.neuron, boundary.channels, stage.out_shape)


def _current_pool(stage: TopologyStage) -> Pool | None:
    """The pool between a product and its neuron."""
    if stage.current_pool is None:
        return None
    return sized(stage.current_pool, stage.product_shape)


def _layer_names(paths: Sequence[str]) -> list[str]:
    """Last part of each module's path if it says something and is unique, else all of it."""
    short = [path.rpartition(".")[2] for path in paths]
    if len(set(short)) < len(short) or any(name.isdigit() for name in short):
        return [path[-_MAX_NAME:] for path in paths]
    return short


def _source(stage: TopologyStage, edge: Edge, origins: Mapping[str, BoundaryOutput]) -> int:
    if edge.source == INPUT:
        if len(stage.reads.terms) > 1 or edge.pools:
            raise WorkloadError(
                f"{stage.first.name}: the network's input may not be pooled or added to spikes; "
                "pass it through a convolution of its own"
            )
        return NETWORK_INPUT
    return origins[edge.source].layer


def _has_bias(product: Boundary) -> bool:
    return getattr(product.module, "bias", None) is not None


def _groups(boundary: Boundary | None) -> int:
    if boundary is not None and boundary.matmul is not None:
        return boundary.matmul.groups
    return int(getattr(boundary.module, "groups", 1)) if boundary else 1


def _norm(boundary: Boundary | None) -> Norm | None:
    if boundary is None:
        return None
    trained = boundary.parameters
    any_channel = next((trained[name] for name in ("weight", "bias") if name in trained), None)
    return Norm(
        "batch",
        norm_epsilon(boundary.module),
        per_step=len(boundary.outputs) > 1,
        scaled="weight" in trained,
        shifted="bias" in trained,
        by_step=any_channel is not None and any_channel.ndim == 2,
        step_scaled="step_scale" in trained,
    )

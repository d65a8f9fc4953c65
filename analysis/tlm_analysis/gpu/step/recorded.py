"""The network of a recorded job, as a GPU runs it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tlm.errors import ConfigError, WorkloadError
from tlm.space.feeds import operand_shape
from tlm.workload import bundled_networks, open_workload
from tlm.workload.inference import as_inference
from tlm.workload.model import Layer, Neuron, RunMode, Workload
from tlm.workload.operand import Factor, Line, Operand, Term, Window
from tlm.workload.readers import adds_output
from tlm_analysis.gpu.step.network import (
    NetworkShapes,
    NetworkStage,
    StageOperand,
    StageShortcut,
)


def network_named(
    name: str, mode: RunMode | None = None, batch: int | None = None
) -> NetworkShapes:
    """Shapes of a job, or of a bundled network whose masks need not be drawn.

    ``mode`` is what it was recorded for if None; inference is of its first ``batch`` samples.

    Raises:
        ConfigError: a batch is asked of training.
        WorkloadError: there is no such job or network, or it has no such number of samples.
    """
    job = open_workload(f"{name}:dense" if name in bundled_networks() else name)
    mode = mode or job.mode
    if mode == "inference":
        return network_of(as_inference(job, batch))
    if batch is not None:
        raise ConfigError("batch: a training step has all samples; use it with mode inference")
    return replace(network_of(job), mode=mode)


def network_of(workload: Workload) -> NetworkShapes:
    """The shapes of a recorded job.

    Raises:
        WorkloadError: it has GLM neurons, or a layer whose kernels are not modelled.
    """
    if any(layer.sums > 1 for layer in workload.layers):
        raise WorkloadError(
            f"{workload.name}: no kernels of GLM neurons are modelled; name a job of LIF neurons"
        )
    for layer in workload.layers:
        if any(factor.delay for factor in _factors(layer)):
            raise WorkloadError(
                f"{workload.name}: layer {layer.name} reads an earlier step (recurrence), of which "
                "no kernels are modelled; name a job without such layers"
            )
    return NetworkShapes(
        name=workload.name,
        stages=tuple(_stage(layer, workload) for layer in workload.layers),
        steps=workload.steps,
        batch=workload.batch,
        optimizer=workload.optimizer,
        direct=workload.encoding == "direct",
        mode=workload.mode,
    )


def _factors(layer: Layer) -> Iterator[Factor]:
    """All that its operands are made of."""
    for reads in (layer, layer.held):
        if reads is not None and reads.operand is not None:
            yield from (factor for part in reads.operand.parts for factor in part.factors)


def _stage(layer: Layer, workload: Workload) -> NetworkStage:
    """The stage of ``layer``.

    Raises:
        WorkloadError: zeros stand between what it reads, and it is no transposed convolution.
    """
    layers, stride, in_shape = workload.layers, layer.stride, layer.in_shape
    spread = _spread(layer, workload)
    if spread is not None:
        layer, stride = replace(layer, operand=_without_zeros(layer.operand)), spread
        in_shape = operand_shape(layer, layers)
    return NetworkStage(
        name=layer.name,
        kind=layer.kind,
        in_shape=in_shape,
        product_shape=layer.product_shape,
        out_shape=layer.out_shape,
        pooled_shape=layer.pooled_shape,
        kernel=layer.kernel,
        sources=layer.sources,
        stride=stride,
        current_pool=None if layer.current_pool is None else layer.current_pool.kind,
        pool=None if layer.pool is None else layer.pool.kind,
        input_pool=None if layer.input_pool is None else layer.input_pool.kind,
        unpooled_shape=operand_shape(layer, layers),
        operand=layer.operand,
        held=_held(layer, workload),
        scaled=layer.held is not None and layer.held.scale != 1,
        transposed=spread is not None,
        norm=layer.norm is not None,
        by_step=layer.norm is not None and layer.norm.per_step,
        step_scaled=layer.norm is not None and layer.norm.step_scaled,
        foldable=layer.norm is None or layer.norm.foldable,
        neuron=layer.neuron is not None,
        groups=layer.groups,
        dilation=layer.dilation,
        shortcuts=tuple(
            StageShortcut(
                each.layer,
                adds_output(each, layers),
                None if each.pool is None else each.pool.kind,
            )
            for each in layer.shortcuts
        ),
        potential_out=layer.membrane_output,
        saves_state=bool(layer.saved_state),
        learnt=_learnt(layer),
        dropout=layer.dropout > 0,
    )


def _held(layer: Layer, workload: Workload) -> StageOperand | None:
    held = layer.held
    if held is None:
        return None
    return StageOperand(held.sources, held.operand, operand_shape(held, workload.layers))


def _learnt(layer: Layer) -> int:
    """Numbers that its neurons learn, all channels'."""
    each = isinstance(layer.neuron, Neuron) and layer.neuron.by_channel
    return len(layer.learnt) * (layer.out_shape[0] if each else 1)


def _spread(layer: Layer, workload: Workload) -> tuple[int, int] | None:
    """How far neighbours of what it reads are apart, all alike, if zeros are put between.

    It is then a transposed convolution of that stride, which has no zeros on a GPU.
    """
    every = [step for factor in _factors(layer) for step in factor.way]
    apart = [each for each in every if isinstance(each, Window) and _step(each) != (1, 1)]
    if not apart:
        return None
    terms = [] if layer.operand is None else list(layer.operand.terms)
    last = [term.way[-1] if term.way else None for term in terms]
    lines = {(each.rows, each.columns) for each in last if isinstance(each, Window)}
    alike = len(lines) == 1 and apart == last and not any(term.gates for term in terms)
    if not alike or layer.kind != "conv" or layer.stride != (1, 1) or layer.input_pool:
        raise WorkloadError(
            f"{workload.name}: layer {layer.name} reads zeros between rows and is no transposed "
            "convolution, of which alone kernels are modelled; name a job without such layers"
        )
    return _step(apart[0])


def _step(window: Window) -> tuple[int, int]:
    return (window.rows.spread, window.columns.spread)


def _without_zeros(operand: Operand | None) -> Operand:
    """The operand as a transposed convolution reads it."""
    assert operand is not None
    parts = (replace(part, terms=tuple(map(_dense, part.terms))) for part in operand.parts)
    return Operand(tuple(parts))


def _dense(term: Term) -> Term:
    *before, last = term.way
    assert isinstance(last, Window)
    rows, columns = (
        Line(line.start, line.stop, line.step, line.repeat) for line in (last.rows, last.columns)
    )
    return replace(term, way=(*before, replace(last, rows=rows, columns=columns)))

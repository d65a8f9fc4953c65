"""What stages read -> operands, by the indices of layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np

from tlm.errors import WorkloadError
from tlm.workload.capture.boundary import Boundary
from tlm.workload.capture.edges import INPUT, ReadFactor, ReadTerm
from tlm.workload.capture.layer_tensors import LayerTensors
from tlm.workload.capture.pools import BoundaryOutput, Pools
from tlm.workload.capture.stages import TopologyStage
from tlm.workload.golden.passes import Forward
from tlm.workload.held import Held
from tlm.workload.input_kind import leaves_spikes
from tlm.workload.model import NETWORK_INPUT, Layer, Pool, input_frame, window_on_input
from tlm.workload.operand import Gate, Operand, Part, Step, Term, whole


def operands_of(
    stages: Sequence[TopologyStage], origins: Mapping[str, BoundaryOutput], pools: Pools
) -> list[Operand | None]:
    """The operand of each stage; None where it is the sum of its sources.

    Raises WorkloadError where the network's input is pooled together with other things.
    """
    operands: list[Operand | None] = []
    for at, stage in enumerate(stages):
        if at in pools.apart:
            operands.append(_pooled_apart(stage, stages, origins, pools))
        elif stage.reading.is_plain:
            operands.append(None)
        else:
            operands.append(_operand(stage, stages, origins, pools))
    return operands


def held_of(
    stage: TopologyStage,
    stages: Sequence[TopologyStage],
    origins: Mapping[str, BoundaryOutput],
    pools: Pools,
) -> Held | None:
    """What a matmul holds; None of other layers.

    Raises WorkloadError where it is not of layers, or a pool of a sum.
    """
    if stage.held is None or stage.product is None or stage.product.matmul is None:
        return None
    reads, reading = stage.held
    form = stage.product.matmul
    if any(part.is_input for part in reading.parts) or (reads.pools and len(reads.terms) > 1):
        raise WorkloadError(
            f"{stage.first.name}: its second operand holds something without gradient, or a pool "
            "of a sum; multiply what layers leave, pooled before it is added up"
        )
    if reading.is_plain:
        edges = [ReadTerm((ReadFactor(edge.source, edge.pools[::-1], 0),)) for edge in reads.edges]
        parts = [(reading.parts[0].channels, edges)]
    else:
        parts = [(part.channels, list(part.terms)) for part in reading.parts]
    operand = Operand(
        tuple(
            Part(channels, tuple(_term(term, stages, origins, pools) for term in terms))
            for channels, terms in parts
        )
    )
    whole = reading.is_plain and not any(term.way or term.gates for term in operand.terms)
    return Held(
        operand.sources,
        None if whole else operand,
        form.transposed,
        form.input_transposed,
        stage.product.scale,
    )


def check_frames(layers: Sequence[Layer]) -> None:
    """Refuse layers that read another tensor without gradient than the network's input."""
    frame = input_frame(layers)
    for layer in layers:
        shapes = [window_on_input(term).shape for term in _input_terms(layer)]
        if layer.operand is None and layer.sources == (NETWORK_INPUT,):
            shapes = [layer.in_shape]
        for shape in shapes:
            if prod(shape) != prod(frame):
                raise WorkloadError(
                    f"{layer.name}: it reads {shape} without gradient, and the network's input is "
                    f"{frame}: part of it, a constant, or detached; give the network's input a "
                    "layer of its own, and detach nothing on the way"
                )


def check_gates(layers: Sequence[Layer]) -> None:
    """Refuse products of numbers that are no spikes, as currents and averages: at most one is."""
    for layer in layers:
        read = (layer.operand, None if layer.held is None else layer.held.operand)
        for term in (term for operand in read if operand is not None for term in operand.terms):
            wrong = [gate.source for gate in term.gates if not leaves_spikes(gate, layers)]
            if wrong:
                raise WorkloadError(
                    f"{layer.name}: it reads {layers[term.source].name} multiplied with "
                    f"{layers[wrong[0]].name}, and neither is 0 or 1; of what is multiplied all "
                    "but one must be spikes, max-pooled at most"
                )


def input_place(stages: Sequence[TopologyStage]) -> tuple[Boundary, range | None]:
    """A boundary that reads the network's input, and which of its channels are the input.

    None for all of them: such a boundary is taken if there is one. Raises WorkloadError if all
    that is read has a gradient.
    """
    for stage in stages:
        if stage.reading.is_plain and stage.reads.terms[0].source == INPUT:
            return stage.first, None
    for stage in stages:
        first = 0
        for part in stage.reading.parts:
            if part.is_input:
                if stage.reading.pools or part.is_pooled:
                    raise _pooled_input(stage)
                return stage.first, range(first, first + part.channels)
            first += part.channels
    raise WorkloadError(
        "no layer reads the network's input: all that is read comes of layers; record the forward "
        "pass of the whole network, on an input that is no parameter"
    )


def check_nothing_added(
    stages: Sequence[TopologyStage], tensors: Sequence[LayerTensors], forwards: Sequence[Forward]
) -> None:
    """Refuse a layer to whose operand something is added that has no gradient and is not zero."""
    for stage, recorded, rebuilt in zip(stages, tensors, forwards, strict=True):
        if not any(part.adds_unknown for part in stage.reading.parts):
            continue
        inputs = rebuilt.inputs[0] if recorded.static else rebuilt.inputs
        if not np.allclose(inputs, recorded.inputs, atol=1e-4):
            raise WorkloadError(
                f"{stage.first.name}: to its input a tensor is added that carries no gradient and "
                "is not zero: the network's input, an initial state, a constant, or something "
                "detached; pass the network's input through a convolution of its own, and start "
                "from zeros"
            )


def _input_terms(layer: Layer) -> list[Term]:
    terms = layer.operand.terms if layer.operand is not None else ()
    return [term for term in terms if term.source == NETWORK_INPUT]


def _operand(
    stage: TopologyStage,
    stages: Sequence[TopologyStage],
    origins: Mapping[str, BoundaryOutput],
    pools: Pools,
) -> Operand:
    """Parts as they were read."""
    _, height, width = stage.in_shape
    parts = []
    for part in stage.reading.parts:
        if part.is_input:
            if stage.reading.pools or part.is_pooled:
                raise _pooled_input(stage)
            window = whole((part.channels, height, width))
            terms = [Term(NETWORK_INPUT, (window,))]
        else:
            terms = [_term(term, stages, origins, pools) for term in part.terms]
        parts.append(Part(part.channels, tuple(terms)))
    return Operand(tuple(parts))


def _pooled_apart(
    stage: TopologyStage,
    stages: Sequence[TopologyStage],
    origins: Mapping[str, BoundaryOutput],
    pools: Pools,
) -> Operand:
    """A sum whose terms have pools of their own."""
    alone = len(stage.reads.terms) == 1
    terms = [
        Term(*_factor(ReadFactor(edge.source, edge.pools[::-1], 0), origins, pools))
        for edge in (stage.reads.edges if alone else stage.reads.terms)
    ]
    channels = stages[terms[0].source].out_shape[0]
    return Operand((Part(channels, tuple(terms)),))


def _term(
    term: ReadTerm,
    stages: Sequence[TopologyStage],
    origins: Mapping[str, BoundaryOutput],
    pools: Pools,
) -> Term:
    """A term with what leaves no spikes first, since all others are gates."""
    named = sorted(
        term.factors, key=lambda factor: (factor.inverted, _fires(factor, stages, origins, pools))
    )
    first, *gates = [(_factor(each, origins, pools), each.inverted) for each in named]
    return Term(*first[0], tuple(Gate(*read, inverted) for read, inverted in gates))


def _fires(
    factor: ReadFactor,
    stages: Sequence[TopologyStage],
    origins: Mapping[str, BoundaryOutput],
    pools: Pools,
) -> bool:
    """Whether a factor is 0 or 1."""
    layer = origins[factor.source].layer
    passed = [pools.behind.get(layer), *(step for step in factor.way if isinstance(step, Pool))]
    spiking = stages[layer].neuron is not None
    return spiking and all(pool is None or pool.kind == "max" for pool in passed)


def _factor(
    factor: ReadFactor, origins: Mapping[str, BoundaryOutput], pools: Pools
) -> tuple[int, tuple[Step, ...], int]:
    """Source, way and delay, without the pool that stands behind the source for all readers."""
    layer = origins[factor.source].layer
    return layer, factor.way[1:] if layer in pools.behind else factor.way, factor.delay


def _pooled_input(stage: TopologyStage) -> WorkloadError:
    return WorkloadError(
        f"{stage.first.name}: the network's input may not be pooled or added to spikes; "
        "pass it through a convolution of its own"
    )

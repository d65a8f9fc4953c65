"""What jobs may hold that the chip model does not run yet: recorded, rebuilt, written, not run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tlm.errors import WorkloadError
from tlm.space.feeds import Strand, feeds_of, operand_shape
from tlm.workload.held import Held
from tlm.workload.model import NETWORK_INPUT, Layer, Pool, Shortcut, Workload
from tlm.workload.operand import Operand
from tlm.workload.readers import adds_output


def check_structures(workload: Workload) -> None:
    """Refuse a job that the chip model cannot run.

    Raises:
        WorkloadError: so it is, naming the first layer and the part of it.
    """
    for layer in workload.layers:
        for part in _parts_not_run(layer, workload):
            raise WorkloadError(
                f"{workload.path.name}: layer {layer.name} has {part}, which the chip model does "
                "not run yet; a file of it can be checked and shown: workload check, workload info"
            )


def _parts_not_run(layer: Layer, workload: Workload) -> Iterator[str]:
    if layer.operand is not None:
        yield from _terms_not_run(layer.operand, workload)
        if any(
            strand.mixes for feed in feeds_of(layer, workload.layers) for strand in feed.strands
        ):
            yield "a window in its operand that mixes channels and rows"
    if layer.held is not None:
        yield from _held_not_run(layer.held, workload)
    if layer.kind == "identity" and (part := _identity_not_run(layer, workload.layers)):
        yield f"no weights (an identity) {part}"
    for shortcut in layer.shortcuts:
        if part := _shortcut_not_run(layer, shortcut, workload.layers):
            yield f"a shortcut from layer {workload.layers[shortcut.layer].name} {part}"


def _held_not_run(held: Held, workload: Workload) -> Iterator[str]:
    several = len(held.sources) > 1
    if held.operand is not None:
        yield from _terms_not_run(held.operand, workload)
        if any(term.gates for term in held.operand.terms):
            yield "products of spikes in what it holds"
        several = any(len(part.terms) > 1 for part in held.operand.parts)
    if several:
        yield "a sum of layers in what it holds"
    strands = [strand for feed in feeds_of(held, workload.layers) for strand in feed.strands]
    if any(strand.all_pools for strand in strands):
        yield "a pool in what it holds"
    if any(strand.mixes for strand in strands):
        yield "a window in what it holds that mixes channels and rows"


def _terms_not_run(operand: Operand, workload: Workload) -> Iterator[str]:
    for term in operand.terms:
        for factor in (factor for factor in term.factors if factor.delay):
            late = workload.layers[factor.source].name
            yield f"an operand with a delay, of layer {late} (recurrence)"
        if term.source == NETWORK_INPUT and any(isinstance(step, Pool) for step in term.way):
            yield "a pool on the network's input in its operand"


def _identity_not_run(layer: Layer, layers: Sequence[Layer]) -> str | None:
    """What of a layer without weights is not run; None if all is."""
    if NETWORK_INPUT in layer.sources:
        return "and reads the network's input"
    if layer.norm is not None:
        return "but a norm"
    if layer.current_pool is not None:
        return "but a pool of currents"
    pool, sources = layer.input_pool, [layers[source] for source in layer.sources]
    if pool is not None and pool.kind == "max":
        if len(sources) > 1 or sources[0].neuron is None or layer.operand is not None:
            return "but a max pool of a sum or of currents"
    if layer.operand is not None and any(map(_takes_largest_number, _ways(layer, layers))):
        return "but a max pool of numbers in its operand"
    shape = operand_shape(layer, layers)
    if layer.in_shape != (shape if pool is None else pool.pooled(shape)):
        return "and flattens what it reads"
    return None


def _ways(layer: Layer, layers: Sequence[Layer]) -> Iterator[tuple[Layer, Strand]]:
    """The strands of what an identity reads, each with its source."""
    for feed in feeds_of(layer, layers):
        for strand in feed.strands:
            yield layers[feed.source], strand


def _takes_largest_number(way: tuple[Layer, Strand]) -> bool:
    """Whether a max pool on a way takes anything but spikes."""
    source, strand = way
    spikes = source.spiking and (source.pool is None or source.pool.kind == "max")
    for pool in strand.all_pools:
        if pool.kind == "max" and not spikes:
            return True
        spikes = spikes and pool.kind == "max"
    return False


def _shortcut_not_run(layer: Layer, shortcut: Shortcut, layers: Sequence[Layer]) -> str | None:
    """What of a shortcut is not run; None if all is."""
    source, pool = layers[shortcut.layer], shortcut.pool
    if layer.sums > 1:
        return "to GLM neurons"
    if pool is not None and pool.kind == "max" and shortcut.of == "current":
        return "through a max pool of currents"
    shape = source.pooled_shape if adds_output(shortcut, layers) else source.out_shape
    if layer.product_shape != (shape if pool is None else pool.pooled(shape)):
        return "that is flattened"
    return None

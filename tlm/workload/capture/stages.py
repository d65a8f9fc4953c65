"""Boundaries -> stages: which norm, shortcuts and neuron follow which product.

A norm or a neuron that follows no product alone gets a stage of its own, an identity.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tlm.errors import WorkloadError
from tlm.workload.capture.arranging import features_of
from tlm.workload.capture.boundary import Boundary
from tlm.workload.capture.edges import Edge
from tlm.workload.capture.reading import Reading
from tlm.workload.capture.sums import Nested, Sum, nested
from tlm.workload.model import Pool, Shape3

if TYPE_CHECKING:
    from torch import Tensor

_PRODUCTS = ("conv", "linear", "matmul")


@dataclass(frozen=True, eq=False)
class TopologyStage:
    """A convolution or linear layer with the boundaries behind it, as they were called.

    Without a ``product`` it is an identity. It reads ``reads``, a sum, or the parts of ``reading``
    if it is not plain; ``held`` is what a matmul reads for its second operand. ``shortcuts`` are
    added before ``current_pool``. Its shapes are (C, H, W) or (K, E, F); those of a linear layer
    (C, 1, 1) and (K, 1, 1).
    """

    product: Boundary | None
    norm: Boundary | None
    neuron: Boundary | None
    reads: Sum
    reading: Reading
    shortcuts: tuple[Edge, ...] = ()
    current_pool: Pool | None = None
    held: tuple[Sum, Reading] | None = None

    @property
    def first(self) -> Boundary:
        """The boundary that reads the input, whose name is the layer's."""
        first = self.product or self.norm or self.neuron
        assert first is not None
        return first

    @property
    def tail(self) -> Boundary:
        """The boundary whose output is the current, before shortcuts; of a bare neuron itself."""
        return self.norm or self.first

    @property
    def last(self) -> Boundary:
        """The boundary whose output later layers read."""
        return self.neuron or self.tail

    @property
    def in_shape(self) -> Shape3:
        """Shape of the input."""
        return self._shape(self.first.inputs[0])

    @property
    def product_shape(self) -> Shape3:
        """Shape of the product, before a pool of currents."""
        return self.in_shape if self.product is None else self._shape(self.product.outputs[0])

    @property
    def out_shape(self) -> Shape3:
        """Shape of the neurons; of the product if there are none."""
        if self.neuron is None:
            return self.product_shape
        if self.neuron is self.first:
            return self.in_shape
        channels, height, width = (*features_of(tuple(self.neuron.inputs[0].shape)), 1, 1)[:3]
        return (channels, height, width)

    def _shape(self, tensor: Tensor) -> Shape3:
        kind = self.first.kind
        if kind == "neuron" and self.reading.pooled_shape is not None:
            return self.reading.pooled_shape
        if kind in _PRODUCTS:
            rank = 1 if kind == "linear" else 3
        else:  # [B, K] or [T, B, K], [B, K, E, F] or [T, B, K, E, F]
            rank = 1 if tensor.ndim < 4 else 3
        channels, height, width = (*tensor.shape[-rank:], 1, 1)[:3]
        return (int(channels), int(height), int(width))


def require_product(boundaries: Mapping[str, Boundary]) -> None:
    """Raise WorkloadError if no product was called."""
    if not any(boundary.kind in _PRODUCTS for boundary in boundaries.values()):
        raise WorkloadError(
            "no convolution and no nn.Linear was called; record the network's own forward"
        )


def stages_of(
    boundaries: Mapping[str, Boundary], readings: Mapping[str, Reading]
) -> tuple[TopologyStage, ...]:
    """One stage for each layer; none comes before those that it reads in the same step.

    ``readings`` are what boundaries read, by name.

    Raises WorkloadError if a boundary reads what comes of itself in the same step.
    """
    norms = _norms(boundaries, readings)
    attached = {norm.name for norm in norms.values()}
    readers = [boundary for boundary in boundaries.values() if boundary.name not in attached]
    currents = [
        norms.get(boundary.name, boundary).name for boundary in readers if boundary.kind != "neuron"
    ]
    every = [*readers, *(reader.held for reader in readers if reader.held is not None)]
    sums = nested({reader.name: readings[reader.name].sum for reader in every}, currents)
    neurons = _neurons(every, currents, sums)
    followers = {neuron.name for neuron in neurons.values()}
    stages = [
        _stage(reader, readings, norms, neurons, sums)
        for reader in readers
        if reader.name not in followers
    ]
    return tuple(_in_order(stages))


def _norms(
    boundaries: Mapping[str, Boundary], readings: Mapping[str, Reading]
) -> dict[str, Boundary]:
    """Norms by the name of the product that each, and nothing else, reads."""
    readers: dict[str, list[Boundary]] = {}
    for boundary in boundaries.values():
        for edge in readings[boundary.name].sum.edges:
            readers.setdefault(edge.source, []).append(boundary)
    return {
        name: reading[0]
        for name, reading in readers.items()
        if name in boundaries
        and boundaries[name].kind in _PRODUCTS
        and len(reading) == 1
        and reading[0].kind == "norm"
        and readings[reading[0].name].sum == Sum((Edge(name, ()),))
    }


def _neurons(
    readers: Sequence[Boundary], currents: Sequence[str], sums: Nested
) -> dict[str, Boundary]:
    """Neurons by the name of the current that each enters, where the layer can have them.

    A current that a product, a norm or other neurons read too is the output of a layer without.
    """
    reading: dict[str, list[Boundary]] = {}
    for reader in readers:
        for term in sums.read[reader.name].terms:
            reading.setdefault(term.source, []).append(reader)
    added = [term for terms in sums.added.values() for term in terms]
    return {
        name: reading[name][0]
        for name in currents
        if len(reading.get(name, ())) == 1
        and reading[name][0].kind == "neuron"
        and _enters(name, sums.read[reading[name][0].name], added)
    }


def _enters(name: str, total: Sum, added: Sequence[Edge]) -> bool:
    """Whether a neuron that reads ``total`` has the current ``name`` for its own.

    If a pool lies between, then all that add this current must have it from behind that pool.
    """
    if total.terms != (Edge(name, ()),) or len(total.pools) > 1:
        return False
    adding = [term for term in added if term.source == name]
    return not total.pools or all(term.pools[-1:] == total.pools for term in adding)


def _stage(
    reader: Boundary,
    readings: Mapping[str, Reading],
    norms: Mapping[str, Boundary],
    neurons: Mapping[str, Boundary],
    sums: Nested,
) -> TopologyStage:
    """The stage that begins with ``reader``."""
    reads, reading = sums.read[reader.name], readings[reader.name]
    if reader.kind == "neuron":
        return TopologyStage(None, None, reader, reads, reading)
    if reader.kind == "norm" and not reader.inputs:  # its product has other readers, too
        raise WorkloadError(
            f"{reader.name}: other modules read the product that it normalises as well; give each "
            "a convolution or linear layer of its own"
        )
    product = reader if reader.kind in _PRODUCTS else None
    norm = norms.get(reader.name) if product else reader
    tail = (norm or reader).name
    neuron = neurons.get(tail)
    pools = sums.read[neuron.name].pools if neuron else ()
    shortcuts = tuple(_behind_pool(term, neurons, sums) for term in sums.added.get(tail, ()))
    held = None
    if reader.held is not None:
        held = (sums.read[reader.held.name], readings[reader.held.name])
    return TopologyStage(
        product, norm, neuron, reads, reading, shortcuts, next(iter(pools), None), held
    )


def _behind_pool(term: Edge, neurons: Mapping[str, Boundary], sums: Nested) -> Edge:
    """A shortcut without the pool that belongs to the layer whose current it adds."""
    neuron = neurons.get(term.source)
    if neuron is None or not sums.read[neuron.name].pools:
        return term
    return Edge(term.source, term.pools[:-1])


def _in_order(stages: Sequence[TopologyStage]) -> Iterator[TopologyStage]:
    """Stages in call order, but each behind all that it reads or adds."""
    at = {boundary.name: stage for stage in stages for boundary in (stage.tail, stage.last)}
    placed: set[int] = set()
    waiting = list(stages)
    while waiting:
        stage = next((each for each in waiting if _ready(each, at, placed)), None)
        if stage is None:
            names = ", ".join(each.first.name for each in waiting)
            raise WorkloadError(
                f"{names}: each reads what comes of itself; give every use a module of its own"
            )
        waiting.remove(stage)
        placed.add(id(stage))
        yield stage


def _ready(stage: TopologyStage, at: Mapping[str, TopologyStage], placed: set[int]) -> bool:
    terms = [*stage.reads.terms, *(stage.held[0].terms if stage.held else ())]
    now = [edge for edge in terms if edge.factor is None or not edge.factor.delay]
    needed = [*now, *stage.shortcuts]
    return all(id(at[term.source]) in placed for term in needed if term.source in at)

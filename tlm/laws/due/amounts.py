"""The amounts that a mini-batch must come to, as the laws compare them with a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tlm.laws.due.facts import Facts
from tlm.space.phase import Phase
from tlm.space.tile import Extent

LayerPhase = tuple[Phase, int]  # phase and index of the layer
UnitUse = tuple[Phase, int, str]  # phase, index of the layer, action of the energy table
SampleStep = tuple[int, int]  # sample and time step


@dataclass(frozen=True, slots=True)
class TensorDue:
    """A tensor in DRAM, and what a mini-batch must at least move of it.

    ``initial`` tensors are there from the start. At least ``written`` bytes are written and at
    least ``read`` bytes are read. ``exact_writes``, ``exact_reads``: no more than that.
    ``balanced``: each byte that is written is read once; ``apart``: what is due to be read are
    bytes of which none stands for another.
    """

    name: str
    at: Extent
    initial: bool = False
    written: int = 0
    read: int = 0
    exact_writes: bool = False
    exact_reads: bool = False
    balanced: bool = False
    apart: bool = False


@dataclass(frozen=True, slots=True)
class WeightsDue:
    """What a core needs of a layer's weights in FP or in BP.

    ``nbytes`` of the tensors ``at`` have to come from DRAM, none if they ``stay`` in the core.
    Every (sample, step) needs all of them, and is done when ``elements`` results are; ``even``:
    each result needs as many as any other. ``room`` bytes may stay in the core; ``once``: all of
    them, while FP or BP lasts. ``rounded``: a weight is no whole number of bytes.
    """

    at: Sequence[Extent]
    nbytes: int
    elements: int
    even: bool
    room: int
    once: bool
    rounded: bool
    stays: bool


@dataclass(frozen=True, slots=True)
class AccessesDue:
    """The least number of accesses of a memory, and how many more each tile may need.

    ``per_tile`` is None where a tile may need any number more.
    """

    least: int
    per_tile: int | None


@dataclass(frozen=True, slots=True)
class Due:
    """All that a mini-batch must come to, counted from shapes, masks and cuts, without tiles.

    Attributes:
        results: result elements for each (sample, step) of a phase of a layer.
        useful: multiply-accumulates of two non-zero operands with a needed result.
        dense: all multiply-accumulates by the layer's shape, skipped or not.
        unit_operations: how often a unit beside the arrays does an action.
        unit_accesses: accesses of the memories of those units.
        synaptic: additions of a weight for a spike in FP, by the layers that read spikes.
        message_bytes: bytes that a phase of a layer sends to other cores.
        weights: by core, engine and index of the layer.
        senders: by the label of a completion, the cores whose data must arrive there.
        tensors: all tensors in DRAM in the order of their addresses.
        job: the facts that all of it follows from.
    """

    results: Mapping[LayerPhase, Mapping[SampleStep, int]]
    useful: Mapping[LayerPhase, int]
    dense: Mapping[LayerPhase, int]
    unit_operations: Mapping[UnitUse, int]
    unit_accesses: Mapping[UnitUse, AccessesDue]
    synaptic: Mapping[int, int]
    message_bytes: Mapping[LayerPhase, int]
    weights: Mapping[tuple[int, str, int], WeightsDue]
    senders: Mapping[str, frozenset[int]]
    tensors: Sequence[TensorDue]
    job: Facts

    @property
    def regions(self) -> list[int]:
        """Where in DRAM every tensor begins."""
        return [tensor.at[0] for tensor in self.tensors]

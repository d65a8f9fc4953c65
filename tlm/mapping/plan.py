"""The plan: for every layer of a recorded iteration its split, exact counts and addresses."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tlm.config.schema import ChipConfig
from tlm.mapping.address import Allocator, Tensor, Weights
from tlm.mapping.counts import (
    Bools,
    FpCounts,
    Ints,
    PairCounts,
)
from tlm.mapping.nest import Array
from tlm.mapping.region import Region, Slice, Span, length
from tlm.mapping.split import Split, input_rows
from tlm.task import Run
from tlm.workload.model import Layer, Workload


@dataclass(slots=True)
class LayerPlan:
    """Everything the program builders need to know of one layer.

    ``inputs`` [T, B, C, H, W] and ``gradients`` [T, B, K, E, F] are the recorded non-zero masks,
    ``spikes`` and ``need`` [T, B, K, E', F'] the layer's pooled spikes and which dS at the pooled
    grid BP of the next layer must compute. ``live`` [T, B] is false where the whole dU is zero
    and slices are skipped. ``owner`` [B, K, E'] is the index of the slice that owns a pooled row.
    """

    layer: Layer
    split: Split
    slices: list[Slice]
    inputs: Bools
    gradients: Bools
    spikes: Bools
    need: Bools
    live: Bools
    owner: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
    fp: FpCounts
    bp: PairCounts | None
    wg: PairCounts
    bp_touched: dict[Span, Ints] = field(default_factory=dict)
    forward: str = "noc"
    dw_spilled: bool = False
    tensors: dict[str, Tensor] = field(default_factory=dict)
    weights: dict[str, Weights] = field(default_factory=dict)

    def pooled_rows(self, rows: Span) -> Span:
        """The pooled rows that are complete when ``rows`` of neurons are."""
        if self.layer.pool is None:
            return rows
        stride = self.layer.pool.stride
        return (rows[0] // stride, min(self.layer.pooled_shape[1], rows[1] // stride))

    def pooled(self, region: Region) -> Region:
        """A region of neurons on the pooled grid."""
        return Region(region.channels, region.samples, self.pooled_rows(region.rows))

    def wanted_input(self, neurons: Region) -> Region:
        """The region of the producer's pooled grid that FP and WG of some neurons read."""
        tensor = self.tensors["input"]
        rows = (0, tensor.rows)
        if self.layer.kind == "conv":
            rows = input_rows(self.layer, neurons.rows)
        return Region((0, tensor.channels), neurons.samples, rows)

    def input_runs(
        self, neurons: Region, steps: Span, live: Bools | None = None
    ) -> tuple[Run, ...]:
        """The DRAM runs of what FP and WG of some neurons read, only ``live`` [T, B] pairs."""
        wanted = self.wanted_input(neurons)
        tensor = self.tensors["input"]
        return tensor.runs(wanted.samples, steps, wanted.channels, wanted.rows, live)

    def weight_count(self, part: Slice) -> int:
        """Weights of a slice."""
        taps = self.layer.kernel[0] * self.layer.kernel[1]
        return length(part.neurons.channels) * self.layer.in_shape[0] * taps

    def replicas(self, part: Slice) -> list[Slice]:
        """The slices that hold the same weights, in index order, ``part`` included."""
        return [s for s in self.slices if s.neurons.channels == part.neurons.channels]


@dataclass(slots=True)
class Plan:
    """A recorded iteration placed on a chip."""

    workload: Workload
    chip: ChipConfig
    array: Array
    layers: list[LayerPlan]
    addresses: Allocator

    @property
    def steps(self) -> int:
        """Time steps T."""
        return self.workload.steps

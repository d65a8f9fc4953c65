"""What the laws read of a plan: cuts, places in DRAM, and what stays in the cores.

Written down as protocols, so that the laws import nothing of those who make the plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from tlm.config.chip import ChipConfig
from tlm.space.region import Slice
from tlm.workload.model import Layer, Workload


class PlacedTensor(Protocol):
    """A tensor in DRAM: its first byte, its size, the bits of an element."""

    @property
    def name(self) -> str: ...
    @property
    def address(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
    @property
    def bits(self) -> int: ...


class PlacedTensors(Protocol):
    """All tensors in DRAM by name."""

    @property
    def tensors(self) -> Mapping[str, PlacedTensor]: ...


class PlacedLayer(Protocol):
    """A layer's slices and tensors.

    ``forward`` (FP's inputs), ``arriving`` (dS on arrival) and ``gradients`` (dY) are "memory" for
    what stays in the cores and "dram" for what goes through DRAM. ``tensors`` of neurons and
    ``weights`` are by what they hold: "U", "S", "dY", "W", ...
    """

    @property
    def layer(self) -> Layer: ...
    @property
    def slices(self) -> Sequence[Slice]: ...
    @property
    def forward(self) -> str: ...
    @property
    def arriving(self) -> str: ...
    @property
    def gradients(self) -> str: ...
    @property
    def tensors(self) -> Mapping[str, PlacedTensor]: ...
    @property
    def weights(self) -> Mapping[str, PlacedTensor]: ...


class PlacedBatch(Protocol):
    """A recorded mini-batch placed on a chip."""

    @property
    def workload(self) -> Workload: ...
    @property
    def chip(self) -> ChipConfig: ...
    @property
    def layers(self) -> Sequence[PlacedLayer]: ...
    @property
    def addresses(self) -> PlacedTensors: ...

"""What the laws read of a plan: cuts, places in DRAM, and what stays in the cores.

Written down as protocols, so that the laws import nothing of those who make the plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from tlm.config.chip import ChipConfig
from tlm.space.layer_cut import LayerCut, LayerStores
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


class LayerAddresses(Protocol):
    """A layer's tensors of neurons and products, and its weights, by what they hold: "U", "dY"."""

    @property
    def tensors(self) -> Mapping[str, PlacedTensor]: ...
    @property
    def weights(self) -> Mapping[str, PlacedTensor]: ...


class LaidOutLayer(Protocol):
    """A layer: how it is cut, what stays in the cores, and where its tensors lie in DRAM."""

    @property
    def layer(self) -> Layer: ...
    @property
    def cut(self) -> LayerCut: ...
    @property
    def stored(self) -> LayerStores: ...
    @property
    def addressed(self) -> LayerAddresses: ...


class PlacedBatch(Protocol):
    """A recorded mini-batch placed on a chip."""

    @property
    def workload(self) -> Workload: ...
    @property
    def chip(self) -> ChipConfig: ...
    @property
    def layers(self) -> Sequence[LaidOutLayer]: ...
    @property
    def addresses(self) -> PlacedTensors: ...

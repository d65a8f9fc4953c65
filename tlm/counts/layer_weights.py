"""The weights of a layer as a chip stores them: every one in a place of its own, or packed."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from tlm.config.chip import ChipConfig
from tlm.counts.core_arrays import CoreArrays
from tlm.counts.masks import Masks
from tlm.counts.packed_weights import PackedWeights, pack
from tlm.errors import MappingError
from tlm.space.region import Span, length
from tlm.workload.model import Layer

CROSSBAR = "crossbar"


@dataclass(frozen=True, eq=False, slots=True)
class LayerWeights:
    """How many weights of a layer are stored; a crossbar has no ``packed`` ones but stores all.

    A matmul has none: its words are those of what it holds in their place, of one sample and step.
    """

    layer: Layer
    packed: PackedWeights | None = None

    @property
    def total(self) -> int:
        """Stored weights of the layer."""
        return self.count((0, self.layer.product_channels))

    def count(self, channels: Span) -> int:
        """Stored weights of some output channels: those of a slice."""
        if self.packed is not None:
            return self.packed.count(channels)
        return length(channels) * prod(self.layer.weight_shape[1:])

    def words(self, engine: str, channels: Span) -> int:
        """Words of a weight's width that an engine reads of the weights of some channels."""
        if self.packed is not None:
            return self.packed.words(engine, channels)
        return length(channels) * prod(self.layer.factor_shape[1:])

    def all_words(self, channels: Span) -> int:
        """Words of all tables of some output channels' weights."""
        return self.count(channels) if self.packed is None else self.packed.all_words(channels)

    def index_words(self, channels: Span) -> int:
        """Words of the index of some output channels' weights."""
        return 0 if self.packed is None else self.packed.index_words(channels)


def layer_weights(layer: Layer, masks: Masks, chip: ChipConfig, arrays: CoreArrays) -> LayerWeights:
    """The weights of a layer in the organisation that the chip gives it.

    Raises:
        MappingError: an engine cannot walk it, or its largest tile does not fit the weight buffer.
    """
    organisation = chip.core.weights.of(layer.name)
    if organisation == CROSSBAR or not layer.weighted:
        return LayerWeights(layer)
    key = f"core.weights.organisation: layer {layer.name}: {organisation}"
    for name, engine in chip.core.engines:
        if engine.dataflow != "weight" or engine.mode == "element":
            raise MappingError(
                f"{key} is walked with weights held in the array, in mode dense or vector; set "
                f"core.engines.{name}.dataflow=weight and .mode=vector, or use crossbar"
            )
    nonzero, lookups = masks.weights(layer.index), chip.core.weights.lookups
    packed = pack(layer, nonzero, organisation, arrays, lookups)
    largest = max(packed.largest_tile(name) for name in ("fp", "bp"))
    if 2 * largest * arrays.weight_bits > chip.core.memory.weights:
        raise MappingError(
            f"{key}: two tiles of {largest} words, one used while the other is fetched, do not "
            "fit core.memory.weights; enlarge it, or use crossbar"
        )
    return LayerWeights(layer, packed)

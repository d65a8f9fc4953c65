"""What the engines walk of one layer: its masks and their arrays, block by block."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import prod

from tlm.counts.array_pass import GroupWork, backward_work, product_work
from tlm.counts.core_arrays import CoreArrays
from tlm.counts.engine_array import EngineArray, EngineName
from tlm.counts.masks import Masks
from tlm.counts.operands import OperandMasks, everywhere
from tlm.counts.packed_weights import PackedWeights
from tlm.counts.passes import Passes, passes
from tlm.space.array_types import Bools
from tlm.space.region import Block, Span
from tlm.workload.model import Layer


@dataclass(slots=True)
class LayerWork:
    """FP, BP and WG of one layer, counted when some blocks are asked for.

    ``live`` [T, B] is false where the whole dY is zero and the slice is skipped. ``packed`` are the
    weights that are stored, None if every one is. What is counted is kept for the next sweep over
    the same blocks, until dropped.
    """

    layer: Layer
    masks: Masks
    live: Bools
    arrays: CoreArrays
    packed: PackedWeights | None = None
    _kept: dict[Hashable, list[GroupWork]] = field(default_factory=dict)

    def forward(
        self, blocks: Sequence[Block], part: Span, outputs: Span, panel: int, size: int
    ) -> Iterator[Passes]:
        """FP of some ``outputs`` of a slice's channels ``part``, all blocks of a box of products.

        ``panel`` channels and ``size`` weight tiles are walked at a time.
        """
        array, key = self._array("fp"), ("fp", blocks[0], blocks[-1], part)
        if key not in self._kept:
            inputs = self.masks.inputs(self.layer.index)
            live = everywhere(inputs.shape[:2])
            masks = OperandMasks(inputs, None, live, self.packed)
            every_input = (0, self.layer.in_shape[0])
            self._kept[key] = list(
                product_work(self.layer, array, masks, blocks, every_input, part)
            )
        return passes(array, self._kept[key], blocks, outputs, panel, size)

    def backward(
        self, blocks: Sequence[Block], part: Span, inputs: Span, panel: int, size: int
    ) -> Iterator[Passes]:
        """BP of a slice's channels ``part`` to some ``inputs``, all blocks of a box of inputs."""
        array, key = self._array("bp"), ("bp", blocks[0], blocks[-1], part)
        if key not in self._kept:
            dY, need = self.masks.dY(self.layer.index), self.masks.input_need(self.layer.index)
            masks = OperandMasks(dY, need, self.live, self.packed)
            self._kept[key] = list(backward_work(self.layer, array, masks, blocks, part))
        return passes(array, self._kept[key], blocks, inputs, panel, size)

    def weight_gradient(
        self, blocks: Sequence[Block], part: Span, outputs: Span, inputs: Span, panel: int
    ) -> Iterator[Passes]:
        """WG of some of a slice's output channels ``part`` and some ``inputs``.

        The blocks are all of a box of the product.
        """
        array, key = self._array("wg"), ("wg", blocks[0], blocks[-1], part, inputs)
        if key not in self._kept:
            values, dY = self.masks.inputs(self.layer.index), self.masks.dY(self.layer.index)
            masks = OperandMasks(values, dY, self.live, self.packed)
            self._kept[key] = list(product_work(self.layer, array, masks, blocks, inputs, part))
        every_weight = prod(self.layer.weight_shape)
        return passes(array, self._kept[key], blocks, outputs, panel, every_weight)

    def _array(self, engine: EngineName) -> EngineArray:
        """The array of an engine, as it holds the layer's weights."""
        array: EngineArray = getattr(self.arrays, engine)
        return array if self.packed is None else replace(array, packed=True)

    def drop(self) -> None:
        """Forget what is kept."""
        self._kept.clear()

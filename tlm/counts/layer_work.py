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
    weights that are stored, None if every one is. What an engine's blocks are counted to is kept,
    for the next sweep over them and for cores that have other outputs of them, until it walks
    others or until dropped.
    """

    layer: Layer
    masks: Masks
    live: Bools
    arrays: CoreArrays
    packed: PackedWeights | None = None
    _kept: dict[EngineName, tuple[Hashable, dict[Hashable, list[GroupWork]]]] = field(
        default_factory=dict
    )

    def forward(
        self, blocks: Sequence[Block], part: Span, outputs: Span, panel: int, size: int
    ) -> Iterator[Passes]:
        """FP of some ``outputs`` of a slice's channels ``part``, all blocks of a box of products.

        ``panel`` channels and ``size`` weight tiles are walked at a time.
        """
        array, kept = self._array("fp"), self._kept_of("fp", blocks)
        outputs_counted = self._counted(array, part)
        if outputs_counted not in kept:
            inputs = self.masks.inputs(self.layer.index)
            masks = OperandMasks(inputs, None, everywhere(inputs.shape[:2]), self.packed)
            work = product_work(
                self.layer, array, masks, blocks, (0, self.layer.in_shape[0]), outputs_counted
            )
            kept[outputs_counted] = list(work)
        return passes(array, kept[outputs_counted], blocks, outputs, panel, size)

    def backward(
        self, blocks: Sequence[Block], part: Span, inputs: Span, panel: int, size: int
    ) -> Iterator[Passes]:
        """BP of a slice's channels ``part`` to some ``inputs``, all blocks of a box of inputs."""
        array, kept = self._array("bp"), self._kept_of("bp", blocks)
        if part not in kept:
            kept.clear()  # nothing of it is shared
            dY, need = self.masks.dY(self.layer.index), self.masks.input_need(self.layer.index)
            masks = OperandMasks(dY, need, self.live, self.packed)
            kept[part] = list(backward_work(self.layer, array, masks, blocks, part))
        return passes(array, kept[part], blocks, inputs, panel, size)

    def weight_gradient(
        self, blocks: Sequence[Block], part: Span, outputs: Span, inputs: Span, panel: int
    ) -> Iterator[Passes]:
        """WG of some of a slice's output channels ``part`` and some ``inputs``.

        The blocks are all of a box of the product.
        """
        array, kept = self._array("wg"), self._kept_of("wg", blocks)
        outputs_counted = self._counted(array, part)
        key = (outputs_counted, inputs)
        if key not in kept:
            values, dY = self.masks.inputs(self.layer.index), self.masks.dY(self.layer.index)
            masks = OperandMasks(values, dY, self.live, self.packed)
            work = product_work(self.layer, array, masks, blocks, inputs, outputs_counted)
            kept[key] = list(work)
        return passes(array, kept[key], blocks, outputs, panel, prod(self.layer.factor_shape))

    def _kept_of(
        self, engine: EngineName, blocks: Sequence[Block]
    ) -> dict[Hashable, list[GroupWork]]:
        """What is kept of an engine's ``blocks``, which are all of a box; of others, nothing is."""
        box = (blocks[0], blocks[-1], len(blocks))
        if engine not in self._kept or self._kept[engine][0] != box:
            self._kept[engine] = (box, {})
        return self._kept[engine][1]

    def _counted(self, array: EngineArray, part: Span) -> Span:
        """The output channels to count for a slice's channels ``part``: all, where that is exact.

        Cores that have other outputs of the same positions take them from the same counts, unless
        they group channels along the columns in another way.
        """
        width = self.layer.product_channels // self.layer.groups
        alike = all(channel % width % array.cols == 0 for channel in part)
        if array.dataflow == "weight" and alike:
            return (0, self.layer.product_channels)
        return part

    def _array(self, engine: EngineName) -> EngineArray:
        """The array of an engine, as it holds the layer's weights."""
        array: EngineArray = getattr(self.arrays, engine)
        return array if self.packed is None else replace(array, packed=True)

    def drop(self) -> None:
        """Forget what is kept."""
        self._kept.clear()

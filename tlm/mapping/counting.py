"""What the engines walk of one layer: its masks and their arrays, block by block."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from math import prod

from tlm.config.core import Engines
from tlm.mapping import array_pass
from tlm.mapping.array_pass import GroupWork, Panel, panels
from tlm.mapping.counts import Bools
from tlm.mapping.masks import Masks
from tlm.mapping.nest import Array, Block
from tlm.mapping.operands import Box
from tlm.mapping.region import Span
from tlm.mapping.walk import Nest
from tlm.workload.model import Layer


@dataclass(slots=True)
class LayerWork:
    """FP, BP and WG of one layer, counted when a block is asked for.

    ``live`` [T, B] is false where the whole dY is zero and the slice is skipped. Counts with
    weights held are small; they are kept for the next round over the same block, until dropped.
    """

    layer: Layer
    masks: Masks
    live: Bools
    engines: Engines
    array: Array
    _kept: dict[Hashable, list[GroupWork]] = field(default_factory=dict)

    def forward(
        self, block: Block, part: Span, outputs: Span, panel: int, size: int
    ) -> Iterator[Panel]:
        """FP of some ``outputs`` of a slice's channels ``part``, at a block of the product.

        ``panel`` channels and ``size`` weight tiles are walked at a time.
        """
        nest, found = self.array.fp, self._kept.get(("fp", block, part))
        if found is None:
            inputs = self.masks.inputs(self.layer.index)
            box = _box(block, self.layer.product_shape[2])
            made = array_pass.forward_work(self.layer, nest, self.engines.fp, inputs, box, part)
            found = self._keep(("fp", block, part), nest, list(made))
        return panels(nest, found, outputs, panel, size)

    def backward(
        self, block: Block, part: Span, inputs: Span, panel: int, size: int
    ) -> Iterator[Panel]:
        """BP of a slice's channels ``part`` to some ``inputs``, at a block of the input grid."""
        nest, found = self.array.bp, self._kept.get(("bp", block, part))
        if found is None:
            index = self.layer.index
            du, need = self.masks.gradients(index), self.masks.input_need(index)
            box = _box(block, self.layer.in_shape[2])
            made = array_pass.backward_work(
                self.layer, nest, self.engines.bp, du, need, self.live, box, part
            )
            found = self._keep(("bp", block, part), nest, list(made))
        return panels(nest, found, inputs, panel, size)

    def weight_gradient(
        self, block: Block, outputs: Span, inputs: Span, panel: int
    ) -> Iterator[Panel]:
        """WG of some output and input channels over a block of the product."""
        index, nest = self.layer.index, self.array.wg
        seen, du = self.masks.inputs(index), self.masks.gradients(index)
        box = _box(block, self.layer.product_shape[2])
        made = array_pass.weight_gradient_work(
            self.layer, nest, self.engines.wg, seen, du, self.live, box, outputs, inputs
        )
        everything = prod(self.layer.weight_shape)
        return panels(nest, list(made), outputs, panel, everything)

    def drop(self) -> None:
        """Forget what is kept."""
        self._kept.clear()

    def _keep(self, key: Hashable, nest: Nest, made: list[GroupWork]) -> list[GroupWork]:
        if nest.dataflow == "weight":
            for one in made:
                for walker in one.walkers:
                    if walker.walk.operands.live:
                        walker.count()
            self._kept[key] = made
        return made


def _box(block: Block, width: int) -> Box:
    return Box(block.samples, block.steps, block.rows, (0, width))

"""What the engines walk of one layer: its masks and their arrays, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tlm.config.core import Engines
from tlm.mapping.array_pass import (
    Panel,
    backward_panels,
    forward_panels,
    weight_gradient_panels,
)
from tlm.mapping.counts import Bools
from tlm.mapping.masks import Masks
from tlm.mapping.nest import Array, Block
from tlm.mapping.operands import Box
from tlm.mapping.region import Span
from tlm.workload.model import Layer


@dataclass(frozen=True, slots=True)
class LayerWork:
    """FP, BP and WG of one layer, counted when a block is asked for.

    ``live`` [T, B] is false where the whole dY is zero and the slice is skipped. ``panel`` is the
    number of channels walked together, ``size`` that of the weight tiles that come together.
    """

    layer: Layer
    masks: Masks
    live: Bools
    engines: Engines
    array: Array

    def forward(self, block: Block, channels: Span, panel: int, size: int) -> Iterator[Panel]:
        """FP of a block of the product."""
        inputs = self.masks.inputs(self.layer.index)
        box = _box(block, self.layer.product_shape[2])
        return forward_panels(
            self.layer, self.array.fp, self.engines.fp, inputs, box, channels, panel, size
        )

    def backward(self, block: Block, channels: Span, panel: int, size: int) -> Iterator[Panel]:
        """BP of the output ``channels`` to a block of the input grid."""
        index = self.layer.index
        du, need = self.masks.gradients(index), self.masks.input_need(index)
        box = _box(block, self.layer.in_shape[2])
        return backward_panels(
            self.layer, self.array.bp, self.engines.bp, du, need, self.live, box, channels,
            panel, size,
        )  # fmt: skip

    def weight_gradient(
        self, block: Block, channels: Span, inputs: Span, panel: int
    ) -> Iterator[Panel]:
        """WG of some output and input channels over a block of the product."""
        index = self.layer.index
        seen, du = self.masks.inputs(index), self.masks.gradients(index)
        box = _box(block, self.layer.product_shape[2])
        return weight_gradient_panels(
            self.layer, self.array.wg, self.engines.wg, seen, du, self.live, box, channels, inputs,
            panel,
        )  # fmt: skip


def _box(block: Block, width: int) -> Box:
    return Box(block.samples, block.steps, block.rows, (0, width))

"""A layer as several grids lay it over a chip, with what stays in the cores on each of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tlm.placement.profile import Profile
from tlm.placement.slice_bits import gradients_bits, inputs_bits
from tlm.placement.slices import Slices
from tlm.placement.target import Target
from tlm.space.array_types import Cells, Ints
from tlm.space.geometry import product_rows
from tlm.space.layer_cut import LayerStores
from tlm.space.region import length


@dataclass(frozen=True)
class LaidLayer:
    """A layer, its ``slices`` on some grids, the ``stores`` [grid] of each, and the chip."""

    profile: Profile
    slices: Slices
    stores: Sequence[LayerStores]
    target: Target

    def flags(self, holds: Callable[[LayerStores], bool]) -> Cells:
        """What ``holds`` for the stores of its grid, of every slice."""
        return self.slices.each([holds(kept) for kept in self.stores])

    @cached_property
    def product_rows(self) -> Ints:
        """Rows of the product that every slice needs."""
        layer = self.profile.layer
        return self.slices.by_rows(lambda rows: length(product_rows(layer, rows)))

    @cached_property
    def sample_inputs(self) -> Ints:
        """Bits of the inputs of one sample that every slice reads, all steps."""
        profile = self.profile
        if not profile.layer.multiplies:
            return np.zeros_like(self.slices.samples)
        return inputs_bits(profile.layer, self.slices, profile.input_steps, profile.read_bits)

    @cached_property
    def sample_gradients(self) -> Ints:
        """Bits of the dY of one sample that every slice holds, all steps."""
        profile = self.profile
        return gradients_bits(profile.layer, profile.steps, self.slices, self.target.chip)

    def live(self, together: Ints) -> Cells:
        """The share of blocks of ``together`` samples [slice] with some gradient to walk."""
        return self.slices.by_pieces(together, self.profile.live_blocks)

"""dM, the gradient of what a matmul holds in the place of weights: WG makes it, pair by pair.

Of a (sample, step) pair it is one sum over positions, as dW is over all pairs. It stays in the
accumulators until the pair is through, leaves for DRAM, and is read there as one more dX by the
gradient units of the layers that were held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tlm.config.units import show_bits
from tlm.counts.passes import Panel
from tlm.errors import MappingError
from tlm.program.builder import ProgramBuilder, per_sample
from tlm.program.tile_draft import TileDraft
from tlm.space.region import Block, Slice, Span, length
from tlm.storage.plan import LayerPlan


def most_held_outputs(builder: ProgramBuilder, layer_plan: LayerPlan) -> int:
    """How many outputs have sums that fit the accumulators together: whole tiles of the array.

    Raises:
        MappingError: not even those of one tile of the array fit.
    """
    chip, tile = builder.plan.chip, builder.arrays.tile
    each = layer_plan.layer.factor_shape[1] * chip.precision.partial_sum
    fit = chip.core.memory.accumulators // each // tile * tile
    if not fit:
        raise MappingError(
            f"core.memory.accumulators: layer {layer_plan.layer.name}: "
            f"{show_bits(chip.core.memory.accumulators)} cannot hold the gradients of {tile} "
            f"outputs of a product of two recorded tensors, {show_bits(tile * each)}; enlarge it"
        )
    return fit


def pair_blocks(
    samples: Span, rows: Span, steps: int, fits: Callable[[int], bool]
) -> Iterator[list[Block]]:
    """The blocks of every (sample, step) pair; as many rows at a time as fit, at least one."""
    height = length(rows)
    most = next((count for count in range(height, 1, -1) if fits(count)), 1)
    for b in range(*samples):
        for t in range(steps):
            yield [
                Block((b, b + 1), (y, min(y + most, rows[1])), (t, t + 1))
                for y in range(*rows, most)
            ]


def leave_held_gradient(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, block: Block, panel: Panel,
    tile: TileDraft,
) -> None:  # fmt: skip
    """Write the finished dM of a panel of a pair; a skipped pair has none."""
    layer, cuts = layer_plan.layer, layer_plan.cut
    depth, width = layer.factor_shape[1], layer.product_channels // layer.groups
    first = panel.channels[0] // width * depth
    inputs = (panel.partners[0] - first, panel.partners[1] - first)
    bands = sorted({each.neurons.rows for each in cuts.slices})
    tensor = layer_plan.addressed.tensors[f"dM{bands.index(part.neurons.rows)}"]
    pair = (block.samples, block.steps)
    tile.add_writes(tensor.runs(*pair, panel.channels, inputs, layer_plan.skips))
    idents = per_sample(builder, "dM", layer_plan, part, block.samples)
    tile.add_saves(builder.done.expect_all(idents))

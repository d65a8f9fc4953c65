"""The loss: read-out over all steps, soft-max, and dS of an output layer; each has its own."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from tlm.program.builder import (
    ProgramBuilder,
    per_sample,
)
from tlm.program.soma import loss_core, loss_input
from tlm.program.tile_draft import TileDraft
from tlm.space.phase import Command, Phase
from tlm.space.region import Span
from tlm.space.rounding import ceil_div
from tlm.space.tile import Work
from tlm.storage.plan import LayerPlan

LOSS_PASSES = 3  # exp, sum, divide: passes of the unit lanes over the classes (assumed)


def build_loss(builder: ProgramBuilder, layer_plan: LayerPlan, group: Sequence[Span]) -> None:
    """Append a head's loss of some samples: read-out over T, soft-max, dS of its output."""
    classes, steps = prod(layer_plan.layer.pooled_shape), builder.plan.steps
    for sample in (sample for span in group for sample in range(*span)):
        core = loss_core(layer_plan, sample)
        tile = TileDraft(Phase.LOSS, layer_plan.layer.index, sample, 1, 0, steps)
        passes = steps + LOSS_PASSES
        tile.add_cycles(passes * ceil_div(classes, builder.arrays.lanes) + builder.arrays.depth)
        tile.work = Work(energy={"bp.grad_op": passes * classes})
        tile.add_needs((loss_input(builder, layer_plan, sample),))
        tile.add_covers(classes)
        builder.add(core, tile)
        for part in layer_plan.cut.slices:
            if part.neurons.samples[0] <= sample < part.neurons.samples[1]:
                arrives = per_sample(builder, "dS", layer_plan, part, (sample, sample + 1))
                at = layer_plan.pooled(part.neurons._replace(samples=(sample, sample + 1)))
                values = at.size * layer_plan.layer.pooled_shape[2] * steps
                nbytes = ceil_div(values * builder.plan.chip.precision.gradient, 8)
                builder.send(Command.GRADIENT, core, part.core, nbytes, arrives, tile)

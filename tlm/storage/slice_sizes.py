"""Sizes of what a slice makes and keeps, in bits."""

from __future__ import annotations

import numpy as np

from tlm.placement.slice_bits import saved_bits
from tlm.space.geometry import product_rows
from tlm.space.region import Region, Slice, length
from tlm.storage.plan import LayerPlan, Plan
from tlm.workload.model import Pool


def product_region(layer_plan: LayerPlan, part: Slice) -> Region:
    """The products a slice computes."""
    rows = product_rows(layer_plan.layer, part.neurons.rows)
    return Region(part.neurons.channels, part.neurons.samples, rows)


def product_count(plan: Plan, layer_plan: LayerPlan, part: Slice) -> int:
    """Products of a slice, all samples and steps: what batch statistics make wait."""
    return product_region(layer_plan, part).size * layer_plan.width * plan.steps


def arriving_bits(plan: Plan, layer_plan: LayerPlan, part: Slice) -> int:
    """dS of a slice: partial sums are added where they arrive, so that each needs one place.

    Where BP skips outputs only needed elements come; FP has told the owner how many that are.
    """
    at = layer_plan.pooled(part.neurons)
    engine = plan.chip.core.engines.bp
    samples, held = length(at.samples), plan.schedule.held_samples(part)
    each = np.full(samples, at.size // samples * layer_plan.layer.pooled_shape[2] * plan.steps)
    if engine.mode != "dense" and engine.skip_outputs:
        sums = layer_plan.masks.needed_by_row(layer_plan.layer.index)[slice(*at.samples)]
        upto = sums[:, :, at.rows[1]] - sums[:, :, at.rows[0]]
        each = upto[:, at.channels[1]] - upto[:, at.channels[0]]
    elements = int(np.sort(each)[-held:].sum())
    several = layer_plan.partials > 1
    return elements * (plan.chip.precision.partial_sum if several else plan.chip.precision.gradient)


def partial_bits(plan: Plan, reader: LayerPlan) -> int:
    """Width of the dX a layer returns: a partial sum if others are added to it."""
    precision = plan.chip.precision
    return precision.partial_sum if reader.cut.split.k > 1 else precision.gradient


def held_gradient_bits(plan: Plan, reader: LayerPlan) -> int:
    """Width of the dM a matmul returns: a partial sum if others are added to it."""
    precision = plan.chip.precision
    return precision.partial_sum if reader.cut.split.spatial > 1 else precision.gradient


def state_bits(plan: Plan, layer_plan: LayerPlan, part: Slice) -> int:
    """U, S, m and winners of a slice, all steps of the samples that are on the chip at a time."""
    neurons = part.neurons.size * layer_plan.layer.out_shape[2] * plan.steps
    neurons = neurons * plan.schedule.held_samples(part) // length(part.neurons.samples)
    winner = winner_bits(layer_plan.layer.current_pool)
    return neurons * (saved_bits(layer_plan.layer, plan.chip.precision.membrane) + winner)


def winner_bits(pool: Pool | None) -> int:
    """Bits that say which element of its window a max-pool took."""
    return (pool.places - 1).bit_length() if pool is not None and pool.kind == "max" else 0


def kept_bits(plan: Plan, core: int) -> int:
    """Bits of a core's U memory that hold state kept from FP to BP; in a pool it lies elsewhere."""
    if plan.chip.core.memory.sharing == "pool":
        return 0
    return sum(
        state_bits(plan, layer_plan, part)
        for layer_plan in plan.layers
        if layer_plan.state == "keep"
        for part in layer_plan.cut.slices
        if part.core == core
    )

"""Load: what one layer on one grid asks of every core, of DRAM and of the network (estimated).

Cycles come from recorded work; bytes from shapes and from what fits the memories. Left out are
messages of dY between rows, pooled copies of the state, and what the burst length adds to short
accesses.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from tlm.counts.blocks import block_sizes
from tlm.placement.profile import Profile
from tlm.placement.slice_bits import (
    dY_bits,
    dY_through_dram,
    input_bits,
    weight_count,
    weight_gradient_bits,
)
from tlm.placement.target import Target
from tlm.space.geometry import product_rows
from tlm.space.grid import Grid
from tlm.space.region import Slice, length
from tlm.space.rounding import ceil_div


@dataclass(frozen=True, slots=True)
class LayerLoad:
    """Time in ps of every slice on its engines; DRAM bytes; time of the last reduction, in ps.

    ``update_bytes`` are those of ``wg_bytes`` that move when WG is done.
    """

    fp_ps: tuple[int, ...]
    bp_ps: tuple[int, ...]
    wg_ps: tuple[int, ...]
    fp_bytes: int
    bp_bytes: int
    wg_bytes: int
    update_bytes: int
    reduce_ps: int


def layer_load(profile: Profile, grid: Grid, target: Target, group: int) -> LayerLoad:
    """The load of a layer on a grid; its weights are fetched again for every ``group`` of samples.

    They are if layers take turns on its cores; if not, ``group`` is the whole batch.
    """
    chip, parts = target.chip, grid.slices()
    periods = [chip.core.period_of(core) for core in grid.cores]
    fp, bp, wg = (
        tuple(int(count) * ps for count, ps in zip(cycles, periods, strict=True))
        for cycles in profile.work.by_slice(grid)
    )
    fp_bits, bp_bits, wg_bits = _dram_bits(profile, parts, target, group)
    replicas = grid.split.batch * grid.split.spatial
    share = max(weight_count(profile.layer, part) for part in parts) // replicas
    ports = share * (replicas - 1) * chip.precision.partial_sum // chip.noc.link
    return LayerLoad(
        fp_ps=fp,
        bp_ps=bp,
        wg_ps=wg,
        fp_bytes=fp_bits // 8,
        bp_bytes=bp_bits // 8,
        wg_bytes=wg_bits // 8,
        update_bytes=_update_bits(profile) // 8,
        reduce_ps=ports * chip.noc.period_ps,
    )


def _update_bits(profile: Profile) -> int:
    """Bits of weights and moments that the update of a layer reads and writes."""
    return prod(profile.layer.weight_shape) * profile.optimizer_bits


def _dram_bits(
    profile: Profile, parts: list[Slice], target: Target, group: int
) -> tuple[int, int, int]:
    """Bits that FP, BP (with the gradient unit) and WG (with the update) move."""
    chip, layer = target.chip, profile.layer
    precision, memory = chip.precision, chip.core.memory
    pairs, bits = profile.batch * profile.steps, precision.gradient
    products = prod(layer.product_shape) * pairs
    fp = bp = prod(layer.out_shape) * pairs * (precision.membrane + 2)
    wg = _update_bits(profile)
    if profile.waits_for_batch and 2 * products * bits > memory.batch_norm * len(parts):
        fp += 2 * products * precision.membrane  # the currents, written and read
        bp += products * (precision.membrane + 2 * bits)  # again, and dL/dI
    through = dY_through_dram(layer, profile.steps, parts, chip, profile.operand_bits)
    if through:
        bp += products * bits  # dY, written; BP and WG read it by slices
        wg += products * bits
    k = sum(part.neurons.samples[0] == 0 == part.neurons.rows[0] for part in parts)
    partials = k * (precision.partial_sum if k > 1 else bits)
    # A core keeps what arrives for one layer while that of the next is worked on: half each.
    if profile.returned * partials > memory.spike_gradients // 2 * chip.cores:
        bp += (1 + len(layer.sources)) * prod(layer.in_shape) * pairs * partials
    for part in parts:
        slice_fp, slice_bp, slice_wg = _slice_bits(profile, part, target, group, through)
        fp, bp, wg = fp + slice_fp, bp + slice_bp, wg + slice_wg
    return fp, bp, wg


def _slice_bits(
    profile: Profile, part: Slice, target: Target, group: int, through: bool
) -> tuple[int, int, int]:
    """Bits of weights, inputs and dY that one slice reads in FP, BP and WG, and of dW it spills.

    ``through``: dY comes from DRAM.
    """
    chip, layer, memory = target.chip, profile.layer, target.chip.core.memory
    samples, rows = length(part.neurons.samples), length(product_rows(layer, part.neurons.rows))
    weights = weight_count(layer, part) * chip.precision.weight
    inputs = input_bits(layer, part, samples, profile.steps, profile.operand_bits)
    returned, returned_width = length(part.input_rows), layer.in_shape[2]

    def fetched(staged: int, rows: int, width: int, operands: int) -> int:
        """Weights: once what buffer or stage hold; the rest once per block, or ``operands`` are."""
        together, bits = min(group, samples), weights
        if weights > memory.weights:
            sizes = block_sizes(together, rows, profile.steps, width, target.arrays.positions)
            by_block = max(0, weights - staged) * (sum(count for _, count in sizes) - 1)
            sweeps = ceil_div(weights, staged)
            bits += min(by_block, operands * together // samples * (sweeps - 1))
        return bits * ceil_div(samples, together)

    streamed = inputs if not profile.has_bp or inputs > memory.spikes // 2 else 0
    fp = streamed + fetched(memory.membrane * 3 // 4, rows, layer.product_shape[2], streamed)
    bp, dY = 0, dY_bits(layer, profile.steps, part, chip)
    if profile.has_bp and returned:
        streamed = dY * samples if through else 0
        bp = streamed + fetched(memory.membrane // 2, returned, returned_width, streamed)
        bp += returned * returned_width * layer.in_shape[0] * samples * profile.steps
    held = 0 if through else dY
    wg = weight_gradient_bits(layer, profile.steps, part, chip, profile.operand_bits, held)
    return fp, bp, wg

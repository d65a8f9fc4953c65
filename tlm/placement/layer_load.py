"""Load: what one layer on one grid asks of every core, of DRAM and of the network (estimated).

Cycles come from recorded work; bytes from shapes and from what fits the memories. Left out are
messages of dY between rows, pooled copies of the state, and what the burst length adds to short
accesses.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import prod

from tlm.config.chip import ChipConfig
from tlm.config.tables.dram_timing import load_dram_timing
from tlm.counts.blocks import block_sizes
from tlm.counts.core_arrays import CoreArrays
from tlm.placement.profile import Profile
from tlm.placement.slice_bits import dY_bits, dY_through_dram, weight_gradient_bits
from tlm.space.geometry import input_rows, product_rows
from tlm.space.grid import Grid
from tlm.space.region import Slice, length
from tlm.space.rounding import ceil_div
from tlm.workload.model import Layer

DRAM_SHARE = 0.6  # of the peak that a job's reads and writes reach (assumed; seen: .5 to .7)


@dataclass(frozen=True, slots=True)
class LayerLoad:
    """Time in ps of every slice on its engines; DRAM bytes; time of the last reduction, in ps."""

    fp_ps: tuple[int, ...]
    bp_ps: tuple[int, ...]
    wg_ps: tuple[int, ...]
    fp_bytes: int
    bp_bytes: int
    wg_bytes: int
    reduce_ps: int


def layer_load(
    profile: Profile, grid: Grid, chip: ChipConfig, arrays: CoreArrays, group: int
) -> LayerLoad:
    """The load of a layer on a grid; its weights are fetched again for every ``group`` of samples.

    They are if layers take turns on its cores; if not, ``group`` is the whole batch.
    """
    parts = grid.slices()
    periods = [chip.core.period_of(core) for core in grid.cores]
    fp, bp, wg = (
        tuple(int(c) * ps for c, ps in zip(cycles, periods, strict=True))
        for cycles in profile.work.by_slice(grid)
    )
    fp_bits, bp_bits, wg_bits = _dram_bits(profile, parts, chip, arrays, group)
    replicas = grid.split.batch * grid.split.spatial
    share = max(_weights(profile.layer, part) for part in parts) // replicas
    ports = share * (replicas - 1) * chip.precision.partial_sum // chip.noc.link
    return LayerLoad(
        fp, bp, wg, fp_bits // 8, bp_bits // 8, wg_bits // 8, ports * chip.noc.period_ps
    )


def dram_ps(nbytes: int, chip: ChipConfig) -> int:
    """The time ``nbytes`` take on all channels together."""
    return int(nbytes / (_peak(chip.dram.device) * chip.dram.channels * DRAM_SHARE))


@cache
def _peak(device: str) -> float:
    return load_dram_timing(device).peak_bytes_per_ps


def _weights(layer: Layer, part: Slice) -> int:
    return length(part.neurons.channels) * prod(layer.weight_shape[1:])


def _dram_bits(
    profile: Profile, parts: list[Slice], chip: ChipConfig, arrays: CoreArrays, group: int
) -> tuple[int, int, int]:
    """Bits that FP, BP (with the gradient unit) and WG (with the update) move."""
    layer, precision, memory = profile.layer, chip.precision, chip.core.memory
    pairs, bits = profile.batch * profile.steps, precision.gradient
    products = prod(layer.product_shape) * pairs
    fp = bp = prod(layer.out_shape) * pairs * (precision.membrane + 2)
    wg = prod(layer.weight_shape) * profile.optimizer_bits
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
        more = _slice_bits(profile, part, chip, arrays, group, through)
        fp, bp, wg = fp + more[0], bp + more[1], wg + more[2]
    return fp, bp, wg


def _slice_bits(
    profile: Profile, part: Slice, chip: ChipConfig, arrays: CoreArrays, group: int, through: bool
) -> tuple[int, int, int]:
    """Bits of weights, inputs and dY that one slice reads in FP, BP and WG, and of dW it spills.

    ``through``: dY comes from DRAM.
    """
    layer, memory = profile.layer, chip.core.memory
    samples, rows = length(part.neurons.samples), length(product_rows(layer, part.neurons.rows))
    weights, width = _weights(layer, part), layer.product_shape[2]
    line = layer.in_shape[2] * layer.in_shape[0] * samples * profile.steps * profile.operand_bits
    inputs = length(input_rows(layer, product_rows(layer, part.neurons.rows))) * line
    bits, returned = weights * chip.precision.weight, length(part.input_rows)

    def fetched(staged: int, rows: int, width: int, operands: int) -> int:
        """Once, as far as buffer or stage hold them; the rest once a block, or ``operands`` do."""
        together, once = min(group, samples), bits
        if bits > memory.weights:
            sizes = block_sizes(together, rows, profile.steps, width, arrays.positions)
            again = max(0, bits - staged) * (sum(count for _, count in sizes) - 1)
            once += min(again, operands * together // samples * (ceil_div(bits, staged) - 1))
        return once * ceil_div(samples, together)

    streamed = inputs if not profile.has_bp or inputs > memory.spikes // 2 else 0
    fp = streamed + fetched(memory.membrane * 3 // 4, rows, width, streamed)
    bp, gradients = 0, dY_bits(layer, profile.steps, part, chip)
    if profile.has_bp and returned:
        streamed = gradients * samples if through else 0
        bp = streamed + fetched(memory.membrane // 2, returned, layer.in_shape[2], streamed)
        bp += returned * line // profile.operand_bits
    held = 0 if through else gradients
    wg = weight_gradient_bits(layer, profile.steps, part, chip, profile.operand_bits, held)
    return fp, bp, wg

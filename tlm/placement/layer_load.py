"""Load: what one layer on one grid asks of every core, of DRAM and of the network (estimated).

Cycles come from recorded work; bytes from shapes and from what fits the memories. Left out are
messages of dY between rows, pooled copies of the state, and what the burst length adds to short
accesses.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from tlm.config.chip import ChipConfig
from tlm.counts.blocks import block_shape, block_sizes
from tlm.placement.profile import Profile
from tlm.placement.slice_bits import (
    FLAGS,
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

    ``update_ps`` is the slowest core's time of the update behind WG; its ``update_bytes`` are among
    ``wg_bytes``.
    """

    fp_ps: tuple[int, ...]
    bp_ps: tuple[int, ...]
    wg_ps: tuple[int, ...]
    fp_bytes: int
    bp_bytes: int
    wg_bytes: int
    update_ps: int
    update_bytes: int
    reduce_ps: int


def layer_load(profile: Profile, grid: Grid, target: Target, group: int) -> LayerLoad:
    """The load of a layer on a grid; its weights are fetched again for every ``group`` of samples.

    They are if layers take turns on its cores; if not, ``group`` is the whole batch.
    """
    chip, layer, parts = target.chip, profile.layer, grid.slices()
    through = dY_through_dram(layer, profile.steps, parts, chip, profile.operand_bits)
    stay = _weights_stay(profile, parts, chip)
    moved = [_slice_bits(profile, part, target, group, (through, stay)) for part in parts]
    by_engine = [list(bits) for bits in zip(*moved, strict=True)]
    fp, bp, wg = (
        _slice_ps(list(map(int, cycles)), bits, grid, chip)
        for cycles, bits in zip(profile.work.by_slice(grid), by_engine, strict=True)
    )
    fp_bits, bp_bits, wg_bits = (
        shared + sum(bits)
        for shared, bits in zip(_shared_bits(profile, parts, chip, through), by_engine, strict=True)
    )
    replicas, update = grid.split.batch * grid.split.spatial, _update_bits(profile, stay, chip)
    share = max(weight_count(layer, part) for part in parts) // replicas
    lanes = [ceil_div(share, chip.core.unit_lanes)] * len(parts)
    # dW comes to its owner from every replica, and new weights that stay go back to all of them.
    returned = chip.precision.weight * stay
    ports = share * (replicas - 1) * (chip.precision.partial_sum + returned) // chip.noc.link
    return LayerLoad(
        fp_ps=fp,
        bp_ps=bp,
        wg_ps=wg,
        fp_bytes=fp_bits // 8,
        bp_bytes=bp_bits // 8,
        wg_bytes=(wg_bits + update) // 8,
        update_ps=max(_slice_ps(lanes, [update // len(parts)] * len(parts), grid, chip)),
        update_bytes=update // 8,
        reduce_ps=ports * chip.noc.period_ps,
    )


def _slice_ps(cycles: list[int], bits: list[int], grid: Grid, chip: ChipConfig) -> tuple[int, ...]:
    """Time of every slice on an engine: its work, or what it moves through its core's port."""
    return tuple(
        max(count * chip.core.period_of(core), moved // chip.noc.link * chip.noc.period_ps)
        for count, moved, core in zip(cycles, bits, grid.cores, strict=True)
    )


def _update_bits(profile: Profile, weights_stay: bool, chip: ChipConfig) -> int:
    """Bits that the update of all weights moves: of weights and moments that do not stay."""
    weights, moments = prod(profile.layer.weight_shape), profile.moment_bits
    moments_stay = _stays("optimizer", weights * moments, chip, chip.mapping.parameters)
    return 2 * weights * (chip.precision.weight * (not weights_stay) + moments * (not moments_stay))


def _weights_stay(profile: Profile, parts: list[Slice], chip: ChipConfig) -> bool:
    """Whether a copy of its weights stays in every core."""
    bits = sum(weight_count(profile.layer, part) for part in parts) * chip.precision.weight
    return _stays("optimizer", bits, chip, chip.mapping.parameters)


def _shared_bits(
    profile: Profile, parts: list[Slice], chip: ChipConfig, through: bool
) -> tuple[int, int, int]:
    """Bits that all slices together move in FP, BP (with the gradient unit) and WG."""
    layer, precision, memory = profile.layer, chip.precision, chip.core.memory
    pairs, bits = profile.batch * profile.steps, precision.gradient
    products = prod(layer.product_shape) * pairs
    neurons = prod(layer.out_shape) * pairs
    fp, bp, wg = neurons * FLAGS, 0, 0
    if not _stays("membrane", neurons * (precision.membrane + FLAGS), chip, chip.mapping.state):
        fp += neurons * precision.membrane
        bp += neurons * (precision.membrane + FLAGS)
    if profile.waits_for_batch and 2 * products * bits > memory.kept("batch_norm") * len(parts):
        fp += 2 * products * precision.membrane  # the currents, written and read
        bp += products * (precision.membrane + 2 * bits)  # again, and dL/dI
    if through:
        bp += products * bits  # dY, written; BP and WG read it by slices
        wg += products * bits
    k = sum(part.neurons.samples[0] == 0 == part.neurons.rows[0] for part in parts)
    partials = k * (precision.partial_sum if k > 1 else bits)
    # A core keeps what arrives for one layer while that of the next is worked on: half each.
    if profile.returned * partials > memory.kept("spike_gradients") // 2 * chip.cores:
        bp += (1 + len(layer.sources)) * prod(layer.in_shape) * pairs * partials
    return fp, bp, wg


def _stays(memory: str, bits: int, chip: ChipConfig, policy: str) -> bool:
    """Whether ``bits`` of a layer stay in a memory of the cores, half of which others take."""
    if policy == "auto":
        return 2 * bits <= chip.core.memory.kept(memory) * chip.cores
    return policy != "spill"


def _slice_bits(
    profile: Profile, part: Slice, target: Target, group: int, stores: tuple[bool, bool]
) -> tuple[int, int, int]:
    """Bits of weights, inputs and dY that one slice reads in FP, BP and WG, and of dW it spills.

    ``stores``: whether dY comes from DRAM, whether weights stay in the core.
    """
    chip, layer, memory = target.chip, profile.layer, target.chip.core.memory
    samples, rows = length(part.neurons.samples), length(product_rows(layer, part.neurons.rows))
    through, stay = stores
    weights = 0 if stay else weight_count(layer, part) * chip.precision.weight
    inputs = input_bits(layer, part, samples, profile.input_steps, profile.read_bits)
    returned, returned_width = length(part.input_rows), layer.in_shape[2]

    def fetched(staged: int, plane: tuple[int, int, int], operands: int) -> int:
        """Weights: once what buffer or stage hold; the rest once per block, or ``operands`` are.

        Blocks are of ``plane``: rows, steps, columns.
        """
        together, bits = min(group, samples), weights
        if weights > memory.weights:
            sizes = block_sizes(together, *plane, target.arrays.positions)
            by_block = max(0, weights - staged) * (sum(count for _, count in sizes) - 1)
            sweeps = ceil_div(weights, staged)
            bits += min(by_block, operands * together // samples * (sweeps - 1))
        return bits * ceil_div(samples, together)

    streamed = inputs if not profile.has_bp or inputs > memory.kept("spikes") // 2 else 0
    fp = streamed * _input_passes(profile, part, target) + fetched(
        memory.membrane * 3 // 4, (rows, profile.walked_steps, layer.product_shape[2]), streamed
    )
    bp, dY = 0, dY_bits(layer, profile.steps, part, chip)
    if profile.has_bp and returned:
        streamed = dY * samples if through else 0
        plane = (returned, profile.steps, returned_width)
        bp = streamed + fetched(memory.membrane // 2, plane, streamed)
        bp += returned * returned_width * layer.in_shape[0] * samples * profile.steps
    held = 0 if through else dY
    wg = weight_gradient_bits(layer, profile.input_steps, part, chip, profile.read_bits, held)
    return fp, bp, wg


def _input_passes(profile: Profile, part: Slice, target: Target) -> int:
    """How often FP reads the inputs of a block: once an output tile where not even these fit."""
    layer, channels = profile.layer, length(part.neurons.channels)
    heights = length(part.neurons.samples), length(product_rows(layer, part.neurons.rows))
    samples, rows, steps = block_shape(
        *heights, profile.walked_steps, layer.product_shape[2], target.arrays.positions
    )
    between = min(layer.in_shape[1], (rows - 1) * layer.stride[0] + layer.kernel[0])
    window = layer.in_shape[0] * between * layer.in_shape[2] * samples
    window *= min(steps, profile.input_steps)
    fits = window * profile.operand_bits <= target.chip.core.memory.spikes // 2
    return 1 if fits else ceil_div(channels, target.arrays.tile)

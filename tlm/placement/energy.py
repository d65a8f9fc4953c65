"""Energy of a mapping: what it decides, and what the slots of the arrays take whatever it is.

DRAM, mesh, leakage, and the optimizer's memory, which an update reads and writes and into which
replicas write the weights of others; of a slot its multiply-accumulates and the words of its sums
(in WG: of dY). Registers, the soma and gradient units, and the accumulators are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from tlm.placement.profile import Profile
from tlm.placement.target import Target
from tlm.space.grid import Grid
from tlm.space.ports import MEMORY_PORT_BITS


def energy_pj(
    profiles: Sequence[Profile], grids: Sequence[Grid], target: Target, time_ps: float,
    moved: tuple[float, float],
) -> float:  # fmt: skip
    """Energy of a mini-batch that takes ``time_ps`` and moves bytes from DRAM, and over hops."""
    chip, table = target.chip, target.energy
    nbytes, hop_bytes = moved
    of_layers = sum(
        _slots_pj(profile, target) + (_update_pj(profile, grid, target) if profile.learns else 0)
        for profile, grid in zip(profiles, grids, strict=True)
    )
    transfers = 8 * nbytes * table.pj("dram", "read_bit")
    transfers += 8 * hop_bytes * (table.pj("noc", "link_bit") + table.pj("noc", "router_bit"))
    power_w = (
        chip.cores * table.leakage["core"].power_w
        + chip.routers * table.leakage["router"].power_w
        + chip.dram.channels * table.leakage["dram_channel"].power_w
    )
    return float(of_layers + transfers + power_w * time_ps)


def _slots_pj(profile: Profile, target: Target) -> float:
    """Energy of the slots of a layer in FP, BP and WG."""
    table, layer, arrays = target.energy, profile.layer, target.arrays
    depth, width = min(arrays.chunk, layer.in_shape[0]), min(arrays.tile, layer.product_channels)
    mac = "mac_add" if profile.operand_bits == 1 else "mac_mul"

    def sums(name: str) -> float:
        return table.pj(name, "partial_read") + table.pj(name, "partial_write")

    words = profile.weights.words("fp", (0, layer.product_channels))
    if profile.weights.packed is not None:
        words = profile.weights.total
    cells = depth * width * words / max(1, prod(layer.factor_shape))
    prices = [cells * table.pj("fp", mac) + width * sums("fp")]
    if profile.learns:
        prices += [
            cells * table.pj("bp", "mac") + depth * sums("bp"),
            cells * table.pj("wg", mac) + width * table.pj("wg", "gradient_read"),
        ]
    slots = (int(stream.sum()) / arrays.fp.slot_cycles for stream in profile.work.streams)
    return sum(count * price for count, price in zip(slots, prices, strict=False))


def _update_pj(profile: Profile, grid: Grid, target: Target) -> float:
    """Energy of the optimizer's memory in the update of a layer."""
    table, width = target.energy, target.chip.precision.weight
    replicas = grid.split.batch * grid.split.spatial
    words = profile.weights.total / MEMORY_PORT_BITS
    read = words * (width + profile.moment_bits)
    written = read + words * width * (replicas - 1)
    return read * table.pj("wg", "optimizer_read") + written * table.pj("wg", "optimizer_write")

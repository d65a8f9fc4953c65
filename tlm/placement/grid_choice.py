"""Choosing: the grids of one layer, by the time that the layer alone takes on them."""

from __future__ import annotations

from dataclasses import dataclass

from tlm.config.chip import ChipConfig
from tlm.counts.core_arrays import CoreArrays
from tlm.placement.cutting import candidates, cut
from tlm.placement.layer_load import LayerLoad, dram_ps, layer_load
from tlm.placement.profile import Profile
from tlm.space.grid import Grid
from tlm.space.region import length


@dataclass(frozen=True, slots=True)
class Option:
    """One grid of a layer, its load, and the time in ps that the layer alone takes on it."""

    grid: Grid
    load: LayerLoad
    time_ps: int


def options(profile: Profile, chip: ChipConfig, arrays: CoreArrays, group: int) -> list[Option]:
    """Every cut of a layer that ``mapping.split`` allows on the first cores, best first.

    ``group`` as :func:`load_of` takes it.
    """
    cores = range(chip.cores)
    found: list[Option] = []
    for split in candidates(profile.layer, profile.batch, len(cores), chip.mapping.split, arrays):
        grid = cut(profile.layer, profile.work, split, cores)
        load = layer_load(profile, grid, chip, arrays, group)
        found.append(Option(grid, load, layer_ps(load, grid, chip)))
    return sorted(found, key=lambda one: (one.time_ps, one.grid.split.parts))


def layer_ps(load: LayerLoad, grid: Grid, chip: ChipConfig) -> int:
    """Time of one layer alone, in ps: the slowest slice, DRAM and the reduction.

    Pipelined, FP of one group runs beside BP and WG of another: n groups take n - 1 times the
    slowest engine and once through all.
    """
    fp, bp, wg = (
        max(max(times), dram_ps(nbytes, chip))
        for times, nbytes in (
            (load.fp_ps, load.fp_bytes),
            (load.bp_ps, load.bp_bytes),
            (load.wg_ps, load.wg_bytes),
        )
    )
    once = fp + max(bp, wg)
    if chip.mapping.schedule != "pipelined":
        return once + load.reduce_ps
    samples = max(length(part.neurons.samples) for part in grid.slices())
    groups = -(-samples // chip.mapping.group)
    return ((groups - 1) * max(fp, bp, wg) + once) // groups + load.reduce_ps

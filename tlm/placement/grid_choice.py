"""Choosing: the grids of one layer, by the time that the layer alone takes on them."""

from __future__ import annotations

from dataclasses import dataclass

from tlm.placement.cutting import candidates, cut
from tlm.placement.layer_load import LayerLoad, layer_load
from tlm.placement.profile import Profile
from tlm.placement.target import Target
from tlm.space.grid import Grid
from tlm.space.region import length
from tlm.space.rounding import ceil_div


@dataclass(frozen=True, slots=True)
class Option:
    """One grid of a layer, its load, and the time in ps that the layer alone takes on it."""

    grid: Grid
    load: LayerLoad
    time_ps: int


def options(profile: Profile, target: Target, group: int) -> list[Option]:
    """Every cut of a layer that ``mapping.split`` allows on the first cores, best first.

    ``group`` as :func:`layer_load` takes it.
    """
    chip, layer = target.chip, profile.layer
    kind, cores = chip.mapping.split, range(chip.cores)
    grids = [
        cut(layer, profile.work, split, cores)
        for split in candidates(layer, profile.batch, chip.cores, kind, target.arrays)
    ]
    loads = [layer_load(profile, grid, target, group) for grid in grids]
    choices = [
        Option(grid, load, layer_ps(load, grid, target))
        for grid, load in zip(grids, loads, strict=True)
    ]
    return sorted(choices, key=lambda option: (option.time_ps, option.grid.split.parts))


def layer_ps(load: LayerLoad, grid: Grid, target: Target) -> int:
    """Time of one layer alone, in ps: FP, BP, WG, reduction and update one after the other.

    WG waits for BP, as its engine comes to the layer behind the updates of those that follow it.
    Each takes as long as its slowest slice, or as DRAM. Pipelined, FP of one group runs beside BP
    and WG of another: n groups take n - 1 times the slowest engine and once through all.
    """
    forward, backward = load.fp + load.norm, load.grad + load.norm_grad + load.bp
    engines = [
        max(float(times.max()), target.dram_ps(nbytes))
        for times, nbytes in (
            (forward, load.fp_bytes),
            (backward, load.bp_bytes),
            (load.wg, load.wg_bytes),
            (load.sums, load.sums_bytes),
        )
    ]
    update_ps = max(float(load.update.max()), target.dram_ps(load.update_bytes))
    last = reduction_ps(load, grid) + update_ps
    once, mapping = sum(engines), target.chip.mapping
    if mapping.schedule != "pipelined":
        return round(once + last)
    samples = max(length(part.neurons.samples) for part in grid.slices())
    groups = ceil_div(samples, mapping.group)
    return round(((groups - 1) * max(engines) + once) / groups + last)


def reduction_ps(load: LayerLoad, grid: Grid) -> float:
    """The time of dW from all replicas to all: they send to one after the other, in one order."""
    replicas = grid.split.batch * grid.split.spatial
    waits = max(1.0, replicas / 2 / load.reach)
    return max(load.share_ps * (replicas - 1) * waits, load.reduce_ps)

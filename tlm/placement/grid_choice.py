"""Choosing: the grids of one layer, by the time that the layer alone takes on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tlm.placement.cutting import candidates, cuts_of
from tlm.placement.layer_load import LayerLoad, layer_loads
from tlm.placement.profile import Profile
from tlm.placement.slices import Slices
from tlm.placement.stores_alone import stores_alone
from tlm.placement.target import Target
from tlm.space.array_types import Floats, Ints
from tlm.space.grid import Grid
from tlm.space.rounding import ceil_each


@dataclass(frozen=True, slots=True)
class Option:
    """One grid of a layer, and the time in ps that the layer alone takes on it."""

    grid: Grid
    time_ps: int


def options(profile: Profile, target: Target, group: int) -> list[Option]:
    """Every cut of a layer that ``mapping.split`` allows on the first cores, best first.

    ``group`` as :func:`layer_loads` takes it.
    """
    chip, layer = target.chip, profile.layer
    splits = candidates(layer, profile.batch, chip.cores, chip.mapping.split, target.arrays)
    grids = cuts_of(layer, profile.work, list(splits), range(chip.cores))
    slices = Slices(grids)
    stores = stores_alone(profile, slices, chip)
    times = layer_ps(layer_loads(profile, slices, target, group, stores), slices, target)
    choices = [Option(grid, ps) for grid, ps in zip(grids, times.tolist(), strict=True)]
    return sorted(choices, key=lambda option: (option.time_ps, option.grid.split.parts))


def layer_ps(load: LayerLoad[Floats, Ints], slices: Slices, target: Target) -> Ints:
    """Time [grid] of one layer alone, in ps: FP, BP, WG, reduction and update one after the other.

    WG waits for BP, as its engine comes to the layer behind the updates of those that follow it.
    Each takes as long as its slowest slice, or as DRAM. Pipelined, FP of one group runs beside BP
    and WG of another: n groups take n - 1 times the slowest engine and once through all.
    """
    forward, backward = load.fp + load.norm, load.grad + load.norm_grad + load.bp
    engines = [
        np.maximum(slices.largest(times), target.dram_times(nbytes))
        for times, nbytes in (
            (forward, load.fp_bytes),
            (backward, load.bp_bytes),
            (load.wg, load.wg_bytes),
            (load.sums, load.sums_bytes),
        )
    ]
    update_ps = np.maximum(slices.largest(load.update), target.dram_times(load.update_bytes))
    last = reduction_ps(load, slices) + update_ps
    once, mapping = sum(engines), target.chip.mapping
    if mapping.schedule == "pipelined":
        groups = ceil_each(slices.largest(slices.samples), mapping.group)
        once = ((groups - 1) * np.maximum.reduce(engines) + once) / groups
    return np.rint(once + last).astype(np.int64)


def reduction_ps(load: LayerLoad[Floats, Ints], slices: Slices) -> Floats:
    """The time of dW from all replicas to all: they send to one after the other, in one order."""
    waits = np.maximum(1.0, slices.replicas / 2 / load.reach)
    one_after_other = load.share_ps * (slices.replicas - 1) * waits
    return np.asarray(np.maximum(one_after_other, load.reduce_ps))

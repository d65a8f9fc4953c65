"""Choosing: the grids of one layer that promise most, and the best of each on its own."""

from __future__ import annotations

from collections.abc import Sequence

from tlm.config.schema import ChipConfig
from tlm.mapping.cutting import candidates, cut
from tlm.mapping.grid import Grid
from tlm.mapping.load import Load, dram_ps, load_of
from tlm.mapping.nest import Array
from tlm.mapping.profile import Profile
from tlm.mapping.region import balanced_cuts, length

LOOKED_AT = 16  # splits of a layer that are cut and weighed, the most promising of all
SHORTLIST = 6  # grids of a layer that a search may use


def shortlist(
    profile: Profile, chip: ChipConfig, array: Array, cores: Sequence[int]
) -> list[tuple[Grid, Load]]:
    """Up to ``SHORTLIST`` grids of a layer on ``cores`` with their loads, the best first."""
    splits = candidates(profile.layer, profile.batch, len(cores), chip.mapping.split, array)
    shares = _Shares(profile)
    ranked = sorted(splits, key=lambda s: (shares.largest(s.k, s.batch, s.spatial), s.parts))
    weighed: list[tuple[int, int, int, Grid, Load]] = []
    for split in ranked[:LOOKED_AT] + ranked[-1:]:
        grid = cut(profile.layer, profile.work, split, cores)
        load = load_of(profile, grid, chip, array)
        weighed.append((layer_ps(load, grid, chip), split.parts, len(weighed), grid, load))
    weighed.sort(key=lambda one: one[:3])
    return [(grid, load) for *_, grid, load in weighed[:SHORTLIST]]


def layer_ps(load: Load, grid: Grid, chip: ChipConfig) -> int:
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


class _Shares:
    """The largest share of a layer's work that a split leaves on one core, by its marginals."""

    def __init__(self, profile: Profile) -> None:
        self._work = [profile.work.along(axis) for axis in (1, 0, 2)]
        self._known: dict[tuple[int, int], float] = {}

    def largest(self, *parts: int) -> float:
        """Share of the slowest core when channels, samples and rows are cut into ``parts``."""
        share = 1.0
        for axis, count in enumerate(parts):
            if (axis, count) not in self._known:
                work = self._work[axis]
                spans = balanced_cuts(work, count)
                most = max(sum(work[low:high]) for low, high in spans)
                self._known[axis, count] = most / max(1, sum(work))
            share *= self._known[axis, count]
        return share

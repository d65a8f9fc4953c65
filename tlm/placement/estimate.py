"""Estimate: time and energy of a whole mapping from the loads of its layers, without simulating.

Each core's engines are busy for the sum of their slices. A core waits for the first sample to
reach its first layer, and what it makes last has to travel on; samples of a slice follow each
other at their average distance. DRAM stretches a layer that runs alone (``layerwise``, layers on
shared cores), and bounds the whole where layers overlap. Energy counts what a mapping decides
(DRAM, mesh, leakage) and the arrays' slots at the table's price; buffers and units are left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from tlm.placement.figures import MappingFigures
from tlm.placement.grid_choice import PlacedLayer
from tlm.placement.layer_load import LayerLoad
from tlm.placement.mesh_traffic import hop_bytes
from tlm.placement.profile import Profile
from tlm.placement.shared_memories import layers_overlap, spilled_bytes
from tlm.placement.target import Target
from tlm.space.grid import Grid
from tlm.space.region import length


@dataclass(frozen=True, slots=True)
class MappingEstimate(MappingFigures):
    """What a mapping is estimated to take, with the bytes times hops of its messages."""

    hop_bytes: int


def estimate(
    profiles: Sequence[Profile], layers: Sequence[PlacedLayer], target: Target
) -> MappingEstimate:
    """The estimate of a mapping: a grid and its load for every layer."""
    chip = target.chip
    grids, loads = [placed.grid for placed in layers], [placed.load for placed in layers]
    nbytes = sum(load.fp_bytes + load.bp_bytes + load.wg_bytes for load in loads)
    nbytes += spilled_bytes(profiles, grids, chip)
    hops = sum(
        hop_bytes((profiles[source], grids[source]), (reader, grid), chip.mesh.columns)
        for reader, grid in zip(profiles, grids, strict=True)
        for source in reader.layer.sources
        if source >= 0
    )
    time_ps = max(_time_ps(grids, loads, target), target.dram_ps(nbytes))
    return MappingEstimate(
        time_ps=time_ps,
        energy_pj=_energy_pj(profiles, target, time_ps, nbytes, hops),
        dram_bytes=nbytes,
        hop_bytes=hops,
    )


def _energy_pj(
    profiles: Sequence[Profile], target: Target, time_ps: int, nbytes: int, hops: int
) -> float:
    chip, table = target.chip, target.energy
    lanes = chip.core.engines.fp.rows * chip.core.engines.fp.cols
    compute = lanes * sum(
        int(profile.work.fp.sum()) * table.pj("fp", "mac_add")
        + int(profile.work.bp.sum()) * table.pj("bp", "mac")
        + int(profile.work.wg.sum()) * table.pj("wg", "mac_add")
        for profile in profiles
    )
    moved = 8 * nbytes * table.pj("dram", "read_bit")
    moved += 8 * hops * (table.pj("noc", "link_bit") + table.pj("noc", "router_bit"))
    power_w = (
        chip.cores * table.leakage["core"].power_w
        + chip.routers * table.leakage["router"].power_w
        + chip.dram.channels * table.leakage["dram_channel"].power_w
    )
    return compute + moved + power_w * time_ps


def _time_ps(grids: Sequence[Grid], loads: Sequence[LayerLoad], target: Target) -> int:
    """Time of one iteration under the chip's schedule."""
    mapping = target.chip.mapping
    alone = mapping.schedule == "layerwise" and not layers_overlap(grids)
    fp, bp, wg = (_times(loads, target, engine, alone) for engine in ("fp", "bp", "wg"))
    there, back = (_by_sample(grids, times) for times in (fp, bp))
    fp_ps = _engine_ps(grids, fp, there)
    backward_ps = max(_engine_ps(grids[::-1], times[::-1], back[::-1]) for times in (bp, wg))
    if mapping.schedule == "pipelined":
        first_ps = sum(there) * mapping.group
    else:
        first_ps = _first_loss_ps(grids, fp, there)
    last_ps = fp_ps + sum(back)
    return max(last_ps, first_ps + backward_ps) + loads[0].reduce_ps


def _times(loads: Sequence[LayerLoad], target: Target, engine: str, alone: bool) -> list[list[int]]:
    """Time of every slice on one engine, no less than DRAM takes if the layer runs alone."""
    times = []
    for load in loads:
        least = target.dram_ps(getattr(load, f"{engine}_bytes")) if alone else 0
        behind = load.update_ps if engine == "wg" else 0
        times.append([max(ps + behind, least) for ps in getattr(load, f"{engine}_ps")])
    return times


def _by_sample(grids: Sequence[Grid], times: Sequence[Sequence[int]]) -> list[int]:
    """Time of one sample through each layer: the slowest slice's."""
    return [
        max(
            ps // length(part.neurons.samples)
            for ps, part in zip(layer, grid.slices(), strict=True)
        )
        for grid, layer in zip(grids, times, strict=True)
    ]


def _engine_ps(
    grids: Sequence[Grid], times: Sequence[Sequence[int]], by_sample: Sequence[int]
) -> int:
    """When the last core is through: first sample's way there, busy time, last one's way on."""
    busy: dict[int, int] = defaultdict(int)
    wait: dict[int, int] = {}
    onward: dict[int, int] = {}
    before, after = 0, sum(by_sample)
    for grid, layer, sample_ps in zip(grids, times, by_sample, strict=True):
        after -= sample_ps
        for core, ps in zip(grid.cores, layer, strict=True):
            busy[core] += ps
            wait.setdefault(core, before)
            onward[core] = after
        before += sample_ps
    return max(wait[core] + busy[core] + onward[core] for core in busy)


def _first_loss_ps(
    grids: Sequence[Grid], times: Sequence[Sequence[int]], by_sample: Sequence[int]
) -> int:
    """When the first sample has passed all layers if each core runs layer after layer."""
    busy: dict[int, int] = defaultdict(int)
    reached = 0
    for grid, layer, sample_ps in zip(grids, times, by_sample, strict=True):
        reached = max(reached, *(busy[core] for core in grid.cores)) + sample_ps
        for core, ps in zip(grid.cores, layer, strict=True):
            busy[core] += ps
    return reached

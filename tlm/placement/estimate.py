"""Estimate: time, energy and traffic of a whole mapping, without simulating it.

What stays in the cores is decided as for a run; bytes follow from it, and time from the order in
which engines wait for each other (``timeline``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tlm.placement.energy import energy_pj
from tlm.placement.figures import MappingFigures
from tlm.placement.layer_load import LayerLoad, Links, layer_load
from tlm.placement.mesh_traffic import busiest, hops, shared_outputs
from tlm.placement.profile import Profile
from tlm.placement.schedule import schedule_of
from tlm.placement.slice_bits import largest_dY_bits
from tlm.placement.summed_gradients import summed_by
from tlm.placement.target import Target
from tlm.placement.timeline import TimedLayer, Timeline
from tlm.space.grid import Grid
from tlm.space.layer_cut import LayerStores
from tlm.workload.model import Layer


@dataclass(frozen=True, slots=True)
class MappingEstimate(MappingFigures):
    """What a mapping is estimated to take, with the bytes times hops of its messages."""

    hop_bytes: int


def estimate(profiles: Sequence[Profile], grids: Sequence[Grid], target: Target) -> MappingEstimate:
    """The estimate of a mapping: a grid for every layer."""
    stores = target.stores_of(grids)
    loads = []
    arriving = _arriving(profiles, grids, stores)
    for profile, grid, kept, (partials, leaves) in zip(
        profiles, grids, stores, arriving, strict=True
    ):
        returned = any(stores[at].dS == "dram" for at in profile.layer.producers)
        links = Links(partials, kept.dS == "dram", returned, leaves)
        group = _group(grid, grids, target, profile.batch)
        loads.append(layer_load(profile, grid, target, group, kept, links))
    timed, hop_bytes = [], 0.0
    for at in range(len(profiles)):
        layer, sent = _timed(at, profiles, grids, (stores, loads, target))
        timed.append(layer)
        hop_bytes += sent
    schedule = schedule_of(target.chip.mapping, grids, profiles[0].batch)
    nbytes = sum(
        load.fp_bytes + load.bp_bytes + load.wg_bytes + load.sums_bytes + load.update_bytes
        for load in loads
    )
    time_ps = max(Timeline(timed, target, schedule).end_ps(), target.dram_ps(nbytes))
    return MappingEstimate(
        time_ps=round(time_ps),
        energy_pj=energy_pj(profiles, grids, target, time_ps, (nbytes, hop_bytes)),
        dram_bytes=nbytes,
        hop_bytes=round(hop_bytes),
    )


def _group(grid: Grid, grids: Sequence[Grid], target: Target, batch: int) -> int:
    """Samples for which a layer's weights are fetched once: all, if it has cores of its own."""
    if target.chip.mapping.schedule != "pipelined":
        return batch
    cores = set(grid.cores)
    alone = sum(not cores.isdisjoint(other.cores) for other in grids) == 1
    return batch if alone else min(target.chip.mapping.group, batch)


def _arriving(
    profiles: Sequence[Profile], grids: Sequence[Grid], stores: Sequence[LayerStores]
) -> list[tuple[int, bool]]:
    """Parts in which every dS of a layer's output arrives, and whether it leaves their sum.

    There is one for every K-slice of a reader, but one in all for those that another has summed;
    of what a matmul holds one for every row cut.
    """
    readers = [
        frozenset(reader.layer.index for reader in profiles if at in reader.layer.producers)
        for at in range(len(profiles))
    ]
    parts = [grid.split.k for grid in grids]
    plain = [p.layer.operand is None and p.layer.held is None for p in profiles]
    sums = summed_by(readers, plain, parts, [kept.dS == "dram" for kept in stores])
    arriving = []
    for at, later in enumerate(sums):
        rest = readers[at] if later is None else readers[at] - readers[later]
        count = sum(_parts_of(profiles[reader].layer, grids[reader], at) for reader in rest)
        count += later is not None
        arriving.append((max(1, count), at in sums))
    return arriving


def _parts_of(reader: Layer, grid: Grid, source: int) -> int:
    """Parts in which a reader returns dS of a source."""
    held = () if reader.held is None else reader.held.sources
    return grid.split.k * (source in reader.sources) + grid.split.spatial * (source in held)


def _timed(
    at: int, profiles: Sequence[Profile], grids: Sequence[Grid],
    placed: tuple[Sequence[LayerStores], Sequence[LayerLoad[float, int]], Target],
) -> tuple[TimedLayer, float]:  # fmt: skip
    """A layer with what passes between it and its sources; that in bytes times hops."""
    stores, loads, target = placed
    reader, grid, chip = profiles[at], grids[at], target.chip
    flit_ps = target.framing * chip.noc.period_ps / chip.noc.link
    spikes = gradients = hop_bytes = 0.0
    # What a matmul reads goes through DRAM.
    for source in reader.layer.producers if reader.layer.held is None else ():
        shared = shared_outputs((profiles[source], grids[source]), (reader, grid))
        most = busiest(shared, grids[source].cores, grid.cores, chip.mesh) * flit_ps
        back = busiest(shared.T, grid.cores, grids[source].cores, chip.mesh) * flit_ps
        sent = profiles[source].spike_bits * (stores[at].inputs == "memory")
        returned = reader.return_bits * (stores[source].dS == "memory") * reader.learns
        returns = returned * reader.share_of(source)
        spikes += most * sent
        gradients += back * returns
        far = (shared * hops(grids[source].cores, grid.cores, chip.mesh)).sum()
        hop_bytes += far * (sent + returns) / 8
    held = largest_dY_bits(reader.layer, reader.steps, grid.slices(), chip)
    delay_ps = target.message_ps if stores[at].inputs == "memory" else target.dram_latency_ps
    layer = TimedLayer(
        profile=reader,
        grid=grid,
        load=loads[at],
        spikes_ps=spikes,
        gradients_ps=gradients,
        input_delay_ps=delay_ps,
        dY_through_dram=stores[at].dY == "dram",
        whole=held > stores[at].dY_room // 2,
    )
    return layer, hop_bytes

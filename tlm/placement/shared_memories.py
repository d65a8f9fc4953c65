"""Shared memories: DRAM traffic of layers that run at once and share a core's memories (estimated).

As ``residency`` decides it: each layer in turn keeps its inputs and its arriving dS in the cores if
there is room beside those of the layers before it, or else sends them through DRAM.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import prod

from tlm.config.chip import ChipConfig
from tlm.placement.profile import Profile
from tlm.placement.schedule import Schedule, schedule_of
from tlm.placement.slice_bits import input_bits
from tlm.space.grid import Grid
from tlm.space.region import Slice, length


def layers_overlap(grids: Sequence[Grid]) -> bool:
    """Whether some layers share no core, so that they run at the same time."""
    cores = [frozenset(grid.cores) for grid in grids]
    return any(a.isdisjoint(b) for a in cores for b in cores)


def spilled_bytes(profiles: Sequence[Profile], grids: Sequence[Grid], chip: ChipConfig) -> int:
    """Bytes that go through DRAM because layers at the same time do not fit the cores together."""
    schedule = schedule_of(chip.mapping, grids, profiles[0].batch)
    if not schedule.alternates and not layers_overlap(grids):
        return 0
    spikes: dict[int, int] = defaultdict(int)
    arrivals: dict[int, int] = defaultdict(int)
    bits = 0
    for profile, grid in zip(profiles, grids, strict=True):
        if not profile.has_bp:
            continue
        parts = grid.slices()
        inputs = [
            input_bits(
                profile.layer, part, length(part.neurons.samples), profile.steps,
                profile.operand_bits,
            )
            for part in parts
        ]  # fmt: skip
        if not _take(spikes, parts, inputs, schedule, chip.core.memory.kept("spikes")):
            bits += sum(inputs)
        width = chip.precision.partial_sum if grid.split.k > 1 else chip.precision.gradient
        partials = grid.split.k * width
        for source in profile.layer.sources:
            owners = grids[source].slices() if source >= 0 else []
            total = prod(profiles[source].layer.out_shape[:2]) * profile.batch
            held = [profile.returned * partials * part.neurons.size // total for part in owners]
            if not _take(
                arrivals, owners, held, schedule, chip.core.memory.kept("spike_gradients")
            ):
                bits += 2 * prod(profile.layer.in_shape) * profile.batch * profile.steps * partials
    return bits // 8


def _take(
    used: dict[int, int], parts: list[Slice], bits: list[int], schedule: Schedule, capacity: int
) -> bool:
    """Keep what is on the chip at a time of every slice's ``bits``, if all cores have room."""
    needs = [
        (part.core, slice_bits * schedule.held_samples(part) // length(part.neurons.samples))
        for part, slice_bits in zip(parts, bits, strict=True)
    ]
    if any(used[core] + need > capacity for core, need in needs):
        return False
    for core, need in needs:
        used[core] += need
    return True

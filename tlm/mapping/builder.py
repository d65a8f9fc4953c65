"""What the program builders share: tile lists, completions, weight streaming and message sizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tlm.mapping.nest import Array, ceil_div
from tlm.mapping.plan import LayerPlan, Plan
from tlm.mapping.region import Span
from tlm.task import (
    ENGINE_OF_PHASE,
    Command,
    Completions,
    Message,
    Program,
    Run,
    Tile,
)

MEMORY_WIDTH = 256  # bits an access of the wide memories moves (NeuroMC: fp_soma_u and its like)
STATE_WIDTH = 16  # bits an access of the spike and mask memories moves


@dataclass(slots=True)
class Builder:
    """Collects the tiles of all engines of all cores while the phases are built."""

    plan: Plan
    program: Program
    loaded: set[tuple[str, int, int, int]] = field(default_factory=set)
    grads: dict[int, tuple[int, bool]] = field(default_factory=dict)
    spills: dict[tuple[int, int, int], int] = field(default_factory=dict)

    @property
    def array(self) -> Array:
        """The engines' arrays."""
        return self.plan.array

    @property
    def done(self) -> Completions:
        """The completions by name."""
        return self.program.completions

    def add(self, core: int, tile: Tile) -> Tile:
        """Append a tile to the program of its phase's engine."""
        self.program.tiles[core][ENGINE_OF_PHASE[tile.phase]].append(tile)
        return tile

    def send(self, command: Command, source: int, core: int, nbytes: int, arrives: tuple[int, ...],
             tile: Tile) -> None:  # fmt: skip
        """Let ``tile`` hand data over: a message to another core, a signal on the same one."""
        if core == source:
            for ident in arrives:
                self.done.expect(ident)
            tile.signals += arrives
            return
        packets = max(1, ceil_div(nbytes, self.plan.chip.noc.payload))
        for ident in arrives:
            self.done.expect(ident, packets)
        tile.messages += (Message(command, core, nbytes, arrives),)

    def weight_reads(self, engine: str, lp: LayerPlan, core: int, tiles: list[tuple[int, int, int]],
                     resident: bool) -> tuple[Run, ...]:  # fmt: skip
        """The DRAM runs of some weight tiles (k, c, tap), merged; none if they already are here."""
        runs: list[Run] = []
        weights = lp.weights["W"]
        for k, c, tap in tiles:
            key = (f"{engine}{lp.layer.index}.{core}", k, c, tap)
            if resident and key in self.loaded:
                continue
            self.loaded.add(key)
            start, size = weights.run(weights.offset(k, c, tap), weights.tile_size(k, c))
            if runs and sum(runs[-1]) == start:
                runs[-1] = (runs[-1][0], runs[-1][1] + size)
            else:
                runs.append((start, size))
        return tuple(runs)

    def resident(self, lp: LayerPlan, count: int) -> bool:
        """Whether ``count`` weights fit the weight buffer whole, so that they are fetched once."""
        return count * self.plan.chip.precision.weight <= self.plan.chip.core.memory.weights

    def weight_groups(self, tiles: list[tuple[int, int, int]]) -> Iterator[list[int]]:
        """Indices of ``tiles`` in groups that fill half of the weight buffer."""
        half = self.plan.chip.core.memory.weights // 2
        size = max(1, half // self.array.tile_bits())
        for start in range(0, len(tiles), size):
            yield list(range(start, min(start + size, len(tiles))))


def stream_cycles(array: Array, mode: str, slots: int, executed: npt.NDArray[np.int64]) -> int:
    """Cycles to stream ``slots`` slots of each of several weight tiles through the array.

    ``executed`` holds the slots left of each tile. The zero-scan looks at ``scan`` slots a cycle
    and runs ahead, so a tile takes the longer of scanning and executing.
    """
    if mode == "dense":
        return slots * len(executed) * array.slot_cycles
    scanning = ceil_div(slots, array.scan)
    return int(np.maximum(executed * array.slot_cycles, scanning).sum())


def spare_first_reads(tiles: list[Tile], outputs: int, engine: str) -> None:
    """Take back the partial-sum reads of a pass's first accumulation into each of ``outputs``.

    The first slot of an output writes its sum without reading or adding to one (the released
    NeuroMC model: a read less, two register accesses less for each output).
    """
    for tile in tiles:
        energy = tile.work.energy
        first = min(outputs, energy[f"{engine}.partial_read"])
        energy[f"{engine}.partial_read"] -= first
        energy[f"{engine}.reg16"] -= 2 * first
        outputs -= first


def bitmap_bytes(elements: int, present: int, bits: int) -> int:
    """Payload of values of which only ``present`` are non-zero: a bitmap and the values.

    Never more than all ``elements`` sent plainly.
    """
    return ceil_div(min(elements * bits, elements + present * bits), 8)


def spike_bytes(elements: int, present: int) -> int:
    """Payload of spikes: a bitmap, or the list of their addresses if that is shorter."""
    address = max(1, (elements - 1).bit_length())
    return ceil_div(min(elements, present * address), 8)


def merge(total: dict[str, int], more: dict[str, int]) -> None:
    """Add the counts of ``more`` to ``total``."""
    for action, count in more.items():
        if count:
            total[action] = total.get(action, 0) + count


def dead_pairs(lp: LayerPlan, samples: Span, steps: Span) -> tuple[tuple[int, int], ...]:
    """The (sample, step) pairs whose dU slice is skipped."""
    return tuple((b, t) for b in range(*samples) for t in range(*steps) if not lp.live[t, b])


def wide_accesses(elements: int, bits: int, width: int = MEMORY_WIDTH) -> int:
    """Accesses that move ``elements`` of ``bits`` through a port of ``width`` bits."""
    return ceil_div(elements * bits, width)

"""Streams into a core: which weights and rows a tile fetches, and what is there already.

Rows come in rising order and overlap where windows do: a block fetches only rows that no block
before it has left in the core, and runs ahead as far as the memory holds, in few long reads.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np

from tlm.config.core import Memory
from tlm.counts.engine_array import EngineArray
from tlm.counts.passes import Layout
from tlm.counts.walk_count import WeightTile
from tlm.space.geometry import output_rows, source_rows
from tlm.space.phase import ENGINE_OF_PHASE, Phase
from tlm.space.region import Block, Region, Slice, Span, length
from tlm.space.tile import Extent
from tlm.storage.held import held_tiles
from tlm.storage.plan import LayerPlan, Plan
from tlm.storage.slice_sizes import product_region
from tlm.storage.sweeps import Sweep
from tlm.storage.tile_grouping import TileGrouping
from tlm.storage.windows import forward_room

MASK_SHARE = 4  # part of WG's spike memory for the masks of BP

Place = tuple[str, int]  # engine and core: layers take turns in its buffers


def mask_room(memory: Memory) -> int:
    """Bits of WG's spike memory that hold the masks of BP; inputs have the rest."""
    return memory.spikes // MASK_SHARE


def whole_panels(layout: Layout) -> TileGrouping:
    """A tile a panel, no weights."""
    starts = np.array([panel.entries[0] for panel in layout.panels])
    none, each = np.zeros_like(starts), range(len(starts))
    return TileGrouping(starts, [()] * len(starts), none, none, none, [(at, at + 1) for at in each])


@dataclass(slots=True)
class _Held:
    """Weights that cores have after some blocks of a round.

    ``after``: how a block of a layout is cut then, and what they have next.
    """

    tiles: set[WeightTile]
    bits: int = 0
    after: dict[Hashable, tuple[TileGrouping, _Held]] = field(default_factory=dict)


@dataclass(slots=True)
class Streams:
    """What every engine has fetched so far, by round and core."""

    plan: Plan
    _held: dict[Place, tuple[tuple[object, ...], _Held]] = field(default_factory=dict)
    _begun: dict[Sweep, _Held] = field(default_factory=dict)
    _rows_end: dict[Hashable, int] = field(default_factory=dict)

    def together(self, sweep: Sweep, array: EngineArray) -> int:
        """Weight tiles that an array walks at a time: what is in the weight buffer at once.

        With weights held it makes no difference, so that they are walked as they are fetched.
        """
        if array.dataflow == "weight":
            return self._group(sweep)
        return self.plan.arrays.half_buffer * (1 if sweep.staged else 2)

    def _group(self, sweep: Sweep) -> int:
        """Weight tiles that are fetched together."""
        packed = self.plan.layers[sweep.layer].weights.packed
        tile_bits = self.plan.arrays.tile_bits()
        if packed is not None:
            largest = packed.largest_tile(ENGINE_OF_PHASE[sweep.phase])
            tile_bits = max(1, largest * self.plan.arrays.weight_bits)
        return max(1, sweep.group_bits // tile_bits)

    def cut(
        self, sweep: Sweep, layer_plan: LayerPlan, core: int, layout: Layout, block: Block
    ) -> TileGrouping:
        """Cut the entries of a block into tiles whose weights are fetched together.

        Entries that fetch nothing from DRAM are one with those before them, because nothing can
        hold them up.
        """
        engine = ENGINE_OF_PHASE[sweep.phase]
        place = (engine, core)
        if layer_plan.held is not None:
            self._held.pop(place, None)  # it passes through where weights were
            array: EngineArray = getattr(self.plan.arrays, engine)
            return held_tiles(layer_plan, array, layout, block, self._group(sweep))
        before, held = self._held.get(place, (None, None))
        if held is None or before != sweep[1:]:  # another round's weights give way
            held = self._begin(sweep)
        # Cores with the same weights fetch them alike, and, what did not fit never will, so does
        # every block that leaves nothing new here: few blocks are cut one weight tile at a time.
        key = (layout.scanned, layout.taps, layout.panels)
        if key not in held.after:
            held.after[key] = self._cut(held, sweep, layer_plan, layout)
        cut, held = held.after[key]
        self._held[place] = sweep[1:], held
        return cut

    def _begin(self, sweep: Sweep) -> _Held:
        """The start of a round, shared by all cores; those of other layers are forgotten."""
        if sweep not in self._begun:
            kept = self._begun.items()
            self._begun = {begun: held for begun, held in kept if begun.layer == sweep.layer}
            self._begun[sweep] = _Held(set())
        return self._begun[sweep]

    def _cut(
        self, held: _Held, sweep: Sweep, layer_plan: LayerPlan, layout: Layout
    ) -> tuple[TileGrouping, _Held]:
        starts: list[int] = []
        runs: list[tuple[Extent, ...]] = []
        words: list[list[int]] = []
        panels: list[Span] = []
        after = _Held(set(held.tiles), held.bits)
        for panel in layout.panels:
            first, entries = len(starts), range(*panel.entries)
            most = max(len(layout.tiles[entry]) for entry in entries)
            size = max(1, self._group(sweep) // max(1, most))
            for start in entries[::size]:
                entries_together = layout.tiles[start : min(start + size, entries.stop)]
                tiles = (
                    [tile for entry in entries_together for tile in entry] if layout.scanned else []
                )
                new, counts = _fetch(after, sweep, layer_plan, tiles)
                if new or len(starts) == first:
                    starts.append(start)
                    runs.append(new)
                    words.append(counts)
                else:
                    words[-1] = [a + b for a, b in zip(words[-1], counts, strict=True)]
            panels.append((first, len(starts)))
        fetched, staged, put = np.array(words, np.int64).T
        cut = TileGrouping(np.array(starts), runs, fetched, staged, put, panels)
        return cut, held if after.bits == held.bits else after

    def input_rows(
        self, sweep: tuple[object, ...], layer_plan: LayerPlan, part: Slice, block: Block
    ) -> tuple[Region, bool]:
        """What a block of products newly reads of its operand, and whether every panel must.

        A frame that all steps share stays from one block of steps to the next.
        """
        all_steps, width = layer_plan.input_steps, layer_plan.operand[2]
        read = layer_plan.wanted_input(Region(part.neurons.channels, block.samples, block.rows))
        line = length(read.channels) * length(read.samples) * width * all_steps
        line *= layer_plan.operand_bits
        room = self._input_room(sweep[0], layer_plan)
        held = room // line
        if layer_plan.stored.inputs == "memory" and sweep[0] == Phase.FP:
            held = read.rows[1]
        limit = layer_plan.wanted_input(product_region(layer_plan, part)).rows[1]
        steps = block.steps if all_steps > 1 else 0
        key = (*sweep, part.core, block.samples, steps)
        rows = _fresh(self._rows_end, key, read.rows, held, limit)
        own = line // all_steps * min(length(block.steps), all_steps) * length(read.rows)
        return Region(read.channels, read.samples, rows), held < length(read.rows) and own > room

    def _input_room(self, phase: object, layer_plan: LayerPlan) -> int:
        """Bits of a core that hold inputs of a phase."""
        memory = self.plan.chip.core.memory
        if phase == Phase.WG:
            return memory.spikes - mask_room(memory)
        return layer_plan.stored.input_room if phase == Phase.FP else forward_room(memory)

    def gradient_rows(
        self, sweep: Sweep, layer_plan: LayerPlan, part: Slice, block: Block
    ) -> tuple[Region, bool]:
        """Rows of dY in DRAM that a block of BP newly reads, and whether every chunk must."""
        rows = output_rows(layer_plan.layer, block.rows)
        region = Region(part.neurons.channels, block.samples, rows)
        room = layer_plan.stored.dY_rows_room
        line = length(region.channels) * length(region.samples) * layer_plan.width
        line *= self.plan.chip.precision.gradient
        held = room // (line * self.plan.steps)
        key = (*sweep, part.core, block.samples, block.steps)
        limit = output_rows(layer_plan.layer, part.input_rows)[1]
        fresh = _fresh(self._rows_end, key, rows, held, limit)
        each = held < length(rows) and line * length(block.steps) * length(rows) > room
        return Region(region.channels, region.samples, fresh), each

    def mask_rows(self, layer_plan: LayerPlan, part: Slice, walk: Sequence[Block]) -> list[Span]:
        """Rows of the operand, of whose elements' output masks each block of BP newly reads those.

        A quarter of WG's spike memory holds one of every factor, and the spikes of those that are
        multiplied; a block's own pass chunk by chunk.
        """
        _, height, width = layer_plan.operand
        line = sum(length(strand.channels) for feed in layer_plan.feeds for strand in feed.strands)
        line += sum(length(channels) * factors for channels, factors in layer_plan.gated)
        line *= width * self.plan.steps
        limit = source_rows(layer_plan.layer, part.input_rows, height)[1]
        ends: dict[Hashable, int] = {}
        fresh = []
        for block in walk:
            held = mask_room(self.plan.chip.core.memory) // (line * length(block.samples))
            rows = source_rows(layer_plan.layer, block.rows, height)
            fresh.append(_fresh(ends, (block.samples, block.steps), rows, held, limit))
        return fresh


def _fresh(ends: dict[Hashable, int], key: Hashable, rows: Span, held: int, limit: int) -> Span:
    """New rows of a window of ``rows``, where ``held`` rows fit and none follows ``limit``.

    ``ends`` knows where those of a ``key`` end that were read before.
    """
    if held < length(rows):
        return rows
    before = ends.get(key, 0)
    if rows[1] <= before:
        return (before, before)
    ends[key] = end = max(rows[1], min(limit, rows[0] + held))
    return (max(before, rows[0]), end)


def _fetch(
    held: _Held, sweep: Sweep, layer_plan: LayerPlan, tiles: list[WeightTile]
) -> tuple[tuple[Extent, ...], list[int]]:
    """The DRAM runs of some weight tiles; how many weights are fetched, read staged, put.

    Weights that stay in the core for good are read there, none is fetched.
    """
    tables = layer_plan.addressed.read_by(ENGINE_OF_PHASE[sweep.phase])
    stay, width = layer_plan.stored.W == "memory", tables[0].bits
    runs: list[list[Extent]] = [[] for _ in tables]
    fetched = staged = put = 0
    for tile in tiles:
        known = tile in held.tiles
        if known and not sweep.staged:
            continue
        places = [table.place(tile) for table in tables]
        size = sum([words for _, words in places])
        if not size:  # no weight of it is stored
            continue
        bits = held.bits + size * width
        if stay and not known:
            held.tiles.add(tile)
            held.bits = bits
            staged += size
            continue
        if known:
            staged += size
            continue
        fetched += size
        if bits <= sweep.room:
            held.tiles.add(tile)
            held.bits = bits
            put += size if sweep.staged else 0
        for table, into, place in zip(tables, runs, places, strict=True):
            _append(into, table.run(*place))
    return tuple(run for of_table in runs for run in of_table), [fetched, staged, put]


def _append(runs: list[Extent], run: Extent) -> None:
    """Add a run, as one with the run before it if they adjoin."""
    if runs and sum(runs[-1]) == run[0]:
        runs[-1] = (runs[-1][0], runs[-1][1] + run[1])
    elif run[1]:
        runs.append(run)

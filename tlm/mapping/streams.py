"""Streams into a core: which weights and rows a tile fetches, and what is there already.

Rows come in rising order and overlap where windows do: a block fetches only rows that no block
before it has left in the core, and runs ahead as far as the memory holds, in few long reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tlm.mapping.geometry import output_rows, source_rows
from tlm.mapping.nest import Block
from tlm.mapping.plan import LayerPlan, Plan
from tlm.mapping.region import Region, Slice, Span, length
from tlm.mapping.residency import product_region
from tlm.mapping.rounds import Round
from tlm.mapping.walk import Nest, Walked, WeightTile
from tlm.task import ENGINE_OF_PHASE, Run

MEMORY_WIDTH = 256  # bits an access of the wide memories moves (NeuroMC: fp_soma_u and its like)
WG_SHARE = 8  # part of the gradient memory for WG's dY where that comes from DRAM

Place = tuple[str, int]  # engine and core: layers take turns in its buffers


@dataclass(frozen=True, slots=True)
class WeightFetch:
    """How weights get into the array: DRAM runs of ``fetched``, ``staged`` read, ``put`` there."""

    runs: tuple[Run, ...] = ()
    fetched: int = 0
    staged: int = 0
    put: int = 0

    def joined(self, other: WeightFetch) -> WeightFetch:
        """Both together; only the first may have runs."""
        return WeightFetch(
            self.runs or other.runs,
            self.fetched + other.fetched,
            self.staged + other.staged,
            self.put + other.put,
        )

    def energy(self, engine: str, nest: Nest, bits: int) -> dict[str, int]:
        """Writes of the weight buffer, and accesses of the memory that stages weights.

        Lanes that hold positions of their own (mode ``element``) take weights of their own every
        cycle, so each has a copy of the buffer.
        """
        copies = nest.lanes if nest.mode == "element" and nest.dataflow != "weight" else 1
        return {
            f"{engine}.weight_write": (self.fetched + self.staged) * copies,
            f"{engine}.stage_read": -(-self.staged * bits // MEMORY_WIDTH),
            f"{engine}.stage_write": -(-self.put * bits // MEMORY_WIDTH),
        }


@dataclass(slots=True)
class Streams:
    """What every engine has fetched so far, by round and core."""

    plan: Plan
    _rounds: dict[Place, tuple[object, ...]] = field(default_factory=dict)
    _here: dict[Place, set[WeightTile]] = field(default_factory=dict)
    _held_bits: dict[Place, int] = field(default_factory=dict)
    _rows_end: dict[tuple[object, ...], int] = field(default_factory=dict)

    def together(self, turn: Round, nest: Nest) -> int:
        """Weight tiles that an array walks at a time: what is in the weight buffer at once.

        With weights held it makes no difference, so that they are walked as they are fetched.
        """
        if nest.dataflow == "weight":
            return self._group(turn)
        return self.plan.array.half_buffer * (1 if turn.staged else 2)

    def _group(self, turn: Round) -> int:
        """Weight tiles that are fetched together."""
        return max(1, turn.group_bits // self.plan.array.tile_bits())

    def weights(
        self, turn: Round, lp: LayerPlan, core: int, walked: list[Walked]
    ) -> Iterator[tuple[list[Walked], WeightFetch]]:
        """What is walked in groups whose weights are fetched together, and where they come from.

        Groups that fetch nothing from DRAM are one with the group before them, because nothing
        can hold them up.
        """
        place = (ENGINE_OF_PHASE[turn.phase], core)
        if self._rounds.get(place) != turn[1:]:  # another round's weights give way
            self._rounds[place] = turn[1:]
            self._here[place], self._held_bits[place] = set(), 0
        group: list[Walked] = []
        pending = WeightFetch()
        size = max(1, self._group(turn) // max((len(one.tiles) for one in walked), default=1))
        for start in range(0, len(walked), size):
            some = walked[start : start + size]
            tiles = [tile for one in some if one.scanned for tile in one.tiles]
            fetch = self._fetch(place, turn, lp, tiles)
            if group and fetch.runs:
                yield group, pending
                group, pending = [], WeightFetch()
            group += some
            pending = pending.joined(fetch)
        yield group, pending

    def _fetch(
        self, place: Place, turn: Round, lp: LayerPlan, tiles: list[WeightTile]
    ) -> WeightFetch:
        """Where some weight tiles come from: the buffer, the stage, or DRAM."""
        runs: list[Run] = []
        fetched = staged = put = 0
        weights = lp.weights["W"]
        here = self._here[place]
        for tile in tiles:
            k, c, tap = tile
            size = weights.tile_size(k, c)
            if tile in here:
                staged += size if turn.staged else 0
                continue
            first, nbytes = weights.run(weights.offset(k, c, tap), size)
            fetched += size
            held = self._held_bits[place] + size * weights.bits
            if held <= turn.room:
                here.add(tile)
                self._held_bits[place] = held
                put += size if turn.staged else 0
            if runs and sum(runs[-1]) == first:
                runs[-1] = (runs[-1][0], runs[-1][1] + nbytes)
            else:
                runs.append((first, nbytes))
        return WeightFetch(tuple(runs), fetched, staged, put)

    def input_rows(
        self, turn: tuple[object, ...], lp: LayerPlan, part: Slice, block: Block
    ) -> Region:
        """What a block of products newly reads of its sources; ``turn`` tells rounds apart.

        Half of the spike memory holds the window of all steps, or else every block reads its own.
        A frame that all steps share stays from one block of steps to the next.
        """
        source, channels = lp.feeds[0], part.neurons.channels
        wanted = lp.wanted_input(Region(channels, block.samples, block.rows))
        line = length(wanted.channels) * length(wanted.samples) * source.width * source.steps
        held = self.plan.chip.core.memory.spikes // 2 // (line * lp.operand_bits)
        if lp.forward == "memory":
            held = wanted.rows[1]
        limit = lp.wanted_input(product_region(lp, part)).rows[1]
        steps = block.steps if source.steps > 1 else 0
        key = (*turn, part.core, block.samples, steps)
        rows = self._fresh(key, wanted.rows, held, limit)
        return Region(wanted.channels, wanted.samples, rows)

    def gradient_rows(
        self, turn: Round, lp: LayerPlan, part: Slice, block: Block
    ) -> tuple[Region, bool]:
        """Rows of dY in DRAM that a block of BP newly reads, and whether every chunk must.

        They share the gradient memory with WG's; where not even the rows of the block's own steps
        fit, every chunk of inputs streams them again.
        """
        rows = output_rows(lp.layer, block.rows)
        region = Region(part.neurons.channels, block.samples, rows)
        memory = self.plan.chip.core.memory.gradients
        room = memory - memory // WG_SHARE
        line = length(region.channels) * length(region.samples) * lp.width
        line *= self.plan.chip.precision.gradient
        held = room // (line * self.plan.steps)
        key = (*turn, part.core, block.samples, block.steps)
        limit = output_rows(lp.layer, part.input_rows)[1]
        fresh = self._fresh(key, rows, held, limit)
        each = held < length(rows) and line * length(block.steps) * length(rows) > room
        return Region(region.channels, region.samples, fresh), each

    def mask_rows(self, turn: Round, lp: LayerPlan, part: Slice, block: Block) -> Span:
        """Rows of its sources' output masks that a block of BP newly reads.

        A quarter of the spike memory holds them.
        """
        source = lp.feeds[0]
        rows = source_rows(lp.layer, block.rows, source.rows)
        line = source.channels * source.width * length(block.samples) * self.plan.steps
        held = self.plan.chip.core.memory.spikes // 4 // (line * len(lp.feeds))
        limit = source_rows(lp.layer, part.input_rows, source.rows)[1]
        key = ("mask", *turn, part.core, block.samples, block.steps)
        return self._fresh(key, rows, held, limit)

    def _fresh(self, key: tuple[object, ...], rows: Span, held: int, limit: int) -> Span:
        """New rows of a window of ``rows``, where ``held`` rows fit and none follows ``limit``."""
        if held < length(rows):
            return rows
        before = self._rows_end.get(key, 0)
        if rows[1] <= before:
            return (before, before)
        end = max(rows[1], min(limit, rows[0] + held))
        self._rows_end[key] = end
        return (max(before, rows[0]), end)

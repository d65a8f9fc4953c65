"""What the program builders share: tile lists, completions, weight streaming and message sizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tlm.mapping.counts import Bools
from tlm.mapping.geometry import output_rows
from tlm.mapping.nest import Array, Block, ceil_div
from tlm.mapping.plan import LayerPlan, Plan
from tlm.mapping.region import Region, Slice, Span, length, overlap
from tlm.mapping.residency import product_region
from tlm.mapping.walk import Nest, Walked
from tlm.task import (
    BATCH,
    ENGINE_OF_PHASE,
    Command,
    Completions,
    Message,
    Phase,
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
    loaded: set[tuple[int, int, int, int, int, int]] = field(default_factory=set)
    grads: dict[int, tuple[int, bool]] = field(default_factory=dict)
    spills: dict[tuple[int, int], dict[tuple[Span, Span], int]] = field(default_factory=dict)
    recomputed: dict[int, int] = field(default_factory=dict)
    _wanted: dict[int, list[tuple[Slice, Region]]] = field(default_factory=dict)
    _rows_seen: dict[tuple[object, ...], int] = field(default_factory=dict)

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

    def weight_passes(
        self, phase: Phase, lp: LayerPlan, part: Slice, walked: list[Walked]
    ) -> Iterator[tuple[list[Walked], tuple[Run, ...], int]]:
        """What is walked in groups of weights: entries, DRAM runs, weights staged.

        Entries that fetch nothing from DRAM are one with the entry before them, because nothing
        can hold them up.
        """
        whole = self.plan.weights_stay(lp, part)
        together: list[Walked] = []
        pending: tuple[Run, ...] = ()
        for one in walked:
            tiles = one.tiles if one.scanned else []
            runs = self._weight_runs(phase, lp, part.core, tiles, whole)
            if runs and together:
                yield together, pending, 0
                together = []
            if not together:
                pending = runs
            together.append(one)
        yield together, pending, 0

    def weights_together(self, lp: LayerPlan, part: Slice, nest: Nest) -> int:
        """Weight tiles that are walked together: all where positions are held and they stay."""
        if nest.dataflow == "weight" or not self.plan.weights_stay(lp, part):
            return self.array.half_buffer
        return lp.weight_count(part)

    def _weight_runs(
        self, phase: Phase, lp: LayerPlan, core: int, tiles: list[tuple[int, int, int]], stay: bool
    ) -> tuple[Run, ...]:
        """The DRAM runs of some weight tiles, merged; none for those that are there already."""
        runs: list[Run] = []
        weights = lp.weights["W"]
        for k, c, tap in tiles:
            key = (phase, lp.layer.index, core, k, c, tap)
            if stay and key in self.loaded:
                continue
            self.loaded.add(key)
            start, size = weights.run(weights.offset(k, c, tap), weights.tile_size(k, c))
            if runs and sum(runs[-1]) == start:
                runs[-1] = (runs[-1][0], runs[-1][1] + size)
            else:
                runs.append((start, size))
        return tuple(runs)

    def wanted_by(self, lp: LayerPlan) -> list[tuple[Slice, Region]]:
        """Every slice of a layer with what it reads of its sources' pooled grid."""
        found = self._wanted.get(lp.layer.index)
        if found is None:
            found = [(part, lp.wanted_input(product_region(lp, part))) for part in lp.slices]
            self._wanted[lp.layer.index] = found
        return found

    def fresh_input(
        self, phase: Phase, lp: LayerPlan, part: Slice, turn: tuple[int, ...], block: Block
    ) -> Region:
        """What a block reads of its sources that the block before it has not left in the core.

        Rows overlap where windows do. They are kept if the window of all steps fits half of the
        spike memory; a frame that all steps share is kept from one block of steps to the next.
        ``turn`` tells walks over the same rows apart.
        """
        source = lp.feeds[0]
        wanted = lp.wanted_input(Region(part.neurons.channels, block.samples, block.rows))
        window = wanted.size * source.width * source.steps * lp.operand_bits
        if window > self.plan.chip.core.memory.spikes // 2 and lp.forward == "dram":
            return wanted
        steps = block.steps if source.steps > 1 else 0
        key = (phase, lp.layer.index, part.core, turn, block.samples, steps)
        return Region(wanted.channels, wanted.samples, self._fresh_rows(key, wanted.rows))

    def fresh_gradient(self, lp: LayerPlan, part: Slice, block: Block) -> tuple[Region, bool]:
        """Rows of dY in DRAM that a block of BP reads, and whether every chunk must read them.

        As :meth:`fresh_input`, with half of the gradient memory; where not even the rows of the
        block's own steps fit, every chunk of inputs streams them again.
        """
        rows = output_rows(lp.layer, block.rows)
        wanted = Region(part.neurons.channels, block.samples, rows)
        half = self.plan.chip.core.memory.gradients // 2
        each = wanted.size * lp.width * self.plan.chip.precision.gradient
        if each * self.plan.steps > half:
            return wanted, each * length(block.steps) > half
        key = (Phase.BP, lp.layer.index, part.core, block.samples, block.steps)
        return Region(wanted.channels, wanted.samples, self._fresh_rows(key, rows)), False

    def _fresh_rows(self, key: tuple[object, ...], rows: Span) -> Span:
        """The part of ``rows`` after those last seen under ``key``; rows come in rising order."""
        before = self._rows_seen.get(key, 0)
        self._rows_seen[key] = rows[1]
        return (max(before, rows[0]), max(before, rows[1]))


def tile_of(phase: Phase, lp: LayerPlan, block: Block) -> Tile:
    """An empty tile of a phase of a layer over the samples and steps of ``block``."""
    return Tile(
        phase,
        lp.layer.index,
        block.samples[0],
        length(block.samples),
        block.steps[0],
        length(block.steps),
    )


def once(phase: Phase, lp: LayerPlan) -> Tile:
    """An empty tile of what is done once a mini-batch."""
    return Tile(phase, lp.layer.index, BATCH, 1, BATCH, 1)


def per_sample(
    builder: Builder, what: str, lp: LayerPlan, part: Slice, samples: Span
) -> tuple[int, ...]:
    """The completions of ``what`` of a slice, one a sample."""
    return tuple(
        builder.done.ident(what, lp.layer.name, f"core{part.core:02d}", "sample", sample)
        for sample in range(*samples)
    )


def saved(builder: Builder, lp: LayerPlan, samples: Span, what: str = "saved") -> tuple[int, ...]:
    """The completions that say ``what`` of a layer, of these samples, is in DRAM, all slices."""
    found: tuple[int, ...] = ()
    for part in lp.slices:
        found += per_sample(builder, what, lp, part, overlap(samples, part.neurons.samples))
    return found


def saved_inputs(builder: Builder, lp: LayerPlan, samples: Span) -> tuple[int, ...]:
    """The completions that say the spikes a layer reads, of these samples, are in DRAM."""
    return tuple(ident for one in lp.producers for ident in saved(builder, one, samples))


def take_inputs(
    builder: Builder, engine: str, lp: LayerPlan, fresh: Region, steps: Span, tile: Tile,
    live: Bools | None = None, from_dram: bool = True,
) -> None:  # fmt: skip
    """Let a tile fetch new inputs, add up its sources and pool their sum on the way in.

    The adders sit behind the DMA and keep up with it: they cost energy, no time (assumed).
    """
    if from_dram:
        tile.reads = lp.input_runs(fresh, steps, live) + tile.reads
    adds = len(lp.layer.sources) - 1 + (lp.layer.input_pool is not None)
    if adds:
        elements = fresh.size * lp.feeds[0].width * length(steps)
        merge(tile.work.energy, {f"{engine}.input_add": elements * adds})


def bitmap_bytes(elements: int, present: int, bits: int) -> int:
    """Payload of values of which only ``present`` are non-zero: a bitmap and the values.

    Never more than all ``elements`` sent plainly.
    """
    return ceil_div(min(elements * bits, elements + present * bits), 8)


def spike_bytes(elements: int, present: int, bits: int = 1) -> int:
    """Payload of spikes: a bitmap, or the list of their addresses if that is shorter.

    Average-pooled spikes are counts of more ``bits``, sent plainly or with their addresses.
    """
    address = max(1, (elements - 1).bit_length()) + bits - 1
    return ceil_div(min(elements * bits, present * address), 8)


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

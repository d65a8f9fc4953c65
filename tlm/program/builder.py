"""What the program builders share: tile lists, completions, weight streaming and message sizes."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from tlm.counts.core_arrays import CoreArrays
from tlm.program.tile_draft import TileDraft
from tlm.space.array_types import Ints
from tlm.space.geometry import finished_rows, pool_adds
from tlm.space.phase import BATCH, ENGINE_OF_PHASE, Command, Phase
from tlm.space.ports import MEMORY_PORT_BITS
from tlm.space.program import Completions
from tlm.space.region import Block, Region, Slice, Span, length, overlap
from tlm.space.rounding import ceil_div
from tlm.space.tile import Extent, Message, Work
from tlm.storage.plan import LayerPlan, Plan, PutTogether
from tlm.storage.slice_sizes import product_region
from tlm.storage.streams import Streams
from tlm.workload.model import Pool

WorkCounts = bytes  # int64 of a work: slots, executed, dense, useful, then of its actions
Spill = tuple[int, tuple[Extent, ...]]  # partial dW in DRAM: the completion of its writes, where


@dataclass(slots=True)
class ProgramBuilder:
    """Collects the tiles of all engines of all cores while the phases are built."""

    plan: Plan
    streams: Streams
    done: Completions
    drafts: list[dict[str, list[TileDraft]]]
    payload: int = field(init=False)
    grads: dict[int, tuple[int, bool]] = field(default_factory=dict)
    spills: dict[tuple[int, int], dict[tuple[Span, Span], Spill]] = field(default_factory=dict)
    saves: dict[tuple[str, int, Span], tuple[int, ...]] = field(default_factory=dict)
    recomputed: dict[int, int] = field(default_factory=dict)
    samples: dict[tuple[str, int, int, Span], tuple[int, ...]] = field(default_factory=dict)
    receiving: dict[int, frozenset[int]] = field(default_factory=dict)
    added_up: dict[tuple[object, ...], tuple[int, int]] = field(default_factory=dict)
    _works: dict[tuple[str, ...], dict[WorkCounts, Work]] = field(default_factory=dict)
    _read: dict[tuple[int, int], list[tuple[list[Region], list[Slice]]]] = field(
        default_factory=dict
    )

    def __post_init__(self) -> None:
        self.payload = self.plan.chip.noc.payload  # every message asks for it

    @property
    def arrays(self) -> CoreArrays:
        """The engines' arrays."""
        return self.plan.arrays

    def add(self, core: int, tile: TileDraft) -> TileDraft:
        """Append a tile to the program of its phase's engine."""
        self.drafts[core][ENGINE_OF_PHASE[tile.phase]].append(tile)
        return tile

    def extend(self, core: int, tiles: list[TileDraft]) -> None:
        """Append tiles of one phase, as :meth:`add` does."""
        self.drafts[core][ENGINE_OF_PHASE[tiles[0].phase]] += tiles

    def send(self, command: Command, source: int, core: int, nbytes: int, arrives: tuple[int, ...],
             tile: TileDraft) -> None:  # fmt: skip
        """Let ``tile`` hand data over: a message to another core, a signal on the same one."""
        if core == source:
            tile.add_signals(self.done.expect_all(arrives))
            return
        packets = max(1, ceil_div(nbytes, self.payload))
        self.done.expect_all(arrives, packets)
        tile.add_message(Message(command, core, nbytes, arrives))

    def by_step(self, what: str, steps: Span) -> str:
        """The name of a completion of FP; in a wavefront every time step has its own."""
        return f"{what} step {steps[0]}" if self.plan.schedule.by_step else what

    def works_of(self, actions: tuple[str, ...], rows: list[WorkCounts]) -> list[Work]:
        """The work of each of ``rows``, whose last counts are of ``actions``; alike ones are one.

        A large program has ten times as many tiles as different works.
        """
        known = self._works.setdefault(actions, {})
        works = []
        for row in rows:
            work = known.get(row)
            if work is None:
                slots, executed, dense, useful, *charges = np.frombuffer(row, np.int64).tolist()
                charged = zip(actions, charges, strict=True)
                energy = {name: count for name, count in charged if count}
                work = known[row] = Work(slots, executed, dense, useful, energy)
            works.append(work)
        return works

    def read_by(self, reader: LayerPlan, source: int) -> list[tuple[list[Region], list[Slice]]]:
        """What the slices of a layer read of a source's outputs, with all neighbours that read it.

        These differ in channels alone.
        """
        key = (reader.layer.index, source)
        if key not in self._read:
            feed = next(feed for feed in reader.feeds if feed.source == source)

            def regions_of(part: Slice) -> list[Region]:
                return feed.regions(reader.wanted_input(product_region(reader, part)))

            alike = groupby(reader.cut.slices, regions_of)
            self._read[key] = [(regions, list(parts)) for regions, parts in alike]
        return self._read[key]


def tile_of(phase: Phase, layer_plan: LayerPlan, block: Block) -> TileDraft:
    """An empty tile of a phase of a layer over the samples and steps of ``block``."""
    return TileDraft(
        phase,
        layer_plan.layer.index,
        block.samples[0],
        length(block.samples),
        block.steps[0],
        length(block.steps),
    )


def once(phase: Phase, layer_plan: LayerPlan) -> TileDraft:
    """An empty tile of what is done once a mini-batch."""
    return TileDraft(phase, layer_plan.layer.index, BATCH, 1, BATCH, 1)


def per_sample(
    builder: ProgramBuilder, what: str, layer_plan: LayerPlan, part: Slice, samples: Span
) -> tuple[int, ...]:
    """The completions of ``what`` of a slice, one a sample."""
    key = (what, layer_plan.layer.index, part.index, samples)
    idents = builder.samples.get(key)
    if idents is None:
        place = (what, layer_plan.layer.name, f"core{part.core:02d}", "sample")
        idents = tuple(builder.done.ident(*place, sample) for sample in range(*samples))
        builder.samples[key] = idents
    return idents


def statistics(builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, phase: Phase) -> int:
    """The completion that says a core knows the statistics of its channels."""
    return builder.done.ident(
        f"{phase.name} statistics", layer_plan.layer.name, f"core{part.core:02d}"
    )


def saved(
    builder: ProgramBuilder, layer_plan: LayerPlan, samples: Span, what: str = "saved"
) -> tuple[int, ...]:
    """The completions that say ``what`` of a layer, of these samples, is in DRAM, all slices."""
    key = (what, layer_plan.layer.index, samples)
    if key not in builder.saves:
        builder.saves[key] = tuple(
            ident
            for part in layer_plan.cut.slices
            for ident in per_sample(
                builder, what, layer_plan, part, overlap(samples, part.neurons.samples)
            )
        )
    return builder.saves[key]


def saved_inputs(
    builder: ProgramBuilder, layer_plan: LayerPlan, samples: Span, what: str = "saved"
) -> tuple[int, ...]:
    """The completions that say the spikes a layer reads, of these samples, are in DRAM."""
    key = (f"inputs {what}", layer_plan.layer.index, samples)
    if key not in builder.saves:
        builder.saves[key] = tuple(
            ident
            for producer in layer_plan.producers
            for ident in saved(builder, producer, samples, what)
        )
    return builder.saves[key]


def fetch_inputs(
    layer_plan: LayerPlan, fresh: Region, steps: Span, tile: TileDraft, live: bool = False,
    of_layers: bool = True,
) -> None:  # fmt: skip
    """Let a tile fetch new inputs from DRAM, before all else; only ``live`` pairs.

    The network's input comes from there also where what layers leave comes over the mesh.
    """
    tile.add_reads_before(layer_plan.input_runs(fresh, steps, live, of_layers))


def add_up_sources(
    builder: ProgramBuilder, engine: str, read: PutTogether, fresh: Region, steps: Span,
    tile: TileDraft,
) -> None:  # fmt: skip
    """Charge a tile for the sums that are read, for pools on the way there and behind them.

    The adders sit behind the DMA and keep up with it: they cost energy, no time (assumed).
    """
    key = (id(read), fresh, steps)
    if key not in builder.added_up:  # cores with other channels read the same
        builder.added_up[key] = _elements_added(read, fresh, steps), _pooled(read, fresh, steps)
    elements, pooled = builder.added_up[key]
    tile.add_energy({f"{engine}.input_add": elements, f"{engine}.input_pool": pooled})


def _elements_added(read: PutTogether, fresh: Region, steps: Span) -> int:
    """Additions of sources, element by element, that make a region of an operand."""
    planes = sum(added * length(overlap(channels, fresh.channels)) for channels, added in read.sums)
    return planes * length(fresh.samples) * length(fresh.rows) * read.operand[2] * length(steps)


def _pooled(read: PutTogether, fresh: Region, steps: Span) -> int:
    """Additions of pools before and behind an operand that make a region of it."""
    pool, (_, rows, width), adds = read.input_pool, read.operand, 0
    if pool is not None:
        _, height, _ = pool.pooled(read.operand)
        finished = finished_rows(pool, fresh.rows, rows, height)
        adds += window_adds(pool, fresh._replace(rows=finished), (rows, width), steps)
    for strand in (strand for feed in read.feeds for strand in feed.strands):
        for on_the_way, shape, (channels, lines) in strand.pools(fresh.channels, fresh.rows):
            region = Region(channels, fresh.samples, lines)
            adds += window_adds(on_the_way, region, shape, steps)
    return adds


def window_adds(pool: Pool, pooled: Region, shape: tuple[int, int], steps: Span) -> int:
    """Additions of some pooled rows of planes of rows and columns ``shape``."""
    planes = length(pooled.channels) * length(pooled.samples) * length(steps)
    return planes * pool_adds(pool, pooled.rows, shape)


def bitmap_bytes(elements: Ints, present: Ints, bits: int) -> Ints:
    """Payloads of values of which only ``present`` are non-zero: a bitmap and the values.

    Never more than all ``elements`` sent plainly.
    """
    return np.asarray(-(-np.minimum(elements * bits, elements + present * bits) // 8))


def spike_bytes(elements: int, present: int, bits: int = 1) -> int:
    """Payload of spikes: a bitmap, or the list of their addresses if that is shorter.

    Average-pooled spikes are counts of more ``bits``, sent plainly or with their addresses.
    """
    address = max(1, (elements - 1).bit_length()) + bits - 1
    return ceil_div(min(elements * bits, present * address), 8)


def dead_pairs(layer_plan: LayerPlan, samples: Span, steps: Span) -> tuple[tuple[int, int], ...]:
    """The (sample, step) pairs whose dU slice is skipped."""
    if layer_plan.skips is None:
        return ()
    return tuple(
        (b, t) for b in range(*samples) for t in range(*steps) if not layer_plan.live[t, b]
    )


def wide_accesses(elements: int, bits: int, width: int = MEMORY_PORT_BITS) -> int:
    """Accesses that move ``elements`` of ``bits`` through a port of ``width`` bits."""
    return ceil_div(elements * bits, width)

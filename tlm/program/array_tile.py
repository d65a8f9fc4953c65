"""From walks to tiles: cycles, work and energy of what an array does between two fetches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from tlm.counts.accesses import walk_energy
from tlm.counts.engine_array import EngineArray
from tlm.counts.passes import Layout, Panel, Passes
from tlm.counts.walk_count import some_blocks, summed
from tlm.program.builder import ProgramBuilder, dead_pairs
from tlm.program.tile_draft import TileDraft
from tlm.space.array_types import Ints
from tlm.space.phase import ENGINE_OF_PHASE, Phase
from tlm.space.region import Block, length
from tlm.space.tile import Extent, Work
from tlm.storage.plan import LayerPlan
from tlm.storage.tile_grouping import TileGrouping

DEAD = (Phase.BP, Phase.WG)  # phases that skip slices without gradient


def array_tiles(
    builder: ProgramBuilder,
    phase: Phase,
    layer_plan: LayerPlan,
    passes: Passes,
    groupings: Sequence[TileGrouping],
) -> list[list[TileDraft]]:
    """The tiles of every block, grouped as said for it; blocks grouped alike are counted together.

    The last tile of a panel covers its results, and in BP and WG waits until the array is empty.
    """
    engine, chip = ENGINE_OF_PHASE[phase], builder.plan.chip
    array: EngineArray = getattr(builder.arrays, engine)
    # The operand that is not a weight.
    operand_bits = chip.precision.gradient if phase == Phase.BP else layer_plan.operand_bits
    emptied = builder.arrays.depth * (phase in DEAD and passes.layout.scanned)
    covered = _covered(phase, layer_plan, passes.layout)
    alike: dict[int, list[int]] = {}
    for at, grouping in enumerate(groupings):
        alike.setdefault(id(grouping), []).append(at)
    tiles: list[list[TileDraft]] = [[] for _ in groupings]
    for places in alike.values():
        grouping = groupings[places[0]]
        walked = summed(some_blocks(passes.counts, places), grouping.starts)
        energy: dict[str, Ints] = {}
        if passes.layout.scanned:
            adds = chip.core.zero_operand_adds
            energy = walk_energy(array, walked, operand_bits, adds)
            energy |= grouping.energy(engine, array, builder.arrays.weight_bits)
        work = (walked.slots, walked.executed, walked.dense, walked.useful)
        table = np.stack(np.broadcast_arrays(*work, *energy.values()), axis=-1)
        # A row as bytes is one object instead of an integer a column.
        rows = table.view(np.dtype((np.void, table.itemsize * table.shape[-1])))[..., 0].tolist()
        covers = np.zeros(len(grouping.starts), np.int64)
        covers[[end - 1 for _, end in grouping.panels]] = covered
        cycles = walked.cycles + emptied * (covers > 0)
        for at, numbers, counts in zip(places, cycles.tolist(), rows, strict=True):
            works = builder.works_of(tuple(energy), counts)
            of_tiles = zip(numbers, works, grouping.runs, covers.tolist(), strict=True)
            tiles[at] = _tiles(phase, layer_plan, passes.blocks[at], of_tiles)
    return tiles


def _covered(phase: Phase, layer_plan: LayerPlan, layout: Layout) -> list[int]:
    """The results of every panel in a row of a block: sums of FP, in BP and WG products as well."""
    width = layer_plan.layer.in_shape[2] if phase == Phase.BP else layer_plan.width
    partners = [length(panel.partners) if phase in DEAD else 1 for panel in layout.panels]
    channels = [length(panel.channels) for panel in layout.panels]
    return [width * many * each for many, each in zip(channels, partners, strict=True)]


def _tiles(
    phase: Phase, layer_plan: LayerPlan, block: Block,
    of_tiles: Iterable[tuple[int, Work, tuple[Extent, ...], int]],
) -> list[TileDraft]:  # fmt: skip
    """Tiles of a block, each with its cycles, work, runs, and the results it covers in a row."""
    place = (phase, layer_plan.layer.index, block.samples[0], length(block.samples), block.steps[0],
             length(block.steps))  # fmt: skip
    skipped = dead_pairs(layer_plan, block.samples, block.steps) if phase in DEAD else ()
    rows, height = block.rows, length(block.rows)
    return [
        TileDraft(
            *place, cycles, work, reads=reads, covers=covers * height, skipped=skipped, rows=rows
        )
        for cycles, work, reads, covers in of_tiles
    ]


def by_panel(
    layout: Layout, grouping: TileGrouping, tiles: list[TileDraft]
) -> list[tuple[Panel, list[TileDraft]]]:
    """The tiles of every panel of a block."""
    spans = zip(layout.panels, grouping.panels, strict=True)
    return [(panel, tiles[slice(*span)]) for panel, span in spans]

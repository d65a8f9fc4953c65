"""Shortcuts and addends: what earlier layers leave is added to currents, and dI returns to them.

All of it goes through DRAM: an earlier layer's output lies there for its readers anyway, what
enters its neurons (I) is written beside U. Values are added in the lanes of the pass that makes the
currents, as a bias is: energy, no time (assumed); an addend is put together on its way there, as
inputs are. Back, the reader's dI is one part more of what the earlier layer's gradient unit adds
up. Where outputs were multiplied, the unit reads the others as well, and lets pass what they did;
that costs their bytes alone, as in BP (assumed).
"""

from __future__ import annotations

from tlm.program.builder import ProgramBuilder, add_up_sources, saved, window_adds
from tlm.program.tile_draft import TileDraft
from tlm.space.phase import Phase
from tlm.space.region import Region, Span, length
from tlm.storage.plan import LayerPlan


def add_shortcuts(
    builder: ProgramBuilder, layer_plan: LayerPlan, region: Region, steps: Span, tile: TileDraft
) -> None:
    """Let a tile read what its layer adds to a region of products, and add it."""
    forward = tile.phase in (Phase.FP, Phase.NORM)
    what = builder.by_step("saved", steps) if forward else "saved"
    for adding in layer_plan.added:
        tile.add_reads(adding.runs(region, steps))
        tile.add_read_needs(saved(builder, adding.source, region.samples, what))
        pool, tensor = adding.shortcut.pool, adding.tensor
        if pool is not None:
            adds = window_adds(pool, region, (tensor.rows, tensor.width), steps)
            tile.add_energy({"fp.current_pool": adds})
    addends = len(layer_plan.added)
    if layer_plan.addend is not None:
        addends += 1
        wanted = layer_plan.addend.wanted(region)
        tile.add_reads(layer_plan.addend.runs(wanted, steps))
        for producer in layer_plan.addend.producers:
            tile.add_read_needs(saved(builder, producer, region.samples, what))
        add_up_sources(builder, "fp", layer_plan.addend, wanted, steps, tile)
    products = region.size * layer_plan.width * length(steps)
    tile.add_energy({"fp.shortcut_add": products * addends})


def fetch_returned(
    builder: ProgramBuilder, layer_plan: LayerPlan, region: Region, tile: TileDraft
) -> None:
    """Let the gradient unit read dI of the layers that add what a region of neurons leaves."""
    steps = (0, builder.plan.steps)
    for adding in layer_plan.adders:
        at = layer_plan.pooled(region) if adding.of_output else region
        if at.size:
            tile.add_reads(adding.returned(at, steps))
            tile.add_read_needs(saved(builder, adding.reader, region.samples, "dI"))
            for other in adding.deciding:
                tile.add_read_needs(saved(builder, other, region.samples))

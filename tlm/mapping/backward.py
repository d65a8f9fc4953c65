"""Back-propagation programs: dX of a layer by weight-stationary blocks over its input grid.

Where the dY of a sample fits the gradient memory, a core walks its slice in sample blocks that
fill half of it: the gradient unit makes dY of all steps, then BP computes dX from it and WG (its
own engine) dW. The unit's block after next waits until WG has let go of the memory; where one
sample needs more than half of it, the next block does. Where not even one sample fits, the unit
walks the slice first and leaves dY in DRAM, where BP and WG each read it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tlm.mapping.builder import (
    Builder,
    dead_pairs,
    merge,
    per_sample,
    saved,
    spare_first_reads,
    stream_cycles,
    tile_of,
)
from tlm.mapping.gradient import current_gradient, gradient_regions, normalised_gradient
from tlm.mapping.nest import Block, blocks
from tlm.mapping.normalise import exchange_statistics, unit_regions
from tlm.mapping.plan import LayerPlan
from tlm.mapping.region import Slice, Span, length, overlap
from tlm.mapping.rounds import Round, backward_rounds
from tlm.mapping.routes import Route, return_gradient, routes_of
from tlm.mapping.streams import WeightFetch
from tlm.task import Phase, Run, Tile, Work


def build_backward(builder: Builder, lp: LayerPlan) -> None:
    """Append the gradient unit's work and BP of one layer."""
    unit = current_gradient
    if lp.exact:
        bits = builder.plan.chip.precision.membrane
        for part in lp.slices:
            for region in unit_regions(builder, part.neurons, lp.layer.out_shape[2], bits):
                current_gradient(builder, lp, part, region)
        exchange_statistics(builder, lp, Phase.NORM_GRAD, "bp")
        unit = normalised_gradient
    routes = routes_of(lp)
    for part in lp.slices:
        for region in gradient_regions(builder, lp, part):
            unit(builder, lp, part, region)
            if lp.gradients == "memory" and routes:
                _propagate(builder, lp, routes, part, region.samples)
    if lp.gradients == "dram" and routes:
        for part in lp.slices:
            _propagate(builder, lp, routes, part, part.neurons.samples)
    lp.counts.drop()


def _propagate(
    builder: Builder, lp: LayerPlan, routes: list[Route], part: Slice, samples: Span
) -> None:
    """Append BP of some samples of a slice."""
    if not length(part.input_rows):
        return
    width, positions = lp.layer.in_shape[2], builder.array.positions
    for turn in backward_rounds(builder.plan, lp, part, samples):
        for block in blocks(samples, part.input_rows, builder.plan.steps, width, positions):
            _block(builder, lp, routes, part, turn, block)


def _block(
    builder: Builder,
    lp: LayerPlan,
    routes: list[Route],
    part: Slice,
    turn: Round,
    block: Block,
) -> None:
    array, layer = builder.array, lp.layer
    (b0, b1), (y0, y1), (t0, t1) = block.samples, block.rows, block.steps
    (k0, k1) = part.neurons.channels
    tiles = slice(k0 // array.tile, -(-k1 // array.tile))
    area = (slice(t0, t1), slice(b0, b1), tiles, slice(None), slice(None), slice(y0, y1))
    executed = lp.counts.bp.executed[area].sum(axis=(0, 1, 5))  # tile, chunk, tap
    useful = lp.counts.bp.useful[area].sum(axis=(0, 1, 5))
    reads, read_needs = _mask_reads(builder, lp, part, turn, block)
    fetched, each = _gradient_reads(builder, lp, part, turn, block)
    for c in range(*turn.outputs, array.chunk):
        index, chunk = c // array.chunk, (c, min(c + array.chunk, turn.outputs[1]))
        counted = executed[:, index].ravel(), useful[:, index].ravel()
        made = _array_pass(builder, lp, part, turn, block, chunk, *counted)
        spare_first_reads(made, _outputs(builder, lp, part, block, index) * length(chunk), "bp")
        first, last = made[0], made[-1]
        first.read_needs = read_needs
        if lp.gradients == "memory":
            first.needs = per_sample(builder, "dU", lp, part, block.samples)
        else:
            first.read_needs += _gradient_saved(builder, lp, part, block.samples)
        if c == turn.outputs[0] or each:
            reads += fetched
        first.reads, reads = reads + first.reads, ()
        last.covers = length(chunk) * length(block.rows) * layer.in_shape[2] * (k1 - k0)
        return_gradient(builder, lp, routes, part, block, chunk, last)


def _gradient_reads(
    builder: Builder, lp: LayerPlan, part: Slice, turn: Round, block: Block
) -> tuple[tuple[Run, ...], bool]:
    """The DRAM runs of the dY a block needs, and whether every chunk of inputs streams them."""
    if lp.gradients == "memory":
        return (), False
    fresh, each = builder.streams.gradient_rows(turn, lp, part, block)
    tensor = lp.tensors["dY"]
    return tensor.runs(fresh.samples, block.steps, fresh.channels, fresh.rows, lp.live), each


def _gradient_saved(builder: Builder, lp: LayerPlan, part: Slice, samples: Span) -> tuple[int, ...]:
    """The completions that say the dY of a slice's channels is in DRAM, all rows."""
    return tuple(
        ident
        for one in lp.replicas(part)
        for ident in per_sample(builder, "dY", lp, one, overlap(samples, one.neurons.samples))
    )


def _outputs(builder: Builder, lp: LayerPlan, part: Slice, block: Block, chunk: int) -> int:
    """Positions of a block whose dX of one chunk gets at least one executed slot."""
    pairs = (slice(*block.steps), slice(*block.samples))
    if builder.plan.chip.core.engines.bp.mode == "dense":
        live = int(np.count_nonzero(lp.live[pairs]))
        return live * length(block.rows) * lp.layer.in_shape[2]
    touched = lp.counts.touched(part.neurons.channels)
    return int(touched[(*pairs, chunk, slice(*block.rows))].sum())


def _mask_reads(
    builder: Builder, lp: LayerPlan, part: Slice, turn: Round, block: Block
) -> tuple[tuple[Run, ...], tuple[int, ...]]:
    """The output masks BP needs to skip outputs, from DRAM where FP left them."""
    engine = builder.plan.chip.core.engines.bp
    if engine.mode == "dense" or not engine.skip_outputs:
        return (), ()
    runs: tuple[Run, ...] = ()
    needs: tuple[int, ...] = ()
    rows = builder.streams.mask_rows(turn, lp, part, block)
    for one in lp.producers:
        tensor = one.tensors["need"]
        found = tensor.runs(block.samples, block.steps, (0, tensor.channels), rows, lp.live)
        runs += found
        needs += saved(builder, one, block.samples) if found else ()
    return runs, needs


def _array_pass(
    builder: Builder,
    lp: LayerPlan,
    part: Slice,
    turn: Round,
    block: Block,
    chunk: Span,
    executed: npt.NDArray[np.int64],
    useful: npt.NDArray[np.int64],
) -> list[Tile]:
    """Tiles of one output tile of dS, a chunk of input channels, a group of weights each."""
    layer, array = lp.layer, builder.array
    taps = layer.kernel[0] * layer.kernel[1]
    weights = [(k, chunk[0], tap) for k in range(*part.neurons.channels, array.tile)
               for tap in range(taps)]  # fmt: skip
    mode = builder.plan.chip.core.engines.bp.mode
    dead = dead_pairs(lp, block.samples, block.steps)
    plane = length(block.rows) * layer.in_shape[2]
    slots = block.positions(layer.in_shape[2])
    scanned = slots - plane * len(dead)
    made: list[Tile] = []
    everything = list(range(len(weights)))
    passes = builder.streams.weights(turn, lp, part.core, weights)
    for group, fetch in passes if scanned else [(everything, WeightFetch())]:
        tile = builder.add(part.core, tile_of(Phase.BP, lp, block))
        tile.skipped = dead
        made.append(tile)
        depths = np.array([min(array.tile, layer.out_shape[0] - weights[i][0]) for i in group])
        left = executed[group] if mode == "vector" else np.full(len(group), scanned)
        tile.work = _work(builder, slots, scanned, left, useful[group], depths, length(chunk))
        if not scanned:
            continue
        tile.reads = fetch.runs
        tile.cycles = len(group) * array.tile + stream_cycles(array, mode, scanned, left)
        merge(tile.work.energy, fetch.energy("bp", array.weight_bits))
        read = int(depths.sum()) * length(chunk)
        merge(tile.work.energy, {"bp.weight_read": read, "bp.reg16": 2 * read})
    if scanned:
        made[-1].cycles += array.depth
    return made


def _work(
    builder: Builder,
    slots: int,
    scanned: int,
    executed: npt.NDArray[np.int64],
    useful: npt.NDArray[np.int64],
    depths: npt.NDArray[np.int64],
    width: int,
) -> Work:
    """Work of a group of weight tiles; accesses as the released NeuroMC model (BE)."""
    macs = int((executed * depths).sum()) * width
    vectors = int(executed.sum())
    mode = builder.plan.chip.core.engines.bp.mode
    return Work(
        slots=slots * len(executed),
        executed=vectors,
        dense=slots * int(depths.sum()) * width,
        useful=int(useful.sum()),
        energy={
            "bp.mac": macs,
            "bp.reg16": 5 * macs + vectors * width,
            "bp.gradient_read": int((executed * depths).sum()),
            "bp.partial_read": vectors * width,
            "bp.partial_write": vectors * width,
            "engine.scan": scanned * len(executed) if mode == "vector" else 0,
        },
    )

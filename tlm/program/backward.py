"""Back-propagation programs: dX of a layer block by block over its input grid.

Where the dY of a sample fits the gradient memory, a core walks its slice in sample blocks that
fill half of it: the gradient unit makes dY of all steps, then BP computes dX from it and WG (its
own engine) dW. The unit's block after next waits until WG has let go of the memory; where one
sample needs more than half of it, the next block does. Where not even one sample fits, the unit
walks the slice first and leaves dY in DRAM, where BP and WG each read it.
"""

from __future__ import annotations

from collections.abc import Sequence

from tlm.program.backward_walk import WalkedBlock, backward_walks
from tlm.program.builder import ProgramBuilder, per_sample, saved, saved_inputs
from tlm.program.channel_parameters import STEP_SCALE, fetch_parameters
from tlm.program.gradient import current_gradient, gradient_regions, normalised_gradient
from tlm.program.gradient_routes import leave_gradient, return_gradient, routes_of
from tlm.program.normalise import exchange_statistics, unit_regions
from tlm.space.phase import Phase
from tlm.space.region import Block, Region, Slice, Span, overlap
from tlm.space.tile import Extent
from tlm.storage.plan import LayerPlan
from tlm.storage.sweeps import Sweep
from tlm.workload.channels import backward_constants
from tlm.workload.model import Neuron


def build_backward(builder: ProgramBuilder, layer_plan: LayerPlan, parts: list[Slice]) -> None:
    """Append the gradient unit's work and BP of some slices of a layer."""
    unit = current_gradient
    if layer_plan.exact:
        bits = builder.plan.chip.precision.membrane
        for part in parts:
            start = len(builder.drafts[part.core]["bp"])
            for region in unit_regions(builder, part.neurons, layer_plan.layer.out_shape[2], bits):
                current_gradient(builder, layer_plan, part, region)
            _fetch(builder, layer_plan, part, _of_neurons(layer_plan), start)
        exchange_statistics(builder, layer_plan, Phase.NORM_GRAD, "bp")
        unit = normalised_gradient
    routes, returns = routes_of(layer_plan), bool(layer_plan.producers)
    meanwhile = returns and layer_plan.stored.dY == "memory"
    for part in parts:
        start = len(builder.drafts[part.core]["bp"])
        units = list(gradient_regions(builder, layer_plan, part))
        walks = backward_walks(
            builder, routes, part, [samples for samples, _ in units if meanwhile]
        )
        for _, regions in units:
            for region in regions:
                unit(builder, layer_plan, part, region)
            for walked in next(walks, ()):
                _block(builder, layer_plan, part, walked)
        if not layer_plan.exact:
            names = ("scale", STEP_SCALE) if layer_plan.norm == "frozen" else ()
            _fetch(builder, layer_plan, part, (*names, *_of_neurons(layer_plan)), start)
    if returns and layer_plan.stored.dY == "dram":
        for part in parts:
            for walk in backward_walks(builder, routes, part, [part.neurons.samples]):
                for walked in walk:
                    _block(builder, layer_plan, part, walked)
    layer_plan.work.drop()


def _of_neurons(layer_plan: LayerPlan) -> tuple[str, ...]:
    """What the gradient unit reads of neurons: all of their constants where it makes U again."""
    layer = layer_plan.layer
    if layer_plan.exact and layer_plan.state == "recompute":
        return (*layer.learnt, *layer.channel_constants)
    constants = backward_constants(layer.neuron) if isinstance(layer.neuron, Neuron) else ()
    return (*layer.learnt, *constants)


def _fetch(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, names: Sequence[str], start: int
) -> None:
    """Let the first tile of a slice's gradient unit, that from ``start`` on, read parameters."""
    if names:
        fetch_parameters(layer_plan, part, names, builder.drafts[part.core]["bp"][start])


def _block(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, walked: WalkedBlock
) -> None:
    """Append the tiles of a block, with what they read, wait for and send."""
    sweep, block = walked.sweep, walked.block
    reads, read_needs = _mask_reads(builder, layer_plan, block, walked.mask_rows)
    fetched, each = _gradient_reads(builder, layer_plan, part, sweep, block)
    needs: tuple[int, ...] = ()
    spills = bool(layer_plan.spilled_inputs)
    if layer_plan.stored.dY == "memory":
        needs = per_sample(builder, "dY for BP", layer_plan, part, block.samples)
    else:
        read_needs += _gradient_saved(builder, layer_plan, part, block.samples)
    for number, (panel, tiles) in enumerate(walked.panels):
        first, last, chunk = tiles[0], tiles[-1], panel.channels
        builder.extend(part.core, tiles)
        first.add_needs(needs)
        first.add_read_needs(read_needs)
        for tile in tiles if layer_plan.held is not None else ():  # each reads its own
            tile.add_read_needs(saved_inputs(builder, layer_plan, block.samples))
        if chunk[0] == sweep.outputs[0] or each:
            reads += fetched
        first.add_reads_before(reads)
        reads = ()
        for messages in walked.returned:
            return_gradient(messages[number], part.core, last)
        if spills:
            leave_gradient(builder, layer_plan, part, block, chunk, last)


def _gradient_reads(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, sweep: Sweep, block: Block
) -> tuple[tuple[Extent, ...], bool]:
    """The DRAM runs of the dY a block needs, and whether every chunk of inputs streams them."""
    if layer_plan.stored.dY == "memory":
        return (), False
    fresh, each = builder.streams.gradient_rows(sweep, layer_plan, part, block)
    tensor = layer_plan.addressed.tensors["dY"]
    return tensor.runs(
        fresh.samples, block.steps, fresh.channels, fresh.rows, layer_plan.skips
    ), each


def _gradient_saved(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, samples: Span
) -> tuple[int, ...]:
    """The completions that say the dY of a slice's channels is in DRAM, all rows."""
    key = (f"dY {part.neurons.channels}", layer_plan.layer.index, samples)
    if key not in builder.saves:
        builder.saves[key] = tuple(
            ident
            for replica in layer_plan.replicas(part)
            for ident in per_sample(
                builder, "dY saved", layer_plan, replica, overlap(samples, replica.neurons.samples)
            )
        )
    return builder.saves[key]


def _mask_reads(
    builder: ProgramBuilder, layer_plan: LayerPlan, block: Block, rows: Span
) -> tuple[tuple[Extent, ...], tuple[int, ...]]:
    """The output masks BP needs to skip outputs, from DRAM where FP left them; gates as well.

    All are of ``rows`` of the operand.
    """
    engine, gated = builder.plan.chip.core.engines.bp, layer_plan.gated
    skips = engine.mode != "dense" and engine.skip_outputs
    if not skips and not gated:
        return (), ()
    runs: tuple[Extent, ...] = ()
    needs: tuple[int, ...] = ()
    for channels, _ in gated:
        read = Region(channels, block.samples, rows)
        runs += layer_plan.input_runs(read, block.steps, live=True)
    if runs:
        needs += saved_inputs(builder, layer_plan, block.samples)
    read = Region((0, layer_plan.operand[0]), block.samples, rows)
    for producer in layer_plan.producers if skips else ():
        tensor = producer.addressed.tensors.get("need")
        feed = next((f for f in layer_plan.feeds if f.source == producer.layer.index), None)
        if tensor is None or feed is None:  # every dX is needed, or none goes there
            continue
        producer_runs: tuple[Extent, ...] = ()
        for at in feed.regions(read):
            channels = tensor.whole_groups(at.channels)
            steps = (block.samples, block.steps)
            producer_runs += tensor.runs(*steps, channels, at.rows, layer_plan.skips)
        runs += producer_runs
        needs += saved(builder, producer, block.samples) if producer_runs else ()
    return runs, needs

"""How WG cuts a slice: passes over outputs and inputs, and pieces of samples and rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from tlm.config.units import show_bits
from tlm.errors import MappingError
from tlm.program.builder import ProgramBuilder
from tlm.program.held_gradient import most_held_outputs, pair_blocks
from tlm.space.region import Block, Region, Slice, Span, length
from tlm.space.rounding import ceil_div
from tlm.storage.plan import LayerPlan
from tlm.storage.slice_sizes import product_region
from tlm.storage.streams import mask_room
from tlm.storage.windows import WG_SHARE
from tlm.workload.model import Layer


@dataclass(frozen=True, slots=True)
class WeightGradientPass:
    """One pass over a slice: the output and input channels whose dW it makes.

    ``once``: their dW stays in the accumulators over all pieces and leaves with the last.
    """

    outputs: Span
    inputs: Span
    once: bool


def passes_over(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, samples: Span
) -> list[WeightGradientPass]:
    """The passes over some samples of a slice.

    Where the slice's dW exceeds the accumulators, a pass takes as many output tiles as fit, or a
    part of the inputs of one, so that dW does not come and go with every piece: always if dY comes
    from DRAM, otherwise if reading the inputs in every pass moves fewer bits. Inputs are also cut
    where one row of them, all steps, exceeds the spike memory.

    Raises:
        MappingError: not even one chunk of inputs fits the spike memory.
    """
    chip, arrays, channels = builder.plan.chip, builder.arrays, part.neurons.channels
    if layer_plan.held is not None:
        whole = (0, layer_plan.layer.in_shape[0])
        spans = output_spans(
            layer_plan.layer, channels, arrays.tile, most_held_outputs(builder, layer_plan)
        )
        return [WeightGradientPass(span, whole, True) for span in spans]
    taps, depth = (
        layer_plan.layer.kernel[0] * layer_plan.layer.kernel[1],
        layer_plan.layer.in_shape[0],
    )
    room = chip.core.memory.spikes - mask_room(chip.core.memory)
    inputs = room // (_input_bits(layer_plan, part, 1) // depth or 1)
    outputs = length(channels)
    sums = chip.core.memory.accumulators // (taps * chip.precision.partial_sum)
    once = (layer_plan.stored.dW == "dram") and sums >= arrays.tile * arrays.chunk
    if once and layer_plan.stored.dY == "memory":
        once = _passes_pay(builder, layer_plan, part, samples)
    if once:
        outputs = max(arrays.tile, sums // min(depth, inputs) // arrays.tile * arrays.tile)
        inputs = min(inputs, sums // min(outputs, length(channels)))
    inputs = depth if inputs >= depth else inputs // arrays.chunk * arrays.chunk
    if not inputs:
        raise MappingError(
            f"core.memory.spikes: layer {layer_plan.layer.name}: "
            f"{show_bits(room)} for WG cannot hold what one row of {arrays.chunk} "
            "input channels reads over all steps; enlarge it"
        )
    return [
        WeightGradientPass(span, (c, min(c + inputs, met[1])), once)
        for span in output_spans(layer_plan.layer, channels, arrays.tile, outputs)
        for met in [_inputs_met(layer_plan.layer, span)]
        for c in range(*met, inputs)
    ]


def _inputs_met(layer: Layer, outputs: Span) -> Span:
    """The inputs of the groups that some outputs are of."""
    width, depth = layer.product_channels // layer.groups, layer.in_shape[0] // layer.groups
    return outputs[0] // width * depth, ceil_div(outputs[1], width) * depth


def output_spans(layer: Layer, channels: Span, tile: int, most: int) -> list[Span]:
    """Some outputs cut into spans of at most ``most``, each of whole tiles of the groups' own."""
    width = layer.product_channels // layer.groups
    ends = range((channels[0] // width + 1) * width, channels[1], width)
    spans: list[Span] = []
    for first, end in pairwise((channels[0], *ends, channels[1])):
        for k in range(first, end, tile):
            last = min(k + tile, end)
            if spans and last - spans[-1][0] <= most:
                spans[-1] = (spans[-1][0], last)
            else:
                spans.append((k, last))
    return spans


def _passes_pay(builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, samples: Span) -> bool:
    """Whether reading the inputs once a pass costs less than moving dW once a piece."""
    chip = builder.plan.chip
    whole = WeightGradientPass(part.neurons.channels, (0, layer_plan.layer.in_shape[0]), False)
    pieces = sum(1 for _ in _pieces(builder, layer_plan, part, samples, whole))
    dw = layer_plan.weight_count(part) * chip.precision.partial_sum
    inputs = _input_bits(layer_plan, part, length(product_region(layer_plan, part).rows)) * length(
        samples
    )
    return 2 * (pieces - 1) * dw > (ceil_div(dw, chip.core.memory.accumulators) - 1) * inputs


def _input_bits(layer_plan: LayerPlan, part: Slice, rows: int) -> int:
    """Bits of the inputs of all steps that ``rows`` rows of a slice's product read."""
    first = product_region(layer_plan, part).rows[0]
    region = Region(part.neurons.channels, (0, 1), (first, first + rows))
    read, width = layer_plan.wanted_input(region), layer_plan.operand[2]
    if layer_plan.layer.operand is not None:
        return read.size * width * layer_plan.input_steps * layer_plan.operand_bits
    source = layer_plan.addressed.sources[0]  # whose lines are whole bytes and groups
    plane = length(read.rows) * source.row_bytes * 8 * source.groups
    return plane * source.steps * layer_plan.operand_bits // source.bits


def boxes(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, samples: Span,
    wg_pass: WeightGradientPass,
) -> Iterator[list[Block]]:  # fmt: skip
    """The pieces over which sums are taken: all of them, or those of every pair of a matmul."""
    if layer_plan.held is None:
        yield list(_pieces(builder, layer_plan, part, samples, wg_pass))
        return
    fits = _fitting(builder, layer_plan, part, wg_pass)
    rows = product_region(layer_plan, part).rows
    yield from pair_blocks(samples, rows, builder.plan.steps, lambda count: fits(count, 1, 1))


def _pieces(
    builder: ProgramBuilder,
    layer_plan: LayerPlan,
    part: Slice,
    samples: Span,
    wg_pass: WeightGradientPass,
) -> Iterator[Block]:
    """Cut samples and rows so that a piece finds room; a sample, or else a row of one, may take
    the whole.
    """
    steps, rows = (0, builder.plan.steps), product_region(layer_plan, part).rows
    height, fits = length(rows), _fitting(builder, layer_plan, part, wg_pass)
    if fits(height, 1, 1):
        size = next((n for n in range(length(samples), 1, -1) if fits(height, n, 2)), 1)
        for b in range(samples[0], samples[1], size):
            yield Block((b, min(b + size, samples[1])), rows, steps)
        return
    most = next((n for n in range(height - 1, 1, -1) if fits(n, 1, 2)), 1)
    for b in range(*samples):
        for y in range(rows[0], rows[1], most):
            yield Block((b, b + 1), (y, min(y + most, rows[1])), steps)


def _fitting(
    builder: ProgramBuilder, layer_plan: LayerPlan, part: Slice, wg_pass: WeightGradientPass
) -> Callable[[int, int, int], bool]:
    """Whether some rows of some samples fit a part of the memories: of inputs WG's spike memory but
    for BP's masks, of an output tile's dY that comes from DRAM WG's share of the gradient memory.

    All steps of them, of a matmul one.
    """
    memory = builder.plan.chip.core.memory
    steps = builder.plan.steps if layer_plan.held is None else 1
    room = memory.spikes - mask_room(memory)
    depth, line = layer_plan.layer.in_shape[0], 0
    if layer_plan.stored.dY == "dram":
        line = layer_plan.width * steps * builder.arrays.tile
        line *= builder.plan.chip.precision.gradient

    def fits(count: int, batch: int, part_of: int) -> bool:
        inputs = _input_bits(layer_plan, part, count) * length(wg_pass.inputs) // depth
        if layer_plan.held is not None:
            inputs //= builder.plan.steps
        return inputs * batch <= room // part_of and line * count * batch <= (
            memory.gradients // (part_of * WG_SHARE)
        )

    return fits

"""FP, BP and WG of a box of positions as one thing: operands, panels of outputs, groups of weights.

An engine walks its slice panel by panel: FP and WG over output channels, BP over input channels.
What its zero test does not look for (the skip policies) is treated as non-zero; padding and the
zeros a stride inserts are structural and always seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from tlm.counts.dataflow import Walker
from tlm.counts.engine_array import EngineArray
from tlm.counts.operands import OperandMasks, group_sizes
from tlm.counts.planes import Planes, gradient_planes, input_planes
from tlm.counts.walk import WalkShape
from tlm.space.region import Block, Span, length, overlap
from tlm.workload.model import Layer


@dataclass(frozen=True, slots=True)
class GroupWork:
    """One group of a convolution (all of it, unless grouped) at a box of positions.

    The channels along rows and columns of the array, and a walker for each class of positions
    that share their taps.
    """

    row_channels: Span
    column_channels: Span
    walkers: list[Walker]


def product_work(
    layer: Layer,
    array: EngineArray,
    masks: OperandMasks,
    blocks: Sequence[Block],
    inputs: Span,
    outputs: Span,
) -> Iterator[GroupWork]:
    """FP or WG of some input and output channels at all blocks of a box of the product.

    ``masks`` are the layer's inputs [T, B, C, H, W] and, in WG, its dY [T, B, K, E, F].
    """
    planes_of = partial(input_planes, layer, array, _box(blocks))
    for row_channels, column_channels in _groups(layer, inputs, outputs):
        yield _group_work(array, masks, planes_of, blocks, (row_channels, column_channels))


def backward_work(
    layer: Layer,
    array: EngineArray,
    masks: OperandMasks,
    blocks: Sequence[Block],
    outputs: Span,
) -> Iterator[GroupWork]:
    """BP of some output channels to all inputs at all blocks of a box of input positions.

    ``masks`` are the layer's dY [T, B, K, E, F] and which dX are needed [T, B, C, H, W].
    """
    planes_of = partial(gradient_planes, layer, array, _box(blocks))
    for column_channels, row_channels in _groups(layer, (0, layer.in_shape[0]), outputs):
        yield _group_work(array, masks, planes_of, blocks, (row_channels, column_channels))


def _groups(layer: Layer, inputs: Span, outputs: Span) -> Iterator[tuple[Span, Span]]:
    """(Input, output channels) of every group of a convolution that has some of both."""
    depth, width = layer.in_shape[0] // layer.groups, layer.product_channels // layer.groups
    for group in range(layer.groups):
        group_inputs = overlap(inputs, (group * depth, (group + 1) * depth))
        group_outputs = overlap(outputs, (group * width, (group + 1) * width))
        if length(group_inputs) and length(group_outputs):
            yield group_inputs, group_outputs


def _group_work(
    array: EngineArray,
    masks: OperandMasks,
    planes_of: Callable[[OperandMasks], Iterator[Planes]],
    blocks: Sequence[Block],
    channels: tuple[Span, Span],
) -> GroupWork:
    """The walkers of one group, whose ``channels`` lie along the rows and the columns."""
    rows, columns = channels
    recorded = masks.of(rows, columns)
    tested = recorded.as_tested(array)
    recorded_planes = tested_planes = list(planes_of(recorded))
    if tested is not recorded:
        tested_planes = list(planes_of(tested))
    depths = group_sizes(length(rows), array.rows)
    widths = group_sizes(length(columns), array.cols)
    origins = (rows[0], columns[0])
    walkers, packed = [], masks.weights
    for planes, recording in zip(tested_planes, recorded_planes, strict=True):
        shape = WalkShape(array, planes.taps, origins, depths, widths)
        tiles = None
        if packed is not None:
            tiles = packed.view(array.engine, rows, columns, planes.taps)
        walkers.append(Walker(shape, planes, recording, blocks, tiles))
    return GroupWork(rows, columns, walkers)


def _box(blocks: Sequence[Block]) -> Block:
    """The box from the first to the last of its blocks."""
    first, last = blocks[0], blocks[-1]
    return Block(
        (first.samples[0], last.samples[1]),
        (first.rows[0], last.rows[1]),
        (first.steps[0], last.steps[1]),
    )

"""FP, BP and WG of a box of positions as one thing: operands, panels of outputs, groups of weights.

An engine walks its slice panel by panel: FP and WG over output channels, BP over input channels.
What its zero test does not look for (the skip policies) is treated as non-zero; padding and the
zeros a stride inserts are structural and always seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from tlm.config.core import EngineConfig, GradientEngine
from tlm.counts.dataflow import Walker, channel_groups, counted_together
from tlm.counts.engine_array import EngineArray
from tlm.counts.operands import Planes, gradient_planes, input_planes
from tlm.counts.walk import Shape
from tlm.space.array_types import Bools
from tlm.space.region import Block, Span, length, overlap
from tlm.workload.model import Layer


@dataclass(frozen=True, slots=True)
class GroupWork:
    """One group of a convolution (all of it, unless grouped) at a box of positions.

    ``first`` and ``second`` are the channels along rows and columns of the array; a walker for
    each class of positions that share their taps.
    """

    first: Span
    second: Span
    walkers: list[Walker]


def forward_work(
    layer: Layer,
    array: EngineArray,
    engine: EngineConfig,
    inputs: Bools,
    blocks: Sequence[Block],
    channels: Span,
) -> Iterator[GroupWork]:
    """FP of the output ``channels`` at all blocks of a box; ``inputs`` is [T, B, C, H, W]."""
    live = _everywhere(inputs.shape[:2])
    look = partial(input_planes, layer, second=None, live=live, box=_box(blocks), grid="compacted",
                   size=counted_together(array))  # fmt: skip
    for inner, outer in _channel_blocks(layer, (0, layer.in_shape[0]), channels):
        own = inputs[:, :, slice(*inner)]
        real = look(own)
        seen = real if engine.skip_spikes else look(_everywhere(own.shape))
        yield GroupWork(inner, outer, [_walker(array, seen, real, blocks, inner, outer)])


def backward_work(
    layer: Layer, array: EngineArray, engine: GradientEngine, gradients: Bools, need: Bools, live: Bools,
    blocks: Sequence[Block], channels: Span,
) -> Iterator[GroupWork]:  # fmt: skip
    """BP of the output ``channels`` at all blocks of a box of input positions.

    ``gradients`` is [T, B, K, E, F], ``need`` [T, B, C, H, W], ``live`` [T, B].
    """
    look = partial(gradient_planes, layer, live=live, box=_box(blocks), grid=engine.grid,
                   size=counted_together(array))  # fmt: skip
    for inner, outer in _channel_blocks(layer, (0, layer.in_shape[0]), channels):
        du, wanted = gradients[:, :, slice(*outer)], need[:, :, slice(*inner)]
        real = seen = list(look(du, wanted))
        if not (engine.skip_gradients and engine.skip_outputs):
            seen = list(look(_seen(du, engine.skip_gradients), _seen(wanted, engine.skip_outputs)))
        walkers = [
            _walker(array, one, other, blocks, outer, inner, backward=True)
            for one, other in zip(seen, real, strict=True)
        ]
        yield GroupWork(outer, inner, walkers)


def weight_gradient_work(
    layer: Layer, array: EngineArray, engine: GradientEngine, inputs: Bools, gradients: Bools,
    live: Bools, blocks: Sequence[Block], channels: Span, taken: Span,
) -> Iterator[GroupWork]:  # fmt: skip
    """WG of the output ``channels`` and the input channels ``taken``, all blocks of a box."""
    look = partial(input_planes, layer, live=live, box=_box(blocks), grid=engine.grid,
                   size=counted_together(array))  # fmt: skip
    for inner, outer in _channel_blocks(layer, taken, channels):
        own, du = inputs[:, :, slice(*inner)], gradients[:, :, slice(*outer)]
        real = seen = look(own, second=du)
        if not (engine.skip_spikes and engine.skip_gradients):
            seen = look(_seen(own, engine.skip_spikes), second=_seen(du, engine.skip_gradients))
        yield GroupWork(inner, outer, [_walker(array, seen, real, blocks, inner, outer)])


def _channel_blocks(layer: Layer, inputs: Span, outputs: Span) -> Iterator[tuple[Span, Span]]:
    """(Input, output channels) of every group of a convolution that some of both belong to."""
    inner, outer = layer.in_shape[0] // layer.groups, layer.out_shape[0] // layer.groups
    for group in range(layer.groups):
        read = overlap(inputs, (group * inner, (group + 1) * inner))
        made = overlap(outputs, (group * outer, (group + 1) * outer))
        if length(read) and length(made):
            yield read, made


def _seen(values: Bools, skipping: bool) -> Bools:
    """What a zero test sees: without the policy, nothing looks like a zero."""
    return values if skipping else _everywhere(values.shape)


def _everywhere(shape: tuple[int, ...]) -> Bools:
    return np.broadcast_to(np.True_, shape)


def _box(blocks: Sequence[Block]) -> Block:
    """The box from the first to the last of its blocks."""
    first, last = blocks[0], blocks[-1]
    return Block(
        (first.samples[0], last.samples[1]),
        (first.rows[0], last.rows[1]),
        (first.steps[0], last.steps[1]),
    )


def _walker(
    array: EngineArray, seen: Planes, real: Planes, blocks: Sequence[Block], first: Span, second: Span,
    backward: bool = False,
) -> Walker:  # fmt: skip
    depths = channel_groups(length(first), array.rows)
    widths = channel_groups(length(second), array.cols)
    shape = Shape(array, seen.taps, (first[0], second[0]), backward, depths, widths)
    return Walker(shape, seen, real, blocks)

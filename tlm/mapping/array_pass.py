"""FP, BP and WG of a box of positions as one thing: operands, panels of outputs, groups of weights.

An engine walks its slice panel by panel: FP and WG over output channels, BP over input channels.
What its zero test does not look for (the skip policies) is treated as non-zero; padding and the
zeros a stride inserts are structural and always seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from tlm.config.core import Engine, GradientEngine
from tlm.mapping.counts import Bools
from tlm.mapping.dataflow import Walker, channel_groups, useful_pairs_of
from tlm.mapping.operands import Box, Operands, gradient_operands, grouped, input_operands
from tlm.mapping.region import Span, length, overlap
from tlm.mapping.walk import Nest, Walk, Walked
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


@dataclass(frozen=True, slots=True)
class Panel:
    """Channels of second walked together against ``partners``, by groups of weights."""

    channels: Span
    partners: Span
    walked: list[Walked]


def forward_work(
    layer: Layer, nest: Nest, engine: Engine, inputs: Bools, box: Box, channels: Span
) -> Iterator[GroupWork]:
    """FP of the output ``channels`` at the positions of ``box``; ``inputs`` is [T, B, C, H, W]."""
    live = _everywhere(inputs.shape[:2])
    look = partial(input_operands, layer, second=None, live=live, box=box, grid="compacted",
                   size=_counted(nest))  # fmt: skip
    for inner, outer in _channel_blocks(layer, (0, layer.in_shape[0]), channels):
        own = inputs[:, :, slice(*inner)]
        real = look(own)
        seen = real if engine.skip_spikes else look(_everywhere(own.shape))
        yield GroupWork(inner, outer, [_walker(nest, seen, real, inner, outer)])


def backward_work(
    layer: Layer, nest: Nest, engine: GradientEngine, gradients: Bools, need: Bools, live: Bools,
    box: Box, channels: Span,
) -> Iterator[GroupWork]:  # fmt: skip
    """BP of the output ``channels`` at the input positions of ``box``.

    ``gradients`` is [T, B, K, E, F], ``need`` [T, B, C, H, W], ``live`` [T, B].
    """
    look = partial(gradient_operands, layer, live=live, box=box, grid=engine.grid,
                   size=_counted(nest))  # fmt: skip
    for inner, outer in _channel_blocks(layer, (0, layer.in_shape[0]), channels):
        du, wanted = gradients[:, :, slice(*outer)], need[:, :, slice(*inner)]
        real = seen = list(look(du, wanted))
        if not (engine.skip_gradients and engine.skip_outputs):
            seen = list(look(_seen(du, engine.skip_gradients), _seen(wanted, engine.skip_outputs)))
        walkers = [
            _walker(nest, one, other, outer, inner, backward=True)
            for one, other in zip(seen, real, strict=True)
        ]
        yield GroupWork(outer, inner, walkers)


def weight_gradient_work(
    layer: Layer, nest: Nest, engine: GradientEngine, inputs: Bools, gradients: Bools,
    live: Bools, box: Box, channels: Span, taken: Span,
) -> Iterator[GroupWork]:  # fmt: skip
    """WG of the output ``channels`` and the input channels ``taken`` over a box of outputs."""
    look = partial(input_operands, layer, live=live, box=box, grid=engine.grid,
                   size=_counted(nest))  # fmt: skip
    for inner, outer in _channel_blocks(layer, taken, channels):
        own, du = inputs[:, :, slice(*inner)], gradients[:, :, slice(*outer)]
        real = seen = look(own, second=du)
        if not (engine.skip_spikes and engine.skip_gradients):
            seen = look(_seen(own, engine.skip_spikes), second=_seen(du, engine.skip_gradients))
        yield GroupWork(inner, outer, [_walker(nest, seen, real, inner, outer)])


def panels(
    nest: Nest, work: list[GroupWork], channels: Span, panel: int, size: int
) -> Iterator[Panel]:
    """Walk the ``channels`` of second, ``panel`` at a time, ``size`` weight tiles at a time."""
    for block in work:
        wanted, origin = overlap(block.second, channels), block.second[0]
        for start in range(*wanted, panel):
            end = min(start + panel, wanted[1])
            groups = range((start - origin) // nest.cols, -(-(end - origin) // nest.cols))
            made = [one for walker in block.walkers for one in walker.panel(groups, size)]
            yield Panel((start, end), block.first, made)


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


def _counted(nest: Nest) -> int:
    """Channels of ``first`` that may be counted together: single lanes need them apart."""
    return 1 if nest.mode == "element" or nest.dataflow != "weight" else nest.rows


def _walker(
    nest: Nest, seen: Operands, real: Operands, first: Span, second: Span, backward: bool = False
) -> Walker:
    depths = channel_groups(length(first), nest.rows)
    widths = channel_groups(length(second), nest.cols)
    counts = grouped(real.first, nest.rows // _counted(nest), 1)
    partners = None if real.second is None else grouped(real.second, nest.cols, 0)
    useful = useful_pairs_of(counts, partners, widths)
    origins = (first[0], second[0])
    return Walker(Walk(nest, seen, origins, backward, depths, widths, useful))

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
class Panel:
    """Channels walked together, and the groups of weights that they meet.

    FP and WG: output channels, ``partners`` the input channels; BP the other way round.
    ``walked`` names weight tiles as (output channel, input channel, tap), the first of each.
    """

    channels: Span
    partners: Span
    walked: list[Walked]


def forward_panels(
    layer: Layer, nest: Nest, engine: Engine, inputs: Bools, box: Box, channels: Span,
    panel: int, size: int,
) -> Iterator[Panel]:  # fmt: skip
    """FP of the output ``channels`` at the positions of ``box``, ``panel`` channels at a time.

    ``inputs`` is [T, B, C, H, W]; ``size`` weight tiles fit half of the weight buffer.
    """
    live = _everywhere(inputs.shape[:2])
    look = partial(input_operands, layer, second=None, live=live, box=box, grid="compacted",
                   size=_counted(nest))  # fmt: skip
    for inner, outer in _channel_blocks(layer, channels):
        own = inputs[:, :, slice(*inner)]
        real = look(own)
        seen = real if engine.skip_spikes else look(_everywhere(own.shape))
        walker = _walker(nest, seen, real, length(inner), length(outer))
        for groups in _panels(nest, length(outer), panel):
            walked = walker.panel(groups, size)
            _name(walked, seen, (outer[0], nest.cols), (inner[0], nest.rows))
            yield Panel(_span(outer, groups, nest.cols), inner, walked)


def backward_panels(
    layer: Layer, nest: Nest, engine: GradientEngine, gradients: Bools, need: Bools, live: Bools,
    box: Box, channels: Span, panel: int, size: int,
) -> Iterator[Panel]:  # fmt: skip
    """BP of the output ``channels`` at the input positions of ``box``, by panels of inputs.

    ``gradients`` is [T, B, K, E, F], ``need`` [T, B, C, H, W], ``live`` [T, B].
    """
    look = partial(gradient_operands, layer, live=live, box=box, grid=engine.grid,
                   size=_counted(nest))  # fmt: skip
    for inner, outer in _channel_blocks(layer, channels):
        du, wanted = gradients[:, :, slice(*outer)], need[:, :, slice(*inner)]
        real = seen = list(look(du, wanted))
        if not (engine.skip_gradients and engine.skip_outputs):
            seen = list(look(_seen(du, engine.skip_gradients), _seen(wanted, engine.skip_outputs)))
        walkers = [
            _walker(nest, one, other, length(outer), length(inner))
            for one, other in zip(seen, real, strict=True)
        ]
        for groups in _panels(nest, length(inner), panel):
            made: list[Walked] = []
            for walker in walkers:
                walked = walker.panel(groups, size)
                _name(walked, walker.walk.operands, (inner[0], nest.cols), (outer[0], nest.rows),
                      swap=True)  # fmt: skip
                made += walked
            yield Panel(_span(inner, groups, nest.cols), outer, made)


def weight_gradient_panels(
    layer: Layer, nest: Nest, engine: GradientEngine, inputs: Bools, gradients: Bools,
    live: Bools, box: Box, channels: Span, taken: Span, panel: int,
) -> Iterator[Panel]:  # fmt: skip
    """WG of the output ``channels`` and the input channels ``taken`` over a box of outputs."""
    look = partial(input_operands, layer, live=live, box=box, grid=engine.grid,
                   size=_counted(nest))  # fmt: skip
    for every, outer in _channel_blocks(layer, channels):
        inner = overlap(every, taken)
        if not length(inner):
            continue
        own, du = inputs[:, :, slice(*inner)], gradients[:, :, slice(*outer)]
        real = seen = look(own, second=du)
        if not (engine.skip_spikes and engine.skip_gradients):
            seen = look(_seen(own, engine.skip_spikes), second=_seen(du, engine.skip_gradients))
        walker = _walker(nest, seen, real, length(inner), length(outer))
        for groups in _panels(nest, length(outer), panel):
            walked = walker.panel(groups, len(groups) * len(walker.walk.under))
            _name(walked, seen, (outer[0], nest.cols), (inner[0], nest.rows))
            yield Panel(_span(outer, groups, nest.cols), inner, walked)


def _channel_blocks(layer: Layer, channels: Span) -> Iterator[tuple[Span, Span]]:
    """(Input channels, output channels of the slice) of every group of a grouped convolution."""
    inner, outer = layer.in_shape[0] // layer.groups, layer.out_shape[0] // layer.groups
    for group in range(layer.groups):
        shared = overlap(channels, (group * outer, (group + 1) * outer))
        if length(shared):
            yield (group * inner, (group + 1) * inner), shared


def _seen(values: Bools, skipping: bool) -> Bools:
    """What a zero test sees: without the policy, nothing looks like a zero."""
    return values if skipping else _everywhere(values.shape)


def _everywhere(shape: tuple[int, ...]) -> Bools:
    return np.broadcast_to(np.True_, shape)


def _counted(nest: Nest) -> int:
    """Channels of ``first`` that may be counted together: single lanes need them apart."""
    return 1 if nest.mode == "element" or nest.dataflow != "weight" else nest.rows


def _walker(nest: Nest, seen: Operands, real: Operands, first: int, second: int) -> Walker:
    depths, widths = channel_groups(first, nest.rows), channel_groups(second, nest.cols)
    counts = grouped(real.first, nest.rows // _counted(nest), 1)
    partners = None if real.second is None else grouped(real.second, nest.cols, 0)
    return Walker(Walk(nest, seen, depths, widths, useful_pairs_of(counts, partners, widths)))


def _panels(nest: Nest, channels: int, panel: int) -> Iterator[range]:
    """Groups of ``channels`` of second in panels; one at a time unless the input is held."""
    groups = -(-channels // nest.cols)
    step = panel // nest.cols if nest.dataflow == "input" else 1
    for start in range(0, groups, step):
        yield range(start, min(start + step, groups))


def _span(channels: Span, groups: range, size: int) -> Span:
    start = channels[0] + groups[0] * size
    return (start, min(channels[1], start + len(groups) * size))


def _name(
    walked: list[Walked], operands: Operands, second: Span, first: Span, swap: bool = False
) -> None:
    """Replace groups by channels: (start, size) of ``second`` and ``first``; swapped in BP."""
    for one in walked:
        named = [
            (second[0] + g * second[1], first[0] + f * first[1], operands.taps[t])
            for g, f, t in one.tiles
        ]
        one.tiles = [(b, a, tap) if swap else (a, b, tap) for a, b, tap in named]

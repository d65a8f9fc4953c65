"""Nests due: the operands that an array meets at one block, gathered position by position.

The rules are those of docs/model.md. Operands are looked up at every position under every tap,
which is not the way of :mod:`tlm.counts`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from tlm.config.core import EngineConfig, GradientEngine
from tlm.laws.due.facts import Facts, LayerFacts
from tlm.laws.due.masks import input_needs, layer_inputs, product_gradients
from tlm.space.array_types import Bools, Ints
from tlm.space.phase import ENGINE_OF_PHASE, Phase
from tlm.space.region import Block, Slice, Span, length, overlap


@dataclass(frozen=True, slots=True)
class Nest:
    """The work of one phase of a layer at a block of positions: all channels of a slice."""

    facts: LayerFacts
    phase: Phase
    part: Slice
    block: Block

    @property
    def width(self) -> int:
        """Columns of the grid that is walked."""
        layer = self.facts.layer
        return layer.in_shape[2] if self.phase == Phase.BP else layer.product_shape[2]

    @property
    def channels(self) -> Iterator[tuple[Span, Span]]:
        """(Channels along the rows, along the columns) of every group of the convolution."""
        layer = self.facts.layer
        depth, width = layer.in_shape[0] // layer.groups, layer.product_channels // layer.groups
        for group in range(layer.groups):
            inputs = (group * depth, (group + 1) * depth)
            outputs = overlap(self.part.neurons.channels, (group * width, (group + 1) * width))
            if length(outputs):
                yield (outputs, inputs) if self.phase == Phase.BP else (inputs, outputs)

    def engine(self, job: Facts) -> EngineConfig:
        """The engine that walks it."""
        engine: EngineConfig = getattr(job.chip.core.engines, ENGINE_OF_PHASE[self.phase])
        return engine


@dataclass(frozen=True, slots=True)
class Stream:
    """What passes the weights of some taps (in WG: dW): operands at the positions looked at.

    ``rows`` [tap, position, channel] and ``columns`` [position, channel] as the zero test sees
    them, ``recorded`` both as they were; ``slots`` with skipped slices, ``scanned`` without;
    ``places`` of the positions among those scanned, between which a stride may insert zeros;
    ``weights`` [tap, row, column] are those that are stored, None if all.
    """

    rows: Bools
    columns: Bools
    recorded: tuple[Bools, Bools]
    slots: int
    scanned: int
    places: Ints
    weights: Bools | None


@dataclass(frozen=True, slots=True)
class _Positions:
    """Positions in the order in which they are walked: sample, step, row, column."""

    sample: Ints
    step: Ints
    row: Ints
    column: Ints

    def take(self, chosen: Bools) -> _Positions:
        """Some of them."""
        each = (self.sample, self.step, self.row, self.column)
        return _Positions(*(values[chosen] for values in each))


@dataclass(frozen=True, slots=True)
class _Masks:
    """Masks [T, B, C, Y, X] of a block's samples along rows and columns; None: all are set."""

    rows: Bools
    columns: Bools | None


def streams(job: Facts, nest: Nest) -> Iterator[Stream]:
    """The streams of a nest, group by group and class of positions by class."""
    recorded = _masks(job, nest)
    tested = _tested(nest, nest.engine(job), recorded)
    every = _positions(job, nest)
    first = nest.block.samples[0]
    live = nest.facts.live[every.step, every.sample + first]
    if nest.phase not in (Phase.BP, Phase.WG):
        live = np.ones_like(live)
    compacted = _compacted(job, nest)
    for rows, columns in nest.channels:
        for taps in _classes(job, nest):
            visited = _visited(nest, every, taps[0]) if compacted else np.ones_like(live)
            if not visited.any():
                continue
            at = every.take(visited & live)
            spread = _inserted(job, nest)
            operands = _operands(nest, recorded, at, taps, (rows, columns))
            seen = operands
            if tested is not recorded:
                seen = _operands(nest, tested, at, taps, (rows, columns))
            yield Stream(
                *seen,
                operands,
                int(visited.sum()) * spread[0] * spread[1],
                len(at.row) * spread[0] * spread[1],
                _places(nest, len(at.row), spread),
                _weights(nest, taps, (rows, columns)),
            )


def _masks(job: Facts, nest: Nest) -> _Masks:
    """The masks of the samples of a block, from a recording of those alone."""
    layer, masks = nest.facts.layer, job.masks_of(nest.block.samples)
    some = masks.recording
    if nest.phase == Phase.BP:
        dY = product_gradients(job.workload.layers, layer, some, nest.facts.exact)
        return _Masks(dY, input_needs(masks, layer))
    inputs = layer_inputs(masks, layer)
    if nest.phase == Phase.WG:
        return _Masks(inputs, product_gradients(job.workload.layers, layer, some, nest.facts.exact))
    return _Masks(inputs, None)


def _tested(nest: Nest, engine: EngineConfig, masks: _Masks) -> _Masks:
    """What a zero test sees: where it does not look, nothing in the image is zero."""
    rows, columns = {
        Phase.BP: (engine.skip_gradients, engine.skip_outputs),
        Phase.WG: (engine.skip_spikes, engine.skip_gradients),
    }.get(nest.phase, (engine.skip_spikes, True))
    if rows and columns:
        return masks
    return _Masks(
        masks.rows if rows else np.ones_like(masks.rows), masks.columns if columns else None
    )


def _positions(job: Facts, nest: Nest) -> _Positions:
    """All positions that are walked of a block; samples count from its first."""
    block = nest.block
    if nest.phase in (Phase.FP, Phase.RECOMPUTE) and job.walked_steps(nest.facts) == 1:
        block = replace(block, steps=(0, 1))
    axes = [np.arange(length(block.samples)), np.arange(*block.steps), np.arange(*block.rows)]
    grid = np.meshgrid(*axes, np.arange(nest.width), indexing="ij")
    return _Positions(*(axis.ravel() for axis in grid))


def _taps(nest: Nest) -> int:
    return nest.facts.layer.kernel[0] * nest.facts.layer.kernel[1]


def _compacted(job: Facts, nest: Nest) -> bool:
    """Whether BP visits only the positions that a tap brings something to."""
    engine = nest.engine(job)
    if nest.phase != Phase.BP or not isinstance(engine, GradientEngine):
        return False
    return engine.grid == "compacted"


def _classes(job: Facts, nest: Nest) -> list[list[int]]:
    """The taps that visit the same positions: all, but for those of a strided, compacted BP."""
    if not _compacted(job, nest):
        return [list(range(_taps(nest)))]
    layer = nest.facts.layer
    (_, width), (sy, sx), (dy, dx) = layer.kernel, layer.stride, layer.dilation
    classes: dict[tuple[int, int], list[int]] = {}
    for tap in range(_taps(nest)):
        place = (tap // width * dy % sy, tap % width * dx % sx)
        classes.setdefault(place, []).append(tap)
    return list(classes.values())


def _visited(nest: Nest, at: _Positions, tap: int) -> Bools:
    """Whether a tap of BP brings a position something of the product's grid, or of around it."""
    layer = nest.facts.layer
    y = at.row + layer.padding[0] - tap // layer.kernel[1] * layer.dilation[0]
    x = at.column + layer.padding[1] - tap % layer.kernel[1] * layer.dilation[1]
    return np.asarray((y % layer.stride[0] == 0) & (x % layer.stride[1] == 0))


def _weights(nest: Nest, taps: list[int], channels: tuple[Span, Span]) -> Bools | None:
    """The stored weights between channels along the rows and the columns."""
    if nest.facts.stored is None:
        return None
    mask = nest.facts.stored.mask
    flat = mask.reshape(*mask.shape[:2], -1)[:, :, taps]
    outputs, inputs = channels if nest.phase == Phase.BP else channels[::-1]
    depth = mask.shape[1]
    first = inputs[0] // depth * depth  # of the group
    between = flat[slice(*outputs), inputs[0] - first : inputs[1] - first]
    return between.transpose(2, 0, 1) if nest.phase == Phase.BP else between.transpose(2, 1, 0)


def _inserted(job: Facts, nest: Nest) -> tuple[int, int]:
    """How many rows and columns of the grid of WG stand for one, with the stride's zeros."""
    engine = nest.engine(job)
    if nest.phase == Phase.WG and isinstance(engine, GradientEngine) and engine.grid == "inserted":
        return nest.facts.layer.stride
    return (1, 1)


def _operands(
    nest: Nest, masks: _Masks, at: _Positions, taps: list[int], channels: tuple[Span, Span]
) -> tuple[Bools, Bools]:
    """Rows [tap, position, channel] and columns [position, channel] of some positions."""
    rows, columns = channels
    under = _under(nest, masks.rows[:, :, slice(*rows)], at, np.array(taps)[:, None])
    if masks.columns is None:
        return under, np.ones((len(at.row), length(columns)), np.bool_)
    partners = masks.columns[at.step, at.sample, slice(*columns), at.row, at.column]
    return under, partners


def _under(nest: Nest, masks: Bools, at: _Positions, taps: Ints) -> Bools:
    """What ``taps`` [tap, 1] bring to every position, [tap, position, channel]; 0 outside."""
    layer = nest.facts.layer
    places, inside = [], np.ones((len(taps), len(at.row)), np.bool_)
    for axis, (here, number) in enumerate(
        ((at.row, taps // layer.kernel[1]), (at.column, taps % layer.kernel[1]))
    ):
        stride, pad, size = layer.stride[axis], layer.padding[axis], masks.shape[3 + axis]
        reach = number * layer.dilation[axis]
        if nest.phase == Phase.BP:
            place, rest = np.divmod(here + pad - reach, stride)
            inside &= rest == 0
        else:
            place = here * stride - pad + reach
        inside &= (place >= 0) & (place < size)
        places.append(np.clip(place, 0, size - 1))
    values = masks[at.step, at.sample, :, places[0], places[1]]
    return np.asarray(values & inside[..., None])


def _places(nest: Nest, positions: int, spread: tuple[int, int]) -> Ints:
    """Where the positions stand among all that are scanned, inserted zeros included."""
    rows, columns = length(nest.block.rows), nest.width
    pair, inside = np.divmod(np.arange(positions), rows * columns)
    row, column = np.divmod(inside, columns)
    return np.asarray(
        (pair * rows * spread[0] + row * spread[0]) * columns * spread[1] + column * spread[1]
    )

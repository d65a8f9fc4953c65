"""Loop nests: how one core walks its slice of a layer, and the closed forms of the cycles.

FP, outer to inner:   samples / rows / steps in blocks of ``positions`` | output tile of ``cols``
                      channels | chunk of ``rows`` input channels | kernel tap | positions
BP, outer to inner:   the same over the input grid, output tiles of input channels, chunks of
                      output channels
WG, outer to inner:   samples in blocks | output tile | input chunk | tap | samples, steps,
                      positions; dW stays in the accumulators over B and T

A block is what the partial-sum buffer holds: one vector of ``cols`` partial sums a position. The
weights of a tile are loaded into the array once a block; a slice that fits the weight buffer whole
is fetched from DRAM once, any other is streamed through halves of the buffer once a block.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from tlm.config.schema import ChipConfig
from tlm.errors import MappingError
from tlm.mapping.region import Span, length
from tlm.workload.model import Layer


@dataclass(frozen=True, slots=True)
class Array:
    """What every nest needs to know of the engines' arrays (all three are shaped alike).

    ``chunk`` channels enter a slot and ``tile`` channels leave it in FP; BP reads the same weights
    the other way round. ``slot_cycles`` is above 1 only if the banks cannot feed a slot a cycle.
    """

    chunk: int
    tile: int
    positions: int
    depth: int
    lanes: int
    scan: int
    slot_cycles: int
    weight_bits: int

    def tile_bits(self) -> int:
        """Bits of the weights of one (chunk, tile, tap)."""
        return self.chunk * self.tile * self.weight_bits


def array_of(chip: ChipConfig) -> Array:
    """Read the arrays from the chip.

    Raises:
        MappingError: the engines' arrays differ, or a buffer cannot hold what one slot needs.
    """
    engines, memory = chip.core.engines, chip.core.memory
    if not (
        (engines.fp.rows, engines.fp.cols)
        == (engines.bp.cols, engines.bp.rows)
        == (engines.wg.rows, engines.wg.cols)
    ):
        raise MappingError(
            "core.engines: fp and wg must have the same rows and cols, and bp the same swapped, "
            "because the three share one weight layout; make them agree"
        )
    chunk, tile = engines.fp.rows, engines.fp.cols
    array = Array(
        chunk=chunk,
        tile=tile,
        positions=memory.partial_sums // (max(chunk, tile) * chip.precision.gradient),
        depth=chip.core.pipeline_depth,
        lanes=chip.core.unit_lanes,
        scan=chip.core.scan_slots,
        slot_cycles=-(-max(chunk, tile) // memory.banks),
        weight_bits=chip.precision.weight,
    )
    if array.positions < 1:
        raise MappingError("core.memory.partial_sums holds less than one vector; enlarge it")
    if memory.weights < 2 * array.tile_bits():
        raise MappingError(
            f"core.memory.weights holds {memory.weights} bit, but double buffering needs "
            f"{2 * array.tile_bits()} bit (two tiles of {chunk} x {tile}); enlarge it"
        )
    return array


@dataclass(frozen=True, slots=True)
class Block:
    """Samples x rows x steps whose partial sums fit the buffer together."""

    samples: Span
    rows: Span
    steps: Span

    def positions(self, width: int) -> int:
        """Vector positions of the block for rows of ``width`` columns."""
        return length(self.samples) * length(self.rows) * length(self.steps) * width


def block_shape(
    samples: int, rows: int, steps: int, width: int, positions: int
) -> tuple[int, int, int]:
    """Samples, rows and steps of a full block of at most ``positions``; steps fill up first.

    Raises:
        MappingError: one row of one step is wider than the partial-sum buffer.
    """
    if width > positions:
        raise MappingError(
            f"one row of {width} positions does not fit core.memory.partial_sums "
            f"({positions} positions); enlarge it"
        )
    by_step = min(steps, positions // width)
    by_row = max(1, min(rows, positions // (width * by_step))) if by_step == steps else 1
    full = by_row == rows and by_step == steps
    return (max(1, positions // (width * by_row * by_step)) if full else 1, by_row, by_step)


def blocks(samples: Span, rows: Span, steps: int, width: int, positions: int) -> Iterator[Block]:
    """Cut samples x rows x steps into blocks of at most ``positions``; steps fill up first.

    Raises:
        MappingError: one row of one step is wider than the partial-sum buffer.
    """
    by_sample, by_row, by_step = block_shape(length(samples), length(rows), steps, width, positions)
    for b in range(samples[0], samples[1], by_sample):
        for y in range(rows[0], rows[1], by_row):
            for t in range(0, steps, by_step):
                yield Block(
                    (b, min(b + by_sample, samples[1])),
                    (y, min(y + by_row, rows[1])),
                    (t, min(t + by_step, steps)),
                )


def block_sizes(
    samples: int, rows: int, steps: int, width: int, positions: int
) -> Iterator[tuple[int, int]]:
    """(positions of a block, how many such blocks) of :func:`blocks`, without making them."""
    totals = (samples, rows, steps)
    each = block_shape(samples, rows, steps, width, positions)
    kinds = [
        [(size, total // size), (total % size, int(total % size > 0))]
        for size, total in zip(each, totals, strict=True)
    ]
    for (b, nb), (y, ny), (t, nt) in itertools.product(*kinds):
        if nb * ny * nt:
            yield b * y * t * width, nb * ny * nt


def sample_blocks(samples: Span, bits_per_sample: int, capacity: int) -> Iterator[Span]:
    """Cut samples into blocks whose data fit half of ``capacity`` bits, the double buffer."""
    size = max(1, capacity // 2 // max(1, bits_per_sample))
    for b in range(samples[0], samples[1], size):
        yield (b, min(b + size, samples[1]))


def ceil_div(a: int, b: int) -> int:
    """a / b, rounded up."""
    return -(-a // b)


def fp_dense_cycles(layer: Layer, array: Array, p: int, channels: Span) -> int:
    """Closed form of FP over a block of ``p``: weight load and stream per tile, drain, soma."""
    (c, _, _), (r, s) = layer.in_shape, layer.kernel
    passes = ceil_div(c, array.chunk) * r * s * (array.chunk + p * array.slot_cycles)
    full, rest = divmod(length(channels), array.tile)
    total = full * (passes + array.depth + ceil_div(p * array.tile, array.lanes))
    if rest:
        total += passes + array.depth + ceil_div(p * rest, array.lanes)
    return total


def bp_dense_cycles(layer: Layer, array: Array, p: int, channels: Span) -> int:
    """Closed form of BP over a block of ``p`` input positions, for the slice's channels."""
    (c, _, _), (r, s) = layer.in_shape, layer.kernel
    per_tile = ceil_div(length(channels), array.tile) * r * s
    return ceil_div(c, array.chunk) * (
        per_tile * (array.tile + p * array.slot_cycles) + array.depth
    )


def wg_dense_cycles(layer: Layer, array: Array, positions: int, channels: Span) -> int:
    """Closed form of WG over ``positions`` = samples x steps x rows x columns."""
    (c, _, _), (r, s) = layer.in_shape, layer.kernel
    tiles = ceil_div(c, array.chunk) * r * s
    return ceil_div(length(channels), array.tile) * (
        tiles * (positions * array.slot_cycles + array.chunk) + array.depth
    )

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

from tlm.config.chip import ChipConfig
from tlm.config.core import EngineConfig
from tlm.counts.walk import EngineArray
from tlm.errors import MappingError
from tlm.space.region import Block, Span, length


@dataclass(frozen=True, slots=True)
class CoreArrays:
    """What every nest needs to know of the engines' arrays (all three are shaped alike).

    ``chunk`` channels enter a slot and ``tile`` channels leave it in FP; BP reads the same weights
    the other way round. ``positions`` vectors of partial sums fit their buffer, ``half_buffer``
    weight tiles half of theirs.
    """

    chunk: int
    tile: int
    positions: int
    half_buffer: int
    depth: int
    lanes: int
    weight_bits: int
    fp: EngineArray
    bp: EngineArray
    wg: EngineArray

    def tile_bits(self) -> int:
        """Bits of the weights of one (chunk, tile, tap)."""
        return self.chunk * self.tile * self.weight_bits


def array_of(chip: ChipConfig) -> CoreArrays:
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
    tile_bits = chunk * tile * chip.precision.weight
    array = CoreArrays(
        chunk=chunk,
        tile=tile,
        positions=memory.partial_sums // (max(chunk, tile) * chip.precision.gradient),
        half_buffer=memory.weights // 2 // tile_bits,
        depth=chip.core.pipeline_depth,
        lanes=chip.core.unit_lanes,
        weight_bits=chip.precision.weight,
        fp=_nest(chip, engines.fp),
        bp=_nest(chip, engines.bp),
        wg=_nest(chip, engines.wg, weights_are_sums=True),
    )
    if array.positions < 1:
        raise MappingError("core.memory.partial_sums holds less than one vector; enlarge it")
    if not array.half_buffer:
        raise MappingError(
            f"core.memory.weights holds {memory.weights} bit, but double buffering needs "
            f"{2 * tile_bits} bit (two tiles of {chunk} x {tile}); enlarge it"
        )
    return array


def _nest(chip: ChipConfig, engine: EngineConfig, weights_are_sums: bool = False) -> EngineArray:
    return EngineArray(
        dataflow=engine.dataflow,
        mode=engine.mode,
        rows=engine.rows,
        cols=engine.cols,
        slot_cycles=ceil_div(max(engine.rows, engine.cols), chip.core.memory.banks),
        scan=chip.core.scan_slots,
        queue=chip.core.queue_depth,
        weights_are_sums=weights_are_sums,
    )


def panel_positions(
    array: CoreArrays, nest: EngineArray, width: int, channels: int
) -> tuple[int, int]:
    """Positions of a block and channels of a panel whose sums fill the buffer together.

    A held input meets all ``channels`` before it leaves, as far as sums of one row of ``width`` and
    of as many positions as the array holds have room; other dataflows walk a tile of them.
    """
    if nest.dataflow != "input":
        return array.positions, nest.cols
    words = array.positions * max(array.chunk, array.tile)
    most = words // max(width, nest.cols) // nest.cols * nest.cols
    panel = max(nest.cols, min(most, ceil_div(channels, nest.cols) * nest.cols))
    return words // panel, panel


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

"""Blocks: how one core cuts its slice of a layer into what its buffers hold.

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

from tlm.counts.core_arrays import CoreArrays
from tlm.counts.engine_array import EngineArray
from tlm.errors import MappingError
from tlm.space.region import Block, Span, length
from tlm.space.rounding import ceil_div


def panel_positions(
    arrays: CoreArrays, array: EngineArray, width: int, channels: int
) -> tuple[int, int]:
    """Positions of a block and channels of a panel whose sums fill the buffer together.

    A held input meets all ``channels`` before it leaves, as far as sums of one row of ``width`` and
    of as many positions as the array holds have room; other dataflows walk a tile of them.
    """
    if array.dataflow != "input":
        return arrays.positions, array.cols
    words = arrays.positions * max(arrays.chunk, arrays.tile)
    most = words // max(width, array.cols) // array.cols * array.cols
    panel = max(array.cols, min(most, ceil_div(channels, array.cols) * array.cols))
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
            f"core.memory.partial_sums: one row of {width} positions does not fit the "
            f"{positions} that it holds; enlarge it"
        )
    by_step = min(steps, positions // width)
    by_row = max(1, min(rows, positions // (width * by_step))) if by_step == steps else 1
    full = by_row == rows and by_step == steps
    return (max(1, positions // (width * by_row * by_step)) if full else 1, by_row, by_step)


def blocks(
    samples: Span, rows: Span, steps: int, width: int, positions: int, apart: bool = False
) -> Iterator[Block]:
    """Cut samples x rows x steps into blocks of at most ``positions``; steps fill up first.

    Blocks ``apart`` are of one sample and step each.

    Raises:
        MappingError: one row of one step is wider than the partial-sum buffer.
    """
    if apart:
        by_sample, (_, by_row, by_step) = 1, block_shape(1, length(rows), 1, width, positions)
    else:
        together = length(samples), length(rows), steps
        by_sample, by_row, by_step = block_shape(*together, width, positions)
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
